"""Tests for p2pship.bearer.timers."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.bearer.timers import Timers


class TimersTests(TestCase):
    """Delayed calls with names."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.timers = Timers(self.clock)
        self.fired: list[str] = []

    def start(self, name: str, seconds: float, word: str = "") -> None:
        """Start a timer that writes down its word, or its name."""
        self.timers.start(name, seconds, lambda: self.fired.append(word or name))

    def test_in_place(self) -> None:
        """A timer that is started again replaces itself, and no other."""
        self.start("one", 1)
        self.start("two", 1)
        self.start("one", 2, "later")
        self.clock.advance(1)
        self.assertEqual(self.fired, ["two"])
        self.clock.advance(1)
        self.assertEqual(self.fired, ["two", "later"])

    def test_stop(self) -> None:
        """One that is stopped does not fire; to stop it again, or after it fired, is harmless."""
        self.start("one", 1)
        self.start("two", 1)
        self.timers.stop("one")
        self.timers.stop("one")
        self.clock.advance(1)
        self.timers.stop("two")
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), (["two"], []))

    def test_start_before(self) -> None:
        """It is moved to an earlier time, never to a later one."""
        for due in (5.0, 9.0, 3.0, 4.0):
            self.timers.start_before("one", due, lambda due=due: self.fired.append(str(due)))  # type: ignore[misc]
        self.clock.advance(3)
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), (["3.0"], []))
        self.timers.start_before("one", 1.0, lambda: self.fired.append("past"))
        self.clock.advance(0)
        self.assertEqual(self.fired, ["3.0", "past"])

    def test_again(self) -> None:
        """A timer may be started by its own call."""
        self.timers.start("one", 1, lambda: self.start("one", 1))
        self.clock.pump([1, 1, 1])
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), (["one"], []))
