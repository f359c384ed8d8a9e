"""Delayed calls with names, of which each is there once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Timers:
    """The timers of one owner."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._calls: dict[str, IDelayedCall] = {}

    def start(self, name: str, seconds: float, call: Callable[[], Any]) -> None:
        """Have ``call`` called after so many seconds, in place of what this timer had."""
        self.stop(name)
        self._calls[name] = self._clock.callLater(max(0.0, seconds), self._fire, name, call)

    def start_before(self, name: str, due: float, call: Callable[[], Any]) -> None:
        """Have ``call`` called at this time or before: to come too early costs less than to move a timer each time."""
        running = self._calls.get(name)
        if running is None or running.getTime() > due:
            self.start(name, due - self._clock.seconds(), call)

    def stop(self, name: str) -> None:
        """Stop a timer; harmless when it does not run."""
        running = self._calls.pop(name, None)
        if running is not None:
            running.cancel()

    def _fire(self, name: str, call: Callable[[], Any]) -> None:
        del self._calls[name]
        call()
