"""Tests of delayed calls that end together."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.timers import Timers


class TimersTests(SynchronousTestCase):
    """Calls in time, or not at all."""

    def test_calls(self) -> None:
        """Each call comes once; one that is cancelled does not, and cancelling it again is harmless."""
        clock, called = Clock(), list[int]()
        timers = Timers(clock)
        first, second = timers.later(1, lambda: called.append(1)), timers.later(2, lambda: called.append(2))
        clock.advance(1)
        timers.cancel(first, second, second, None)
        clock.advance(5)
        self.assertEqual((called, clock.getDelayedCalls()), ([1], []))

    def test_cancel_all(self) -> None:
        """Nothing is left over."""
        clock = Clock()
        timers = Timers(clock)
        for delay in range(3):
            timers.later(delay, list[int]().clear)
        timers.cancel_all()
        self.assertEqual(clock.getDelayedCalls(), [])
