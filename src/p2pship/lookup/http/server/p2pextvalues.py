"""Values of the original p2pship, by name: whoever knows a name can put some there, and take back those whose secret they have."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from p2pship.errors import ConfigError
from p2pship.lookup.http.server.batchedfile import BatchedFile
from p2pship.lookup.http.server.places import share
from p2pship.lookup.http.server.store import Outcome, Quotas, owner_of
from p2pship.lookup.http.wire import MOST_SLOTS
from p2pship.storage.database import Database, Schema

MOST_VALUES = MOST_SLOTS
"Values under one name: whoever has been there longest stays."

_SCHEMA = Schema(
    "p2pext",
    (
        """CREATE TABLE p2pext_value (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name BLOB NOT NULL,
            secret BLOB NOT NULL,
            data BLOB NOT NULL,
            expiry INTEGER NOT NULL,
            owner BLOB NOT NULL,
            UNIQUE (name, secret)
        ) STRICT""",
        "CREATE INDEX p2pext_expiry ON p2pext_value (expiry)",
        "CREATE INDEX p2pext_owner ON p2pext_value (owner)",
    ),
)

_COUNTS = """SELECT COUNT(*), (SELECT COUNT(*) FROM p2pext_value WHERE owner = ?),
    (SELECT COUNT(*) FROM p2pext_value WHERE name = ?) FROM p2pext_value"""


@dataclass(frozen=True, slots=True)
class Value:
    """What is to be put."""

    name: bytes
    secret: bytes
    "what allows to replace it and take it back"
    data: bytes
    expiry: int
    "Unix time"
    source: str
    "the address that it came from, or the network that counts as one"


class P2PEXTValues:
    """Values in the file ``path``."""

    def __init__(self, reactor: Any, path: Path | str, quotas: Quotas, salt: bytes) -> None:
        """``salt`` hashes the addresses that are counted; those of a run before count as others."""
        self._quotas = quotas
        self._salt = salt
        self._file = BatchedFile(reactor, path, _SCHEMA)

    def start(self) -> Deferred[None]:
        """Open the file; fails with ConfigError if it cannot be used."""
        try:
            self._file.open()
        except ConfigError as error:
            return fail(error)
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """Write what waits, and close the file."""
        return self._file.close()

    def put(self, value: Value, now: float) -> Deferred[Outcome]:
        """Keep a value, in place of the one with the same secret; fires with STORED, QUOTA or FULL."""
        return self._file.write(partial(self._put, value, now))

    def remove(self, name: bytes, secret: bytes) -> Deferred[None]:
        """Take back the value with this secret, if there is one."""
        where = "DELETE FROM p2pext_value WHERE name = ? AND secret = ?"
        return self._file.write(lambda database: database.write(where, name, _hashed(secret)))

    def get(self, name: bytes, entry: int, now: float) -> Deferred[bytes | None]:
        """Fire with one of the values, counted from 0, longest-standing first; None if there are fewer."""
        sql = "SELECT data FROM p2pext_value WHERE name = ? AND expiry > ? ORDER BY id LIMIT 1 OFFSET ?"
        return self._file.query(sql, name, now, entry).addCallback(lambda rows: rows[0][0] if rows else None)

    def _put(self, value: Value, now: float, database: Database) -> Outcome:
        database.write("DELETE FROM p2pext_value WHERE expiry <= ?", now)
        own, owner = (value.name, _hashed(value.secret)), owner_of(self._salt, value.source)
        known = database.query("SELECT id FROM p2pext_value WHERE name = ? AND secret = ?", *own)
        if known:
            sql = "UPDATE p2pext_value SET data = ?, expiry = ? WHERE id = ?"
            database.write(sql, value.data, value.expiry, known[0][0])
            return Outcome.STORED
        full = self._full(value.name, owner, database)
        if full is None:
            sql = "INSERT INTO p2pext_value (name, secret, data, expiry, owner) VALUES (?, ?, ?, ?, ?)"
            database.write(sql, *own, value.data, value.expiry, owner)
        return full or Outcome.STORED

    def _full(self, name: bytes, owner: bytes, database: Database) -> Outcome | None:
        ((held, mine, here),) = database.query(_COUNTS, owner, name)
        if held >= self._quotas.slots or here >= MOST_VALUES:
            return Outcome.FULL
        return Outcome.QUOTA if mine >= share(self._quotas.slots, self._quotas.each, held) else None


def _hashed(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
