"""What a node does when the clock of its machine is set back, as happens to one that was ahead when it asked another for the time.

Twisted's reactor keeps for each call the time by the clock at which it is due. When that clock is set back by an hour, all calls come an hour late:
nothing is published, nothing times out. So the calls are brought forward by as much. One that is set on needs nothing, as after the machine has slept:
what is due is done.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import Any

from twisted.internet.interfaces import IDelayedCall

LEAST = 2.0
"Seconds of which the clock has to be set back: what is corrected in small steps delays little."


class SteadyCalls:
    """Gives a reactor a clock that sees when it is set back."""

    def __init__(
        self,
        reactor: Any,
        set_back: Callable[[], object],
        unix: Callable[[], float] = time,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        """``set_back`` is called, soon, when it was; ``unix`` is the clock that people set, ``steady`` one that nobody sets."""
        self._reactor = reactor
        self._set_back = set_back
        self._unix = unix
        self._steady = steady
        self._ahead = unix() - steady()
        reactor.seconds = self._seconds

    def _seconds(self) -> float:
        now = self._unix()
        ahead = now - self._steady()
        back, self._ahead = self._ahead - ahead, ahead
        if back > LEAST:
            due = [(call, call.getTime()) for call in self._reactor.getDelayedCalls()]
            # Not now: it may be about to wait for a call, or compare each with what the time was before.
            self._reactor.callFromThread(self._bring_forward, due, back)
        return now

    def _bring_forward(self, due: list[tuple[IDelayedCall, float]], back: float) -> None:
        for call, when in due:
            if call.active() and call.getTime() == when:  # else it was set by the new time since
                call.delay(-back)
        self._set_back()
