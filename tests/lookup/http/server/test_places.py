"""How many connections one address has."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.server.places import Places


class PlacesTests(SynchronousTestCase):
    """So many at a time."""

    def test_each_and_all(self) -> None:
        """One source has so many, all have so many, and what is given back can be taken again."""
        places = Places(3, 2)
        self.assertEqual([places.take(each) for each in "aaabb"], [True, True, False, True, False])
        places.leave("a")
        self.assertTrue(places.take("b"))
        self.assertEqual(places.taken, 3)
