"""A machine's clock that is set back delays nothing."""

from __future__ import annotations

from typing import Any

from twisted.internet.base import ReactorBase
from twisted.trial.unittest import SynchronousTestCase

from p2pship.leaps import SteadyCalls


class TimelessReactor(ReactorBase):
    """Twisted's own way with calls that are due, and nothing else."""

    def installWaker(self) -> None:
        """Sleep never."""

    def wakeUp(self) -> None:
        """Likewise."""


class SteadyCallsTests(SynchronousTestCase):
    """A reactor whose clock sees when it is set back."""

    def setUp(self) -> None:
        self.unix, self.steady = 1e9, 0.0
        self.happened: list[str] = []
        self.reactor: Any = TimelessReactor()
        SteadyCalls(self.reactor, lambda: self.note("set back"), lambda: self.unix, lambda: self.steady)

    def note(self, what: str) -> None:
        self.happened.append(what)

    def pass_time(self, seconds: float, leap: float = 0.0) -> None:
        """Have both clocks go on, and people set one of them."""
        self.unix += seconds + leap
        self.steady += seconds
        self.reactor.timeout()
        self.reactor.runUntilCurrent()

    def test_set_back(self) -> None:
        """What was to be called in ten seconds is, in this order, though it is earlier than when that was said; cancelled calls never."""
        cancelled = self.reactor.callLater(5, self.note, "cancelled")
        self.reactor.callLater(20, self.note, "second")
        self.reactor.callLater(10, self.note, "first")
        cancelled.cancel()
        self.pass_time(9, leap=-7200)
        self.assertEqual(self.happened, ["set back"])
        self.reactor.callLater(1, self.note, "new")
        self.pass_time(0.5)
        self.assertEqual(self.happened, ["set back"])
        self.pass_time(1)
        self.assertEqual(self.happened, ["set back", "first", "new"])
        self.pass_time(10)
        self.assertEqual(self.happened[-1], "second")

    def test_before_it_sleeps(self) -> None:
        """Where it was set back just before the reactor waits, that does not wait for the old time."""
        self.reactor.callLater(10, self.note, "due")
        self.unix -= 7200
        self.reactor.timeout()
        self.assertTrue(self.reactor.threadCallQueue)
        self.pass_time(10)
        self.assertEqual(self.happened, ["set back", "due"])

    def test_while_calls_are_made(self) -> None:
        """Where it is set back while calls are made, those that wait are not taken for due by the old time."""

        def late() -> None:
            self.unix -= 7200
            self.reactor.callLater(2, self.note, "new")

        self.reactor.callLater(5, late)
        self.reactor.callLater(10, self.note, "due")
        self.pass_time(5)
        self.assertEqual(self.happened, [])
        self.pass_time(2)
        self.pass_time(3)
        self.assertEqual(self.happened, ["set back", "new", "due"])

    def test_put_off_since(self) -> None:
        """What has been put off by the new time is left so, and what was cancelled by then does no harm."""
        put_off = self.reactor.callLater(10, self.note, "due")
        cancelled = self.reactor.callLater(10, self.note, "cancelled")
        self.unix -= 7200
        self.reactor.timeout()
        put_off.reset(20)
        cancelled.cancel()
        self.pass_time(19)
        self.assertEqual(self.happened, ["set back"])
        self.pass_time(1)
        self.assertEqual(self.happened, ["set back", "due"])

    def test_set_on(self) -> None:
        """When it is set on, or the machine has slept, what is due is done, and nobody is told; nor of small steps."""
        self.reactor.callLater(10, self.note, "due")
        self.pass_time(1, leap=-0.5)
        self.pass_time(1, leap=7200)
        self.assertEqual(self.happened, ["due"])
