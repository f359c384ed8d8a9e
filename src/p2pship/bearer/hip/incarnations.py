"""Which association with a host is the newest: what is older than it, and comes late, must not take its place.

RFC 7401 §6.9 (steps 4, 7) leaves it to the Responder how it tells. Here #I of a puzzle covers the number of the association that stood when
it was given out (:mod:`p2pship.bearer.hip.r1pool`).
"""

from __future__ import annotations

from collections import deque

from p2pship.bearer.hip.r1pool import LIFETIME_SECONDS


class Incarnations:
    """The number of the newest association with each host, known for as long after its end as a puzzle of its time lasts."""

    def __init__(self) -> None:
        self._last = 0
        self._numbers: dict[bytes, int] = {}
        self._gone: deque[tuple[float, bytes, int]] = deque()

    def number(self, peer: bytes) -> int:
        """Return the number of the newest association with a host; 0 if none is known."""
        return self._numbers.get(peer, 0)

    def made(self, peer: bytes) -> None:
        """Hear that there is a new association with a host."""
        self._last += 1
        self._numbers[peer] = self._last

    def ended(self, peer: bytes, now: float) -> None:
        """Hear that the newest association with a host has ended."""
        if peer in self._numbers:
            self._gone.append((now, peer, self._numbers[peer]))

    def forget_old(self, now: float) -> None:
        """Forget those whose puzzles have ended, unless there is another association meanwhile."""
        while self._gone and self._gone[0][0] <= now - LIFETIME_SECONDS:
            _, peer, number = self._gone.popleft()
            if self._numbers.get(peer) == number:
                del self._numbers[peer]

    @property
    def waits(self) -> bool:
        """Whether :meth:`forget_old` will have something to forget."""
        return bool(self._gone)
