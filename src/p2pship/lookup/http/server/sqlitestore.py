"""Slots in a file of SQLite, for a server on one machine: puts are decided and written in its thread, and answered when they are on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from p2pship.errors import ConfigError
from p2pship.lookup.http.server.batchedfile import BatchedFile
from p2pship.lookup.http.server.followers import Followers
from p2pship.lookup.http.server.shelf import MOST_SWEPT, SCHEMA, Shelf, salt_of
from p2pship.lookup.http.server.store import (
    OWNER_LENGTH,
    Change,
    Follower,
    IRendezvousStore,
    Kept,
    Outcome,
    Put,
    Quotas,
)
from p2pship.lookup.http.wire import MOST_SLOTS
from p2pship.storage.database import StorageFailed

_LISTED = "SELECT printed FROM rendezvous_slot WHERE lookup_key = ? AND withdrawn = 0 AND expiry > ? ORDER BY id LIMIT ?"
_ONE = "SELECT printed FROM rendezvous_slot WHERE lookup_key = ? AND publication_key = ? AND expiry > ?"


@implementer(IRendezvousStore)
class SQLiteStore:
    """Slots in the file ``path``; ``:memory:`` keeps them until it stops."""

    def __init__(
        self, reactor: Any, path: Path | str, quotas: Quotas, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._quotas = quotas
        self._random = random
        self._followers = Followers()
        self._shelf = Shelf(b"", quotas)
        self._file = BatchedFile(reactor, path, SCHEMA, lambda: self._shelf.recount())

    def start(self) -> Deferred[None]:
        """Open the file; fails with ConfigError if it cannot be used."""
        try:
            salt = salt_of(self._file.open(), self._random(OWNER_LENGTH))
        except (ConfigError, StorageFailed) as error:
            return fail(error)
        self._shelf = Shelf(salt, self._quotas)
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """Write what waits, and close the file."""
        return self._file.close()

    def put(self, put: Put) -> Deferred[Kept]:
        """Keep a slot; fires when it is on the disk."""
        kept: Deferred[Kept] = Deferred()  # its own: who asked may be gone before followers are to be told
        self._file.write(partial(self._shelf.put, put)).addCallback(self._put, put).chainDeferred(kept)
        return kept

    def _put(self, kept: Kept, put: Put) -> Kept:
        if kept.outcome is Outcome.STORED:
            change = Change(put.slot.publication_key, put.printed, kept.listed)
            self._followers.tell(put.slot.lookup_key, change)
        return kept

    def listed(self, lookup_key: bytes, now: float) -> Deferred[Sequence[bytes]]:
        """Fire with the listed slots."""
        rows = self._file.query(_LISTED, lookup_key, now, MOST_SLOTS)
        return rows.addCallback(lambda found: [printed for (printed,) in found])

    def one(self, lookup_key: bytes, publication_key: bytes, now: float) -> Deferred[bytes | None]:
        """Fire with one slot."""
        rows = self._file.query(_ONE, lookup_key, publication_key, now)
        return rows.addCallback(lambda found: found[0][0] if found else None)

    def follow(self, lookup_key: bytes, follower: Follower) -> Deferred[Callable[[], None]]:
        """Tell a follower every change."""
        return succeed(self._followers.add(lookup_key, follower))

    def sweep(self, now: float) -> Deferred[int]:
        """Forget what has expired, in parts between which puts have their turn."""
        return Deferred.fromCoroutine(self._sweep(now))

    async def _sweep(self, now: float) -> int:
        swept = 0
        while True:
            part: int = await self._file.write(partial(self._shelf.sweep, now))
            swept += part
            if part < MOST_SWEPT:
                return swept

    def held(self) -> Deferred[int]:
        """Fire with how many slots are kept, by way of the thread that writes them."""
        return self._file.write(self._shelf.held)
