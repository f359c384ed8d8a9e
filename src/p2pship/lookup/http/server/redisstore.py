"""Slots in a Redis server, for several front ends, on as many machines, over one store.

What a front end is asked to put while it waits for Redis goes there in one pipeline; Redis itself answers when its append-only
file is on the disk, if it is configured so, and one that is not is refused: what it confirms may be lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail
from zope.interface import implementer

from p2pship.errors import ConfigError
from p2pship.lookup.http.server import redisscripts as scripts
from p2pship.lookup.http.server.batches import Batches
from p2pship.lookup.http.server.followers import Followers
from p2pship.lookup.http.server.redisnews import RedisNews
from p2pship.lookup.http.server.store import (
    OWNER_LENGTH,
    Change,
    Follower,
    IRendezvousStore,
    Kept,
    Outcome,
    Put,
    Quotas,
    StoreFailed,
    owner_of,
)
from p2pship.lookup.http.wire import KEY_LENGTH

NAMESPACE = b"p2pship:1:"
"What the name of every key and channel begins with, with a version of how they are used."

NEEDED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}
"How a Redis server must be configured that loses nothing it has confirmed, and forgets nothing for want of memory."

PATIENCE = 5.0
"Seconds to wait for the server, which may be reading its file after a restart."

SCRIPTS = (scripts.PUT, scripts.LISTED, scripts.ONE, scripts.SWEEP, scripts.HELD)

_Call = tuple[str, tuple[bytes, ...]]
"A script and its arguments after the namespace."


@implementer(IRendezvousStore)
class RedisStore:
    """Slots in the Redis server of a URL."""

    def __init__(
        self,
        reactor: Any,
        url: str,
        quotas: Quotas,
        random: Callable[[int], bytes] = os.urandom,
        *,
        careless: bool = False,
    ) -> None:
        """``careless`` takes a server that may lose what it confirms.

        :raises ImportError: if the package ``redis`` is not installed.
        """
        import redis

        self._gone = redis.RedisError
        self._unknown = redis.exceptions.NoScriptError
        self._reactor = reactor
        self._client = redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        self._url = url
        self._careless = careless
        self._quotas = quotas
        self._random = random
        self._salt = b""
        self._followers = Followers()
        base = NAMESPACE + b"c:"
        self._news = RedisNews(
            reactor, self._client, redis.RedisError, base, self._heard, self._followers.tell_missed
        )
        self._writing, self._reading = ThreadPoolExecutor(1, "redis puts"), ThreadPoolExecutor(1, "redis")
        self._puts: Batches[_Call, Any] = Batches(reactor, self._writing.submit, self._do)
        self._questions: Batches[_Call, Any] = Batches(reactor, self._reading.submit, self._do)
        self._hashes: dict[str, Any] = {}
        self._open = False

    def start(self) -> Deferred[None]:
        """Look whether the server can be used as it must, and begin; fails with ConfigError if it cannot."""
        return self._in_thread(self._prepare).addCallback(lambda _: self._begin())

    def _begin(self) -> None:
        self._open = True
        self._news.start()

    def stop(self) -> Deferred[None]:
        """Finish what was begun, and close the connections."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        was_open, self._open = self._open, False
        if was_open:
            await self._puts.when_idle()
            await self._questions.when_idle()
            await self._news.stop()
        self._writing.shutdown()
        self._reading.shutdown()
        self._client.close()

    def put(self, put: Put) -> Deferred[Kept]:
        """Keep a slot; fires when Redis has confirmed it."""
        slot = put.slot
        arguments = (
            slot.lookup_key,
            slot.publication_key,
            _number(put.now),
            _number(slot.sequence),
            _number(slot.expiry),
            b"1" if slot.withdrawn else b"0",
            owner_of(self._salt, put.source),
            put.printed,
            b"%d" % self._quotas.slots,
            b"%d" % self._quotas.each,
        )
        return self._call(self._puts, scripts.PUT, *arguments).addCallback(_kept)

    def listed(self, lookup_key: bytes, now: float) -> Deferred[Sequence[bytes]]:
        """Fire with the listed slots."""
        return self._call(self._questions, scripts.LISTED, lookup_key, _number(now))

    def one(self, lookup_key: bytes, publication_key: bytes, now: float) -> Deferred[bytes | None]:
        """Fire with one slot."""
        return self._call(self._questions, scripts.ONE, lookup_key, publication_key, _number(now))

    def follow(self, lookup_key: bytes, follower: Follower) -> Deferred[Callable[[], None]]:
        """Tell a follower every change, also those that other front ends make."""
        return Deferred.fromCoroutine(self._follow(lookup_key, follower))

    async def _follow(self, lookup_key: bytes, follower: Follower) -> Callable[[], None]:
        channel = _channel(lookup_key)
        unfollow = self._followers.add(lookup_key, follower)

        def end() -> None:
            unfollow()
            if lookup_key not in self._followers:
                self._news.leave(channel)

        try:
            await self._news.listen(channel).addTimeout(PATIENCE, self._reactor)
        except TimeoutError:
            end()
            raise StoreFailed("Redis does not answer") from None
        except BaseException:  # whoever asked is gone
            end()
            raise
        return end

    def sweep(self, now: float) -> Deferred[int]:
        """Forget what has expired; every front end may do so."""
        return Deferred.fromCoroutine(self._sweep(now))

    async def _sweep(self, now: float) -> int:
        swept = 0
        while True:
            part: int = await self._call(self._puts, scripts.SWEEP, _number(now))
            swept += part
            if not part:
                return swept

    def held(self) -> Deferred[int]:
        """Fire with how many slots are kept."""
        return self._call(self._puts, scripts.HELD)

    def _call(self, batches: Batches[_Call, Any], script: str, *arguments: bytes) -> Deferred[Any]:
        if not self._open:
            return fail(StoreFailed("the store is closed"))
        return batches.add((script, arguments)).addCallback(_checked)

    def _heard(self, channel: bytes, data: bytes) -> None:
        lookup_key, listed, rest = channel[len(_channel(b"")) :], data[:1] == b"1", data[1:]
        self._followers.tell(lookup_key, Change(rest[:KEY_LENGTH], rest[KEY_LENGTH:], listed))

    # In the threads.

    def _do(self, batch: Sequence[_Call]) -> list[Any]:
        """Have Redis do everything, in one round trip; the result of what it refuses is the error.

        It knows the scripts by their hashes, unless it is another one or was started anew: then nothing was done, and it is looked at
        again.
        """
        try:
            results = self._execute(batch)
            if any(isinstance(result, self._unknown) for result in results):
                self._meet()
                results = self._execute(batch)
        except self._gone as error:
            raise StoreFailed(f"Redis: {error}") from error
        return results

    def _execute(self, batch: Sequence[_Call]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for script, arguments in batch:
            pipeline.evalsha(self._hashes[script], 0, NAMESPACE, *arguments)
        results: list[Any] = pipeline.execute(raise_on_error=False)
        return results

    def _prepare(self) -> None:
        try:
            self._meet()
        except self._gone as error:
            raise ConfigError(f"the Redis server {_shown(self._url)} cannot be used: {error}") from None

    def _meet(self) -> None:
        """Look whether the server is as it must be, and tell it what it has to know; raises ConfigError if it is not."""
        wrong = [] if self._careless else self._wrong()
        if wrong:
            raise ConfigError(
                f"the Redis server {_shown(self._url)} may lose what it confirms: set {', '.join(wrong)} there, or careless = "
                "true here if that shall be so"
            )
        # A server that was started anew with nothing gets the one that this and the other front ends have.
        salt = self._salt or self._random(OWNER_LENGTH)
        self._client.set(NAMESPACE + b"salt", salt, nx=True)
        kept: Any = self._client.get(NAMESPACE + b"salt")
        self._salt = kept
        self._hashes = {script: self._client.script_load(script) for script in SCRIPTS}

    def _wrong(self) -> list[str]:
        found = {name: self._client.config_get(name).get(name) for name in NEEDED}
        return [f"{name} {value}" for name, value in NEEDED.items() if found[name] != value]

    def _in_thread(self, call: Callable[[], None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()

        def tell(future: Future[None]) -> None:
            error = future.exception()
            done.callback(None) if error is None else done.errback(error)

        self._writing.submit(call).add_done_callback(
            lambda future: self._reactor.callFromThread(tell, future)
        )
        return done


def _kept(result: Any) -> Kept:
    outcome, listed, sequence = result
    return Kept(Outcome(outcome.decode("ascii")), listed == 1, int(sequence))


def _checked(result: Any) -> Any:
    if isinstance(result, Exception):
        raise StoreFailed(f"Redis: {result}")
    return result


def _channel(lookup_key: bytes) -> bytes:
    return NAMESPACE + b"c:" + lookup_key


def _number(value: float) -> bytes:
    return b"%0*d" % (scripts.DIGITS, int(value))


def _shown(url: str) -> str:
    """Return a URL without the password that may be in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
