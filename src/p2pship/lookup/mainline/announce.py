"""Announces one infohash after another: libtorrent drops most of what it is to announce at one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EACH = 0.2
"Seconds from one announcement to the next: one takes some 30 datagrams, 3 kB in all, of the 64 kB that the DHT may send in a second."

REPEATED = (15.0, 45.0)
"""Seconds after the first announcement, and the first elsewhere, at which it is made again. Nobody says whether one worked; a node that has just
begun knows few others, and where datagrams are lost, most of what it says then may be for nothing."""


class Announcements:
    """What is to be announced."""

    def __init__(self, reactor: Any, announce: Callable[[bytes], object]) -> None:
        self._reactor = reactor
        self._announce = announce
        self._waiting: dict[bytes, None] = {}
        self._timer: Any = None
        self._repeats: dict[bytes, list[Any]] = {}

    def add(self, infohash: bytes) -> None:
        """Announce an infohash, at once if nothing was announced just now; if it is the first time, some times more."""
        if infohash not in self._repeats:
            self._repeats[infohash] = [
                self._reactor.callLater(seconds, self._queue, infohash) for seconds in REPEATED
            ]
        self._queue(infohash)

    def moved(self) -> None:
        """Take the next announcement of each infohash for the first: our addresses have changed."""
        for infohash in tuple(self._repeats):
            self._forget(infohash)

    def drop(self, infohash: bytes) -> None:
        """Announce an infohash no more; harmless if it is not waiting."""
        self._waiting.pop(infohash, None)
        self._forget(infohash)

    def stop(self) -> None:
        """Announce nothing more."""
        self._waiting.clear()
        self.moved()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _queue(self, infohash: bytes) -> None:
        self._waiting[infohash] = None
        if self._timer is None:
            self._next()

    def _forget(self, infohash: bytes) -> None:
        for timer in self._repeats.pop(infohash, ()):
            if timer.active():
                timer.cancel()

    def _next(self) -> None:
        self._timer = None
        if self._waiting:
            infohash = next(iter(self._waiting))
            del self._waiting[infohash]
            self._timer = self._reactor.callLater(EACH, self._next)
            self._announce(infohash)
