"""Tests of what has come and waits to be served."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.journal import Journal
from p2pship.sip.intake import SLICE, Intake
from p2pship.sip.turns import CAPACITY


class IntakeTests(SynchronousTestCase):
    """Serving, a slice at a time."""

    def setUp(self) -> None:
        self.clock, self.journal = Clock(), Journal()
        self.intake = Intake(self.clock, self.journal)
        self.served: list[str] = []

    def take(self, name: str) -> bool:
        """Let something wait that takes a while to be served."""

        def serve() -> None:
            self.clock.rightNow += SLICE * 0.4
            self.served.append(name)

        return self.intake.take(name[0], 10, serve)

    def test_not_at_once(self) -> None:
        """Nothing is served from within the call that brings it."""
        self.take("a1")
        self.assertEqual(self.served, [])
        self.clock.advance(0)
        self.assertEqual(self.served, ["a1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slices(self) -> None:
        """After some milliseconds the reactor has its turn, and then it goes on."""
        for name in ("a1", "a2", "a3", "a4", "b1"):
            self.take(name)
        self.clock.callLater(0, lambda: self.served.append(f"reactor, {len(self.intake)} wait"))
        self.clock.advance(0)
        self.assertEqual(self.served, ["a1", "b1", "a2", "reactor, 2 wait", "a3", "a4"])

    def test_one_that_fails(self) -> None:
        """One that fails is logged, and the others are served."""
        self.intake.take("x", 1, lambda: 1 // 0)
        self.take("a1")
        self.clock.advance(0)
        self.assertEqual(self.served, ["a1"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_flood(self) -> None:
        """What is too much is dropped and counted."""
        self.assertTrue(self.intake.take("a", CAPACITY // 2, lambda: None))
        self.assertFalse(self.take("a1"))
        self.assertEqual(self.journal.counts["sip.flood"], 1)
        self.assertTrue(self.take("b1"))

    def test_forget_and_stop(self) -> None:
        """What waits of a sender that is gone is dropped; and all, when it is stopped."""
        for name in ("a1", "b1", "b2"):
            self.take(name)
        self.intake.forget("a")
        self.clock.advance(0)
        self.assertEqual(self.served, ["b1", "b2"])
        self.take("c1")
        self.intake.stop()
        self.assertFalse(self.take("c2"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_more_while_serving(self) -> None:
        """What comes because of what is served has its turn, too."""
        self.intake.take("a", 1, lambda: self.take("b1"))
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(self.served, ["b1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
