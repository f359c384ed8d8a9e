"""Says something again and again, because a datagram may be lost, until it is answered or its time is over."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

HANDSHAKE_TIME = 5.0
"Seconds from the first knock to a proven key, and from there to a sign that the other side has the closing."

FIRST_WAIT = 0.25
"Seconds until what was not answered is said again: most round trips are shorter, and a call waits for this one."

LONGER = 1.25
"""What each wait is longer than the last. Nine knocks fit into 5 s: RFC 6298 would have three, and be given up before a third of
lost datagrams has let it through. They are 200 octets each, to one address, and end."""


class Repetition:
    """Says something again and again, ever more slowly, until it is stopped or its time is over."""

    def __init__(self, clock: IReactorTime, say: Callable[[], None], over: Callable[[], None]) -> None:
        self._clock = clock
        self._say = say
        self._over = over
        self._ends_at = clock.seconds() + HANDSHAKE_TIME
        self._wait = FIRST_WAIT
        self._timer: IDelayedCall | None = None

    def begin(self) -> None:
        """Say it now; also when it has been said before, to begin with short waits again."""
        self.stop()
        self._wait = FIRST_WAIT
        self._again()

    def stop(self) -> None:
        """Say it no more; harmless when repeated."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _again(self) -> None:
        left = self._ends_at - self._clock.seconds()
        if left <= 0:
            self._timer = None
            self._over()
            return
        self._timer = self._clock.callLater(min(left, self._wait), self._again)
        self._wait *= LONGER
        self._say()
