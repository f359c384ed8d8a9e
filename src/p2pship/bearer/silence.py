"""Notices that nothing has come over a link for a while, with one timer however many packets come."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

STALL_TIME = 5.0
"Seconds without an octet until a watched link counts as stalled: the overlay pings more often than that."


class SilenceWatch:
    """Calls ``stalled`` once for each time that nothing was heard for 5 s while watching."""

    def __init__(self, clock: IReactorTime, stalled: Callable[[], None]) -> None:
        self._clock = clock
        self._stalled = stalled
        self._heard_at = 0.0
        self._watching = False
        self._timer: IDelayedCall | None = None

    def watch(self, closely: bool) -> None:
        """Begin to watch, or end it; a silence counts from the beginning of the watch."""
        if closely == self._watching:
            return
        self._watching = closely
        if closely:
            self.heard()
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self) -> None:
        """Note that something came."""
        if not self._watching:
            return
        self._heard_at = self._clock.seconds()
        if self._timer is None:
            self._timer = self._clock.callLater(STALL_TIME, self._look)

    def _look(self) -> None:
        left = self._heard_at + STALL_TIME - self._clock.seconds()
        if left > 0:
            self._timer = self._clock.callLater(left, self._look)
            return
        self._timer = None
        self._stalled()
