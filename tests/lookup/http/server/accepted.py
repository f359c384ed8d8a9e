"""Puts under load: what was accepted, to be looked for after a crash."""

from __future__ import annotations

import time
from collections.abc import Sequence

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.web.client import ResponseFailed, ResponseNeverReceived

from p2pship.lookup.http.wire import SignedSlot, slot_path
from tests.lookup.http.publishers import Publisher, lookup_key
from tests.lookup.http.server.browsing import Browser

LOST = (ConnectError, ConnectionClosed, ResponseFailed, ResponseNeverReceived)


class Putters:
    """Several publishers that put one slot after the other, as fast as they are answered."""

    def __init__(self, browsers: Sequence[Browser], number: int = 8) -> None:
        """Each goes to one of the servers, and to the next one when that is gone."""
        self._browsers = list(browsers)
        self._publishers = [Publisher(1000 + each) for each in range(number)]
        self._going_on = True
        self._number = 0
        self.accepted: list[SignedSlot] = []
        "what was answered with 200"
        self._waiting: list[tuple[int, Deferred[None]]] = []

    def begin(self) -> Deferred[list[None]]:
        """Put until :meth:`end`, or until no server is left; fires when all have ended."""
        return gatherResults([Deferred.fromCoroutine(self._put_all(each)) for each in self._publishers])

    def end(self) -> None:
        """Put no more."""
        self._going_on = False

    def when_accepted(self, number: int) -> Deferred[None]:
        """Return a Deferred that fires when so many more were accepted."""
        done: Deferred[None] = Deferred()
        self._waiting.append((len(self.accepted) + number, done))
        return done

    async def missing(self, browser: Browser) -> list[SignedSlot]:
        """Return what was accepted and is not there, nor anything newer."""
        return [slot for slot in self.accepted if not await self._is_there(browser, slot)]

    async def _is_there(self, browser: Browser, slot: SignedSlot) -> bool:
        found = await browser.ask(slot_path(slot.lookup_key, slot.publication_key))
        return found.status == 200 and found.body == slot.print()

    async def _put_all(self, publisher: Publisher) -> None:
        browsers = list(self._browsers)
        while self._going_on and browsers:
            self._number += 1
            slot = publisher.signed(now=time.time(), lookup=lookup_key(self._number))
            try:
                put = await browsers[0].put(slot)
            except LOST:
                browsers.pop(0)
                continue
            if put.status == 200:
                self._accept(slot)

    def _accept(self, slot: SignedSlot) -> None:
        self.accepted.append(slot)
        while self._waiting and len(self.accepted) >= self._waiting[0][0]:
            self._waiting.pop(0)[1].callback(None)
