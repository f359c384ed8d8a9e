"""Reaches peers again whose link was lost while something was under way."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, repeat

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import HelloRefused, RemoteError
from p2pship.overlay.peer import Peer

PAUSES = (0.2, 0.5, 1.0, 2.0)
LONGEST_PAUSE = 4.0
"Seconds between attempts; the longest one is repeated. A phone that changes networks is back within one or two."

CALL_SECONDS = 60.0
"Seconds for which a peer with a call is dialled again: people say 'hello? hello?' for no longer."

SENDER_SECONDS = 32.0
"Seconds for which a peer with something to send is dialled again: the 64·T1 that SIP waits for (RFC 3261 §17.1.2.2)."


MOST_UNINVITED = 8
"""Strangers who came by themselves that are searched for and dialled at a time: any address may be in the record of one, and some hundred packets go
there. Whoever waits meanwhile may come again by itself, as it has before."""


class Redial:
    """Tries each lost peer again and again until it has a link, or its time is up and it is over."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, reach: Callable[[Peer], Deferred[None]]) -> None:
        """Try with ``reach``, which gets a peer a link or fails with a RemoteError."""
        self._reactor = reactor
        self._reach = reach
        self._under_way: dict[Peer, Deferred[None]] = {}
        self._uninvited = 0

    def begin(self, peer: Peer) -> None:
        """Reach a peer again; harmless while that is under way."""
        if peer in self._under_way:
            return
        work = self._under_way[peer] = Deferred.fromCoroutine(self._again(peer))
        work.addErrback(self._broke, peer).addBoth(self._done, peer)

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds, lambda: None)

    def _broke(self, failure: Failure, peer: Peer) -> None:
        if failure.check(CancelledError):
            return
        self.log.failure("a peer could not be reached again", failure)
        peer.end("this node failed to reach it again")

    def _done(self, _: None, peer: Peer) -> None:
        self._under_way.pop(peer, None)
        if peer.berth is None and peer.wants_link and not peer.over:
            self.begin(peer)

    async def _again(self, peer: Peer) -> None:
        await self._pause(0)
        began = self._reactor.seconds()
        for pause in chain(PAUSES, repeat(LONGEST_PAUSE)):
            if await self._reached(peer) or not peer.wants_link:
                return
            left = began + (CALL_SECONDS if peer.watched else SENDER_SECONDS) - self._reactor.seconds()
            if left <= 0:
                peer.end("it could not be reached again")
                return
            await self._pause(min(pause, left))

    async def _reached(self, peer: Peer) -> bool:
        """Try once; tell whether there is nothing more to try."""
        if peer.over or peer.berth is not None:
            return True
        uninvited = peer.uninvited
        if uninvited and self._uninvited >= MOST_UNINVITED:
            return False
        self._uninvited += uninvited
        try:
            await self._reach(peer)
        except HelloRefused:
            peer.end("the other node refused us")
            return True
        except RemoteError:
            return False
        finally:
            self._uninvited -= uninvited
        return peer.berth is not None

    def ended(self, peer: Peer) -> None:
        """Stop trying: the peer is over."""
        work = self._under_way.get(peer)
        if work is not None:
            self._reactor.callLater(0, work.cancel)
