"""Very many slots in one server's file."""

from __future__ import annotations

import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from p2pship.lookup.http.server.sqlitestore import SQLiteStore
from p2pship.lookup.http.server.store import Outcome, Put, Quotas
from tests.lookup.http.publishers import LIFETIME, NOW, Publisher, lookup_key
from tests.scale import scaled

MANY = scaled(3000, 100_000)

AT_ONCE = 1000


class ManyTests(TestCase):
    """Slots by the thousand: 100,000 in the long form."""

    timeout = 600

    async def test_many(self) -> None:
        """Each is found, a question costs no more with many than with few, and all are forgotten when they expire."""
        store, publisher = SQLiteStore(reactor, Path(self.mktemp()), Quotas(MANY, MANY)), Publisher()
        await store.start()
        self.addCleanup(store.stop)
        few = 0.0
        for first in range(0, MANY, AT_ONCE):
            slots = [publisher.signed(lookup=lookup_key(first + number)) for number in range(AT_ONCE)]
            puts = [store.put(Put(slot, slot.print(), "192.0.2.1", NOW)) for slot in slots]
            kept = await gatherResults(puts)
            self.assertEqual({each.outcome for each in kept}, {Outcome.STORED})
            few = few or await self.asked(store, AT_ONCE, AT_ONCE)
        many = await self.asked(store, MANY, AT_ONCE)
        self.assertLess(
            many, 20 * few + 0.1
        )  # it grows with the logarithm; looking at every slot would be 100 times
        self.assertEqual(await store.sweep(NOW + LIFETIME), MANY)
        self.assertEqual(await store.held(), 0)

    async def asked(self, store: SQLiteStore, slots: int, questions: int) -> float:
        """Ask for slots spread over all that there are, and return the seconds that it took."""
        began = time.process_time()
        for number in range(questions):
            key = lookup_key(number * slots // questions)
            self.assertEqual(len(await store.listed(key, NOW)), 1)
        return time.process_time() - began
