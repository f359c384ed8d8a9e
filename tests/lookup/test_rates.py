"""How often somebody may."""

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.rates import MOST_SOURCES, Rate, RateEach, RateLimit, TokenBucket

NOW = 1_700_000_000.0
ASKER = "192.0.2.9"
SOURCE, TOTAL = Rate(20.0, 60.0), Rate(200.0, 400.0)


class TokenBucketTests(SynchronousTestCase):
    """A bucket allows a burst, then a rate."""

    def test_burst_then_rate(self) -> None:
        """After the burst there is one more for each interval of the rate."""
        bucket = TokenBucket(Rate(2.0, 3.0), NOW)
        self.assertEqual([bucket.take(NOW) for _ in range(4)], [True, True, True, False])
        self.assertFalse(bucket.take(NOW + 0.4))
        self.assertTrue(bucket.take(NOW + 0.5))
        self.assertFalse(bucket.take(NOW + 0.5))

    def test_never_more_than_the_burst(self) -> None:
        """A long silence saves up no more than the burst."""
        bucket = TokenBucket(Rate(2.0, 3.0), NOW)
        self.assertEqual(sum(bucket.take(NOW + 1e6) for _ in range(10)), 3)

    def test_clock_set_back(self) -> None:
        """A clock that is set back takes nothing away, and gives nothing."""
        bucket = TokenBucket(Rate(1.0, 1.0), NOW)
        self.assertTrue(bucket.take(NOW - 1000))
        self.assertFalse(bucket.take(NOW - 1000))
        self.assertTrue(bucket.take(NOW - 999))


class RateEachTests(SynchronousTestCase):
    """Each source has a bucket."""

    def test_wait(self) -> None:
        """Who has had the burst hears when the next may come, and being told so costs nothing; others are not disturbed."""
        rate = RateEach(Rate(2.0, 120.0))
        self.assertEqual([rate.wait("a", NOW) for _ in range(120)], [0.0] * 120)
        self.assertEqual(
            [rate.wait("a", NOW), rate.wait("a", NOW), rate.wait("a", NOW + 0.25)], [0.5, 0.5, 0.25]
        )
        self.assertEqual(rate.wait("a", NOW + 0.5), 0)
        self.assertEqual(rate.wait("b", NOW), 0)

    def test_memory(self) -> None:
        """However many sources come, a number of them is remembered, the latest."""
        rate = RateEach(Rate(1.0, 1.0), most_sources=10)
        for number in range(1000):
            rate.wait(str(number), NOW)
        self.assertEqual(len(rate._sources), 10)
        self.assertGreater(rate.wait("999", NOW), 0)


class RateLimitTests(SynchronousTestCase):
    """Each address has its rate, and all together have one."""

    def test_one_source(self) -> None:
        """One address gets its burst and its rate; another is not disturbed."""
        limit = RateLimit(SOURCE, TOTAL, NOW)
        self.assertEqual(sum(limit.allows(ASKER, NOW) for _ in range(500)), SOURCE.burst)
        self.assertTrue(limit.allows("192.0.2.10", NOW))
        self.assertEqual(sum(limit.allows(ASKER, NOW + 1) for _ in range(500)), SOURCE.each_second)

    def test_all_sources(self) -> None:
        """Any number of addresses, true or invented, get no more than the total."""
        limit = RateLimit(SOURCE, TOTAL, NOW)
        allowed = sum(limit.allows(f"10.0.{n >> 8}.{n & 255}", NOW) for n in range(5000))
        self.assertEqual(allowed, TOTAL.burst)
        allowed = sum(limit.allows(f"10.1.{n >> 8}.{n & 255}", NOW + 1) for n in range(5000))
        self.assertEqual(allowed, TOTAL.each_second)

    def test_bounded(self) -> None:
        """Not every address that ever asked is remembered."""
        limit = RateLimit(SOURCE, TOTAL, NOW)
        for n in range(3 * MOST_SOURCES):
            limit.allows(f"10.0.{n >> 8}.{n & 255}", NOW)
        self.assertEqual(len(limit._each._sources), MOST_SOURCES)
