"""What changes in a Redis server, whichever front end changed it: a thread that listens to its channels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from threading import Event, Thread
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from p2pship.lookup.http.server.store import StoreFailed

WAIT = 0.05
"Seconds that the thread listens before it looks whether there is another channel to listen to."

SILENCE = 10.0
"""Seconds without a word after which the server is asked for one, and after twice as many the connection is made anew: from a machine
that is gone nothing comes, not even the end of the connection."""

AGAIN = 1.0
"Seconds until it tries again to reach a server that is gone."

MOST_ORDERS = 50_000
"""Orders that wait for the server, 10 MB, before nobody else can listen. When a front end is restarted all its subscribers come at
once, with two orders each; more only wait while the server is gone."""


class RedisNews:
    """Tells what is published on channels."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        client: Any,
        gone: type[Exception],
        base: bytes,
        heard: Callable[[bytes, bytes], None],
        missed: Callable[[], None],
    ) -> None:
        """``client`` is a redis.Redis, and ``gone`` the class of what it raises when there is no connection.

        ``base`` is a channel where nothing is published: that it is joined again tells of a new connection. ``heard`` is told a
        channel and a message, ``missed`` that messages may have been missed.
        """
        self._reactor = reactor
        self._gone = gone
        self._base = base
        self._heard = heard
        self._missed = missed
        self._pubsub = client.pubsub()
        self._orders: deque[tuple[Callable[..., Any], bytes]] = deque()
        self._waiting: dict[bytes, Deferred[None]] = {}
        "by the words that Redis is asked to say when it has done all that it was told before"
        self._words = count()
        self._channels: set[bytes] = set()
        self._joined = False
        self._heard_at, self._asked = monotonic(), False
        self._stopping = Event()
        self._stopped: Deferred[None] = Deferred()

    def start(self) -> None:
        """Begin."""
        self._orders.append((self._pubsub.subscribe, self._base))
        Thread(target=self._run, name="redis news", daemon=True).start()

    def stop(self) -> Deferred[None]:
        """End; fires when the connection is closed."""
        self._stopping.set()
        return self._stopped

    def listen(self, channel: bytes) -> Deferred[None]:
        """Listen to a channel; fires when everything that is published there from now on will be told.

        Fails with StoreFailed if too much waits; it may never fire while the server is gone.
        """
        if len(self._orders) >= MOST_ORDERS:
            return fail(StoreFailed("too much is waiting for Redis"))
        if channel not in self._channels:
            self._channels.add(channel)
            self._orders.append((self._pubsub.subscribe, channel))
        word = b"%d" % next(self._words)

        def given_up(_: object) -> None:
            del self._waiting[word]

        done = self._waiting[word] = Deferred(given_up)
        self._orders.append((self._pubsub.ping, word))
        return done

    def leave(self, channel: bytes) -> None:
        """Listen to a channel no longer; harmless if nobody did."""
        if channel in self._channels:
            self._channels.discard(channel)
            self._orders.append((self._pubsub.unsubscribe, channel))

    def _told(self, kind: str, channel: bytes, data: bytes) -> None:
        if kind == "message":
            self._heard(channel, data)
        elif kind == "subscribe" and channel == self._base:
            if self._joined:  # the connection is a new one
                self._missed()
            self._joined = True
        elif kind == "pong" and data in self._waiting:
            self._waiting.pop(data).callback(None)

    # In the thread.

    def _run(self) -> None:
        try:
            self._listen()
        finally:  # whatever happened, whoever stops waits for this
            self._pubsub.close()
            self._reactor.callFromThread(self._stopped.callback, None)

    def _listen(self) -> None:
        said = False
        while not self._stopping.is_set():
            try:
                self._turn()
                said = False
            except self._gone as error:
                if not said:
                    self.log.error("no news from Redis: {error}; it is tried again", error=error)
                said = True
                self._stopping.wait(AGAIN)

    def _turn(self) -> None:
        while self._orders:
            order, channel = self._orders[0]
            order(channel)
            self._orders.popleft()  # only now: what failed is done when there is a connection again
        message = self._pubsub.get_message(timeout=WAIT)
        if message is None:
            self._watch()
            return
        self._heard_at, self._asked = monotonic(), False
        kind, channel, data = message["type"], message["channel"], message["data"]
        self._reactor.callFromThread(self._told, kind, channel, data)

    def _watch(self) -> None:
        silent = monotonic() - self._heard_at
        if silent > 2 * SILENCE:
            self._heard_at, self._asked = monotonic(), False
            self._pubsub.connection.disconnect()  # at the next turn it joins again
        elif silent > SILENCE and not self._asked:
            self._asked = True
            self._orders.append((self._pubsub.ping, b"alive"))
