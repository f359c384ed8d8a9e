"""Tests of the turns of those who send."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import integers, lists, tuples
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.turns import OVERHEAD, SHARE, Turns


class TurnsTests(SynchronousTestCase):
    """Who is served next."""

    def test_each_in_turn(self) -> None:
        """Each sender has one served before any has a second; of one, they are served in order."""
        turns: Turns[str] = Turns()
        for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
            self.assertTrue(turns.put(item[0], 10, item))
        self.assertEqual([turns.next() for _ in range(len(turns))], ["a1", "b1", "c1", "a2", "b2", "a3"])
        self.assertFalse(turns)
        self.assertRaises(IndexError, turns.next)

    def test_one_floods(self) -> None:
        """One sender fills an eighth of the room at the most, and another still has plenty."""
        turns: Turns[int] = Turns(1_000 * OVERHEAD)
        taken = [turns.put("mad", 0, number) for number in range(2_000)]
        self.assertEqual(taken, sorted(taken, reverse=True))
        self.assertEqual(sum(taken), 1_000 // (SHARE + 1))
        self.assertTrue(all(turns.put("good", 0, number) for number in range(50)))
        self.assertEqual({turns.next(), turns.next()}, {0})

    def test_many_flood(self) -> None:
        """Many of them still leave room for one who comes new."""
        turns: Turns[int] = Turns(1_000 * OVERHEAD)
        for number in range(20_000):
            turns.put(f"mad{number % 100}", 0, number)
        self.assertTrue(turns.put("good", 0, 1))

    def test_large_item(self) -> None:
        """The first of a sender may be as large as there is room; more than all the room never is taken."""
        turns: Turns[int] = Turns(10_000)
        self.assertTrue(turns.put("a", 9_000, 1))
        self.assertFalse(turns.put("b", 9_000, 2))
        turns.next()
        self.assertFalse(turns.put("b", 10_000, 2))

    def test_forget(self) -> None:
        """Who is forgotten is served no more, and leaves its room to others."""
        turns: Turns[str] = Turns(3_100)
        turns.put("a", 2_000, "a1")
        turns.put("b", 0, "b1")
        turns.forget("a")
        turns.forget("nobody")
        self.assertTrue(turns.put("c", 1_900, "c1"))
        self.assertEqual([turns.next(), turns.next()], ["b1", "c1"])
        turns.put("d", 0, "d1")
        turns.clear()
        self.assertFalse(turns)

    @given(lists(tuples(integers(0, 5), integers(0, 3_000), integers(0, 2)), max_size=200))
    def test_books(self, steps: list[tuple[int, int, int]]) -> None:
        """Whatever comes and goes, nothing is lost and all room is free in the end."""
        capacity = 10_000
        turns: Turns[int] = Turns(capacity)
        waiting = 0
        for sender, octets, serve in steps:
            waiting += turns.put(sender, octets, octets)
            for _ in range(min(serve, waiting)):
                turns.next()
                waiting -= 1
            self.assertEqual(len(turns), waiting)
        while turns:
            turns.next()
        self.assertTrue(turns.put("last", capacity - OVERHEAD, 0))
