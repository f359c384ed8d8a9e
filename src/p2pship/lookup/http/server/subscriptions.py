"""Following a lookup key: slots are pushed as server-sent events (HTML Living Standard §9.2) when they change.

Theory of operation. A subscription begins with the slots that are there, each as an event ``slot``, and an event ``live``. From
then on each change is an event, a tombstone as well. Nothing is missed in between: the store is followed before it is asked, so
that a change may come twice, but not never. Whoever reads too slowly is cut off: it has everything when it comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.web.server import Request
from zope.interface import implementer

from p2pship.lookup.http.server.metrics import Metrics
from p2pship.lookup.http.server.places import Places
from p2pship.lookup.http.server.refusal import no_place
from p2pship.lookup.http.server.store import Change, IRendezvousStore
from p2pship.lookup.http.wire import EVENTS_TYPE, print_event

KEEP_ALIVE = 20.0
"Seconds between two comments to every subscriber: NATs and proxies forget what is silent for 30 s or longer."

LIVE = b"event: live\ndata:\n\n"
_COMMENT = b":\n\n"


@implementer(IPushProducer)
class Subscription:
    """One request that is answered for as long as somebody listens."""

    def __init__(self, request: Request, publication_key: bytes | None, metrics: Metrics) -> None:
        """Push what is listed, or the slot of one publication key."""
        self._request = request
        self._publication_key = publication_key
        self._metrics = metrics
        self._missed: list[Change | None] | None = []
        "what changed before it began; None afterwards"
        self._over = False
        self.ended: Deferred[None] = Deferred()
        "fires when the answer was ended here"

    def begin(self, slots: Sequence[bytes]) -> None:
        """Push the slots that are there, and what has changed since they were asked for."""
        missed, self._missed = self._missed or [], None
        if self._over:
            return
        self._request.setHeader("content-type", EVENTS_TYPE)
        self._request.setHeader("cache-control", "no-cache")
        self._request.setHeader("x-accel-buffering", "no")  # nginx would wait for more
        self._request.registerProducer(self, True)
        self._request.write(b"".join(map(print_event, slots)) + LIVE)
        for change in missed:
            self.changed(change)

    def changed(self, change: Change | None) -> None:
        """Push a change, if it is one of those asked for; end the answer if some were missed, so that it is asked for again."""
        if self._missed is not None:
            self._missed.append(change)
        elif change is None:
            self.close()
        elif self._wants(change) and not self._over:
            self._metrics.events += 1
            self._request.write(print_event(change.slot))

    def keep_alive(self) -> None:
        """Write what says nothing, so that nobody on the way forgets the connection."""
        if self._missed is None and not self._over:
            self._request.write(_COMMENT)

    def end(self) -> None:
        """Write nothing more: the connection is gone."""
        self._over = True

    def close(self) -> None:
        """End the answer, as the server stops."""
        if self._missed is None and not self._over:
            self._over = True
            self._request.unregisterProducer()
            self._request.finish()
            self.ended.callback(None)

    def pauseProducing(self) -> None:
        """Cut off whoever has not read 64 KiB: that is more than the longest list."""
        if not self._over:
            self._over = True
            self._metrics.dropped += 1
            self._request.channel.forceAbortClient()

    def resumeProducing(self) -> None:
        """Go on: nothing was kept back."""

    def stopProducing(self) -> None:
        """Hear that the connection is gone."""
        self._over = True

    def _wants(self, change: Change) -> bool:
        if self._publication_key is None:
            return change.listed
        return change.publication_key == self._publication_key


class Subscriptions:
    """All subscriptions of a server."""

    def __init__(self, reactor: Any, store: IRendezvousStore, places: Places, metrics: Metrics) -> None:
        self._reactor = reactor
        self._store = store
        self._places = places
        self._metrics = metrics
        self._open: set[Subscription] = set()
        self._beat = LoopingCall(self._keep_alive)
        self._beat.clock = reactor
        metrics.gauge("subscriptions", lambda: places.taken)

    def start(self) -> None:
        """Begin to keep connections alive."""
        self._beat.start(KEEP_ALIVE, now=False)

    def stop(self) -> None:
        """End every answer."""
        self._beat.stop()
        for subscription in tuple(self._open):
            subscription.close()

    async def subscribe(
        self, request: Request, lookup_key: bytes, publication_key: bytes | None, source: str
    ) -> None:
        """Answer a request until this is cancelled, because its connection is gone, or the server stops.

        :raises Refused: if there is no place.
        """
        if not self._places.take(source):
            raise no_place()
        subscription = Subscription(request, publication_key, self._metrics)
        self._open.add(subscription)
        unfollow: Callable[[], None] | None = None
        try:
            unfollow = await self._store.follow(lookup_key, subscription.changed)
            subscription.begin(await self._there(lookup_key, publication_key))
            await subscription.ended
        finally:
            subscription.end()
            self._open.discard(subscription)
            self._places.leave(source)
            if unfollow is not None:
                unfollow()

    async def _there(self, lookup_key: bytes, publication_key: bytes | None) -> Sequence[bytes]:
        now = self._reactor.seconds()
        if publication_key is None:
            return await self._store.listed(lookup_key, now)
        slot = await self._store.one(lookup_key, publication_key, now)
        return [] if slot is None else [slot]

    def _keep_alive(self) -> None:
        for subscription in tuple(self._open):
            subscription.keep_alive()
