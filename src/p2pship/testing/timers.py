"""Delayed calls that end together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Timers:
    """The delayed calls of one thing, so that none outlives it."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._calls: set[Any] = set()

    def later(self, delay: float, call: Callable[[], None]) -> Any:
        """Call once after so many seconds; returns what :meth:`cancel` takes."""

        def run() -> None:
            self._calls.discard(delayed)
            call()

        delayed = self._clock.callLater(delay, run)
        self._calls.add(delayed)
        return delayed

    def cancel(self, *calls: Any) -> None:
        """Cancel calls; harmless when they are over or None."""
        for delayed in calls:
            if delayed in self._calls:
                self._calls.discard(delayed)
                delayed.cancel()

    def cancel_all(self) -> None:
        """Cancel every call."""
        self.cancel(*self._calls.copy())
