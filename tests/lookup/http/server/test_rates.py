"""How often one address may ask, and how many connections it has."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.server import rates
from p2pship.lookup.http.server.rates import BURST_SECONDS, Places, Rate


class RateTests(SynchronousTestCase):
    """A bucket for each source."""

    def test_burst(self) -> None:
        """A minute's worth may come at once; the next must wait for its time, and being told so costs nothing."""
        rate = Rate(2)
        for _ in range(2 * BURST_SECONDS):
            self.assertEqual(rate.wait("a", 100), 0)
        self.assertEqual([rate.wait("a", 100), rate.wait("a", 100), rate.wait("a", 100.25)], [0.5, 0.5, 0.25])
        self.assertEqual(rate.wait("a", 100.5), 0)
        self.assertEqual(rate.wait("b", 100), 0)

    def test_on_average(self) -> None:
        """Who asks at the rate is never refused; silence earns no more than a minute's worth."""
        rate = Rate(2)
        for second in range(200):
            self.assertEqual(rate.wait("a", second / 2), 0)
        waits = [rate.wait("a", 1_000_000) for _ in range(2 * BURST_SECONDS + 1)]
        self.assertEqual([waits.index(0.5), len(waits)], [2 * BURST_SECONDS, 2 * BURST_SECONDS + 1])

    def test_clock_goes_back(self) -> None:
        """A clock that is set back gives nothing and takes nothing."""
        rate = Rate(1 / BURST_SECONDS)
        self.assertEqual(rate.wait("a", 1000), 0)
        self.assertEqual(rate.wait("a", 500), BURST_SECONDS)

    def test_memory(self) -> None:
        """However many sources come, a number of them is remembered."""
        self.patch(rates, "MOST_SOURCES", 10)
        rate = Rate(1 / BURST_SECONDS)
        for number in range(1000):
            rate.wait(str(number), 0)
        self.assertEqual(len(rate._sources), 10)
        self.assertGreater(rate.wait("999", 0), 0)


class PlacesTests(SynchronousTestCase):
    """So many at a time."""

    def test_each_and_all(self) -> None:
        """One source has so many, all have so many, and what is given back can be taken again."""
        places = Places(3, 2)
        self.assertEqual([places.take(each) for each in "aaabb"], [True, True, False, True, False])
        places.leave("a")
        self.assertTrue(places.take("b"))
        self.assertEqual(places.taken, 3)
