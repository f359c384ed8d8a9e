"""How many connections one address has."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.server.places import Places


class PlacesTests(SynchronousTestCase):
    """So many at a time."""

    def test_each_and_all(self) -> None:
        """One source has so many, all have so many, and what is given back can be taken again."""
        places = Places(3, 2)
        self.assertEqual([places.take(each) for each in "aaabcd"], [True, True, False, True, False, False])
        places.leave("a")
        self.assertTrue(places.take("c"))
        self.assertEqual(places.taken, 3)

    def test_site(self) -> None:
        """Whoever has a site of IPv6 has eight times as many as one network; what is given back is forgotten."""
        places = Places(1000, 10)
        sources = [f"2001:db8:1:{number:x}::/64" for number in range(20) for _ in range(10)]
        had = [source for source in sources if places.take(source)]
        self.assertEqual(len(had), 80)
        self.assertTrue(places.take("2001:db8:2::/64"))
        for each in (*had, "2001:db8:2::/64"):
            places.leave(each)
        self.assertEqual((places.taken, len(places._taken)), (0, 0))

    def test_room_for_others(self) -> None:
        """A hundred sources that may each have a hundredth leave a sixth to who comes later; one that may have all has it."""
        places = Places(1000, 10)
        taken = [sum(places.take(f"{source}") for _ in range(10)) for source in range(100)]
        self.assertEqual(taken[:50], [10] * 50)
        self.assertEqual(taken, sorted(taken, reverse=True))
        self.assertLess(places.taken, 1000 * 5 / 6)
        self.assertGreater(sum(places.take("late") for _ in range(10)), 2)
        own = Places(3, 3)
        self.assertEqual([own.take("me") for _ in range(4)], [True, True, True, False])
        self.assertFalse(Places(0, 10).take("anybody"))
