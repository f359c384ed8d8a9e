"""Tests of the deadlines."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.deadlines import STALE, Deadlines


class DeadlinesTests(SynchronousTestCase):
    """Many deadlines, one delayed call."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fired: list[tuple[str, float]] = []
        self.deadlines: Deadlines[str] = Deadlines(
            self.clock, lambda thing, now: self.fired.append((thing, now))
        )

    def test_order(self) -> None:
        """Each thing is called back once, when it is due, with a single delayed call for all."""
        for thing, due in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
            self.deadlines.set(thing, due)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([1, 1, 1, 1])
        self.assertEqual(self.fired, [("early", 1.0), ("middle", 2.0), ("late", 3.0)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_set_anew(self) -> None:
        """A new deadline takes the place of the old one, be it sooner or later."""
        self.deadlines.set("a", 5.0)
        self.deadlines.set("a", 2.0)
        self.deadlines.set("b", 2.0)
        self.deadlines.set("b", 5.0)
        self.clock.pump([2, 3, 5])
        self.assertEqual(self.fired, [("a", 2.0), ("b", 5.0)])

    def test_taken_away(self) -> None:
        """What has no deadline is not called back, and the reactor is left alone."""
        self.deadlines.set("a", 5.0)
        self.deadlines.set("a", None)
        self.deadlines.set("never", None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_set_again_from_within(self) -> None:
        """What is called back may set its next deadline."""

        def again(thing: str, now: float) -> None:
            self.fired.append((thing, now))
            deadlines.set(thing, now + 1.0)

        deadlines: Deadlines[str] = Deadlines(self.clock, again)
        deadlines.set("a", 1.0)
        self.clock.pump([1, 1, 1])
        self.assertEqual(self.fired, [("a", 1.0), ("a", 2.0), ("a", 3.0)])

    def test_failure(self) -> None:
        """One that fails does not keep the others from their time."""

        def fails_once(thing: str, now: float) -> None:
            self.fired.append((thing, now))
            if thing == "bad":
                raise ValueError("as it happens")

        deadlines: Deadlines[str] = Deadlines(self.clock, fails_once)
        deadlines.set("bad", 1.0)
        deadlines.set("good", 1.0)
        self.assertRaises(ValueError, self.clock.advance, 1)
        self.clock.advance(0)
        self.assertEqual([thing for thing, _ in self.fired], ["bad", "good"])

    def test_never_too_early(self) -> None:
        """When the clock's last bits say that it is a little before the deadline, the deadline is told as the time."""
        self.clock.advance(1e9 + 0.1)
        due = self.clock.seconds() + 0.3
        self.deadlines.set("a", due)
        self.clock.advance(0.2999999)
        self.clock.advance(0.0000001)
        self.assertEqual(len(self.fired), 1)
        self.assertGreaterEqual(self.fired[0][1], due)

    def test_nothing_piles_up(self) -> None:
        """Deadlines that come and go long before they are met leave next to nothing behind."""
        for number in range(10_000):
            self.deadlines.set(str(number), 32.0)
            self.deadlines.set(str(number), None)
        self.assertLessEqual(len(self.deadlines._heap), STALE)
        self.assertEqual(len(self.deadlines), 0)

    def test_stop(self) -> None:
        """Nothing is called back after the end."""
        self.deadlines.set("a", 1.0)
        self.deadlines.stop()
        self.deadlines.set("b", 1.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(2)
        self.assertEqual(self.fired, [])
