"""Announces one infohash after another: libtorrent drops most of what it is to announce at one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EACH = 0.2
"Seconds from one announcement to the next: one takes some 30 datagrams, 3 kB in all, of the 64 kB that the DHT may send in a second."


class Announcements:
    """What is to be announced, each infohash once."""

    def __init__(self, reactor: Any, announce: Callable[[bytes], object]) -> None:
        self._reactor = reactor
        self._announce = announce
        self._waiting: dict[bytes, None] = {}
        self._timer: Any = None

    def add(self, infohash: bytes) -> None:
        """Announce an infohash, at once if nothing was announced just now."""
        self._waiting[infohash] = None
        if self._timer is None:
            self._next()

    def drop(self, infohash: bytes) -> None:
        """Announce an infohash no more; harmless if it is not waiting."""
        self._waiting.pop(infohash, None)

    def stop(self) -> None:
        """Announce nothing more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        self._timer = None
        if self._waiting:
            infohash = next(iter(self._waiting))
            del self._waiting[infohash]
            self._timer = self._reactor.callLater(EACH, self._next)
            self._announce(infohash)
