"""Slots in a real Redis server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import redis
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.trial.unittest import TestCase

from p2pship.errors import ConfigError
from p2pship.lookup.http.server.redisstore import RedisStore
from p2pship.lookup.http.server.store import Change, Outcome, Quotas, StoreFailed
from tests.lookup.http.publishers import LOOKUP_KEY, NOW, Publisher
from tests.lookup.http.server.contract import QUOTAS, StoreContract
from tests.lookup.http.server.redisserver import RedisServer
from tests.scale import scaled

PUSHED = 0.2
"Seconds within which a change is to be pushed, also from another front end."


class RedisCase(TestCase):
    """Tests with a Redis server of their own."""

    async def redis(self, **options: str) -> RedisServer:
        """Start a server that ends with the test."""
        server = RedisServer(reactor, Path(self.mktemp()), **options)
        await server.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(server.kill()))
        return server

    async def front_end(self, server: RedisServer, quotas: Quotas = QUOTAS) -> RedisStore:
        """Return an open store, which is closed after the test."""
        store = RedisStore(reactor, server.url, quotas)
        self.addCleanup(store.stop)
        await store.start()
        return store


class DurabilityTests(RedisCase):
    """A server that may lose something."""

    async def refused(self, **options: str) -> str:
        """Return why a server that is configured so is refused."""
        store = RedisStore(reactor, (await self.redis(**options)).url, QUOTAS)
        self.addCleanup(store.stop)
        starting: Deferred[Any] = store.start()
        error = await self.assertFailure(starting, ConfigError)
        return str(error)

    async def test_refused(self) -> None:
        """One that does not write before it confirms, or forgets when memory is short, is refused, with what to set."""
        self.assertIn("appendfsync always", await self.refused(appendfsync="everysec"))
        self.assertIn("appendonly yes", await self.refused(appendonly="no"))
        text = await self.refused(no_appendfsync_on_rewrite="yes")
        self.assertIn("no-appendfsync-on-rewrite no", text)
        text = await self.refused(maxmemory="100mb", maxmemory_policy="allkeys-lru")
        self.assertIn("maxmemory-policy noeviction", text)

    async def test_careless(self) -> None:
        """It is taken by who says that it shall be so."""
        server = await self.redis(appendonly="no")
        store = RedisStore(reactor, server.url, QUOTAS, careless=True)
        self.addCleanup(store.stop)
        await store.start()
        self.assertEqual(await store.held(), 0)

    async def test_absent(self) -> None:
        """That no server is there is said, without the password of the URL."""
        store = RedisStore(reactor, "redis://:secret@127.0.0.1:9/0", QUOTAS)
        self.addCleanup(store.stop)
        starting: Deferred[Any] = store.start()
        error = await self.assertFailure(starting, ConfigError)
        self.assertIn("redis://127.0.0.1:9/0", str(error))
        self.assertNotIn("secret", str(error))


class FrontEndTests(StoreContract, RedisCase):
    """One or several front ends over one server."""

    reactor = reactor

    async def opened(self) -> RedisStore:
        return await self.front_end(await self.redis())

    async def test_shared(self) -> None:
        """A slot that was put at one is found at the other, and decided on as if both were one."""
        server = await self.redis()
        one, other = await self.front_end(server), await self.front_end(server)
        publisher = Publisher()
        newer = publisher.signed(now=NOW + 1)
        self.assertIs(await self.outcome(one, newer), Outcome.STORED)
        self.assertEqual(await other.listed(LOOKUP_KEY, NOW), [newer.print()])
        self.assertIs(await self.outcome(other, publisher.signed()), Outcome.STALE)
        for number in range(QUOTAS.each - 1):
            await self.put(one, Publisher(number + 1).signed())
        self.assertIs(await self.outcome(other, Publisher(99).signed()), Outcome.QUOTA)

    async def test_pushed(self) -> None:
        """Who follows at one hears at once what is put at the other."""
        server = await self.redis()
        one, other = await self.front_end(server), await self.front_end(server)
        heard: DeferredQueue[Change | None] = DeferredQueue()
        await other.follow(LOOKUP_KEY, heard.put)
        took = []
        for number in range(5):
            slot, began = Publisher(number).signed(), time.monotonic()
            await self.put(one, slot)
            change = await heard.get().addTimeout(10, reactor)
            took.append(time.monotonic() - began)
            self.assertEqual(change, Change(slot.publication_key, slot.print(), True))
        self.assertLess(min(took), PUSHED)

    async def test_followed_again(self) -> None:
        """Who follows just when another one has ended misses nothing, however often that happens."""
        server = await self.redis()
        one, other = await self.front_end(server), await self.front_end(server)
        for number in range(scaled(10, 100)):
            heard: Deferred[Change | None] = Deferred()
            leaving = Deferred.fromCoroutine(self.left(other))
            following = other.follow(LOOKUP_KEY, heard.callback)
            await leaving
            end = await following
            await self.put(one, Publisher().signed(now=NOW + number))
            await heard.addTimeout(10, reactor)
            end()

    async def left(self, store: RedisStore) -> None:
        """Follow, and end it at once."""
        end = await store.follow(LOOKUP_KEY, lambda change: None)
        end()

    async def test_killed(self) -> None:
        """When the server is killed puts fail; when it is back they work, all is there, and followers are told to ask again."""
        server = await self.redis()
        store = await self.front_end(server)
        slot = Publisher().signed()
        told: list[Change | None] = []
        again: Deferred[None] = Deferred()

        def follower(change: Change | None) -> None:
            told.append(change)
            if change is None and not again.called:
                again.callback(None)

        await store.follow(LOOKUP_KEY, follower)
        await self.put(store, slot)
        await server.kill()
        await self.assertFailure(Deferred.fromCoroutine(self.put(store, Publisher(2).signed())), StoreFailed)
        await server.start()
        await again.addTimeout(30, reactor)
        self.assertEqual(await store.listed(LOOKUP_KEY, NOW), [slot.print()])
        self.assertIs(await self.outcome(store, slot), Outcome.REPEATED)

    async def test_started_anew(self) -> None:
        """One that comes back empty is used as before, and counts as before; not when it may now lose what it confirms."""
        server = await self.redis()
        store = await self.front_end(server)
        await server.kill()
        other = RedisServer(reactor, Path(self.mktemp()), appendfsync="everysec")
        other.port = server.port
        await other.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(other.kill()))
        putting = Deferred.fromCoroutine(self.put(store, Publisher().signed()))
        error = await self.assertFailure(putting, StoreFailed)
        self.assertIn("may lose what it confirms: set appendfsync always", str(error))
        redis.Redis.from_url(server.url).config_set("appendfsync", "always")
        for number in range(QUOTAS.each):
            await self.put(store, Publisher(number + 1).signed())
        self.assertIs(await self.outcome(await self.front_end(server), Publisher(99).signed()), Outcome.QUOTA)

    async def test_no_memory(self) -> None:
        """Without memory nothing new is taken, and what is there is told."""
        server = await self.redis()
        store, slot = await self.front_end(server), Publisher().signed()
        await self.put(store, slot)
        redis.Redis.from_url(server.url).config_set("maxmemory", 1)
        putting = Deferred.fromCoroutine(self.put(store, Publisher(2).signed()))
        await self.assertFailure(putting, StoreFailed)
        self.assertEqual(await store.listed(LOOKUP_KEY, NOW), [slot.print()])
