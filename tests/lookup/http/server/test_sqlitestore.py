"""Slots in a file of SQLite."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import ANY

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from p2pship.errors import ConfigError
from p2pship.lookup.http.server.sqlitestore import SQLiteStore
from p2pship.lookup.http.server.store import IRendezvousStore, Kept, Outcome, Put, Quotas, StoreFailed
from tests.lookup.http.publishers import LOOKUP_KEY, NOW, Publisher, lookup_key
from tests.lookup.http.server.contract import HOME, QUOTAS, StoreContract


class MemoryTests(StoreContract, TestCase):
    """In memory, which SQLite does without a thread."""

    reactor = reactor

    async def opened(self) -> IRendezvousStore:
        store = SQLiteStore(reactor, ":memory:", QUOTAS)
        await store.start()
        self.addCleanup(store.stop)
        return store


class FileTests(StoreContract, TestCase):
    """In a file."""

    reactor = reactor

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    async def opened(self) -> IRendezvousStore:
        store = SQLiteStore(reactor, self.path, QUOTAS)
        await store.start()
        self.addCleanup(store.stop)
        return store

    async def test_opened_again(self) -> None:
        """What was put, its standing, and how much whose it is, are there when the file is opened again."""
        publisher = Publisher()
        store = await self.opened()
        slots = [publisher.signed(lookup=lookup_key(number)) for number in range(QUOTAS.each)]
        await gatherResults([store.put(Put(slot, slot.print(), HOME, NOW)) for slot in slots])
        await store.stop()
        store = await self.opened()
        self.assertEqual(await store.held(), QUOTAS.each)
        self.assertEqual(await store.one(lookup_key(3), publisher.key, NOW), slots[3].print())
        self.assertIs(await self.outcome(store, publisher.signed()), Outcome.QUOTA)

    async def test_what_waits_is_written(self) -> None:
        """To stop waits for puts that wait: each is answered, and in the file."""
        store, publisher = await self.opened(), Publisher()
        slots = [publisher.signed(lookup=lookup_key(number)) for number in range(20)]
        puts = [store.put(Put(slot, slot.print(), HOME, NOW)) for slot in slots]
        await store.stop()
        self.assertEqual([self.successResultOf(put) for put in puts], [Kept(Outcome.STORED, True, ANY)] * 20)

    async def test_closed(self) -> None:
        """A store that is closed says so."""
        store, slot = await self.opened(), Publisher().signed()
        await store.stop()
        self.failureResultOf(store.put(Put(slot, slot.print(), HOME, NOW)), StoreFailed)
        self.failureResultOf(store.listed(LOOKUP_KEY, NOW), StoreFailed)
        self.failureResultOf(store.held(), StoreFailed)

    async def test_no_database(self) -> None:
        """A file that is none is refused in words."""
        self.path.write_bytes(b"not a database, not at all" * 100)
        self.path.chmod(0o600)
        failure = self.failureResultOf(SQLiteStore(reactor, self.path, QUOTAS).start(), ConfigError)
        self.assertIn(str(self.path), failure.getErrorMessage())

    async def test_addresses_are_not_kept(self) -> None:
        """From where something was put cannot be read in the file."""
        store = await self.opened()
        await self.put(store, Publisher().signed(), source="198.51.100.77")
        await store.stop()
        self.assertNotIn(b"198.51.100.77", self.path.read_bytes())

    async def test_disk_full(self) -> None:
        """A put that cannot be written fails, with those that were to be written with it; afterwards the count is right."""
        store = SQLiteStore(reactor, self.path, Quotas(slots=10, each=10))
        await store.start()
        self.addCleanup(store.stop)
        await self.put(store, Publisher().signed())
        database = store._file._database
        assert database is not None
        database.write(
            "CREATE TRIGGER no_room BEFORE INSERT ON rendezvous_slot WHEN NEW.sequence = 7 "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        bad = Put(Publisher(3).signed(now=0.007), b"x", HOME, NOW)
        failing = store.put(bad)
        await self.assertFailure(failing, StoreFailed)
        self.assertEqual(await store.held(), 1)
        self.assertIs(await self.outcome(store, Publisher(4).signed()), Outcome.STORED)
