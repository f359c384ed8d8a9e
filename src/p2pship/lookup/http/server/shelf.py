"""What a thread does with the slots in a file of SQLite: decide puts and write them, and forget what has expired."""

from __future__ import annotations

from collections import Counter

from p2pship.lookup.http.server.places import share
from p2pship.lookup.http.server.store import (
    Before,
    Kept,
    Outcome,
    Put,
    Quotas,
    is_listed,
    owner_of,
    refusal,
)
from p2pship.lookup.http.wire import MOST_SLOTS
from p2pship.storage.database import Database, Schema

SCHEMA = Schema(
    "rendezvous",
    (
        """CREATE TABLE rendezvous_slot (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            lookup_key BLOB NOT NULL,
            publication_key BLOB NOT NULL,
            sequence INTEGER NOT NULL,
            expiry INTEGER NOT NULL,
            withdrawn INTEGER NOT NULL,
            owner BLOB NOT NULL,
            printed BLOB NOT NULL,
            UNIQUE (lookup_key, publication_key)
        ) STRICT""",
        "CREATE INDEX rendezvous_standing ON rendezvous_slot (lookup_key, withdrawn, id)",
        "CREATE INDEX rendezvous_expiry ON rendezvous_slot (expiry, owner)",
        "CREATE TABLE rendezvous_salt (salt BLOB NOT NULL) STRICT",
    ),
)
"The id of a row is the order of standing: it stays when the slot changes or is withdrawn, and goes when it expires."

MOST_SWEPT = 1000
"Slots forgotten in one transaction, in some 20 ms, so that puts need not wait longer."

_INSERT = (
    "INSERT INTO rendezvous_slot (lookup_key, publication_key, sequence, expiry, withdrawn, owner, printed) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = "UPDATE rendezvous_slot SET sequence = ?, expiry = ?, withdrawn = ?, printed = ? WHERE id = ?"
_OLDER = """SELECT COUNT(*) FROM
    (SELECT 1 FROM rendezvous_slot WHERE lookup_key = ? AND withdrawn = 0 AND expiry > ? AND id < ? LIMIT ?)"""


class Shelf:
    """The slots of one file, in the thread that writes it."""

    def __init__(self, salt: bytes, quotas: Quotas) -> None:
        self._salt = salt
        self._quotas = quotas
        self._census: Counter[bytes] | None = None
        "how many slots each owner has; None until it is counted"
        self._held = 0

    def recount(self) -> None:
        """Hear that what was done last was not written, so that the count may be wrong."""
        self._census = None

    def put(self, put: Put, database: Database) -> Kept:
        """Decide about a put, and write it if it is to be stored."""
        slot = put.slot
        rows = database.query(
            "SELECT id, expiry, sequence, withdrawn, printed FROM rendezvous_slot WHERE lookup_key = ? AND publication_key = ?",
            slot.lookup_key,
            slot.publication_key,
        )
        if rows and rows[0][1] <= put.now:
            self._forget(rows[0][0], database)
            rows = []
        before = Before(rows[0][2], bool(rows[0][3]), rows[0][4]) if rows else None
        refused = refusal(before, put)
        if refused is not None:
            return refused
        return self._replace(put, rows[0][0], database) if rows else self._insert(put, database)

    def sweep(self, now: float, database: Database) -> int:
        """Forget up to 1,000 slots that have expired, and return how many."""
        rows = database.query(
            "SELECT id, owner FROM rendezvous_slot WHERE expiry <= ? ORDER BY expiry LIMIT ?", now, MOST_SWEPT
        )
        database.write_all("DELETE FROM rendezvous_slot WHERE id = ?", [(row[0],) for row in rows])
        self._discount(Counter(row[1] for row in rows))
        return len(rows)

    def held(self, database: Database) -> int:
        """Return how many slots there are."""
        self._counted(database)
        return self._held

    def _insert(self, put: Put, database: Database) -> Kept:
        census, slot = self._counted(database), put.slot
        owner = owner_of(self._salt, put.source)
        if self._held >= self._quotas.slots:
            return Kept(Outcome.FULL)
        if census[owner] >= share(self._quotas.slots, self._quotas.each, self._held):
            return Kept(Outcome.QUOTA)
        database.write(
            _INSERT,
            slot.lookup_key,
            slot.publication_key,
            slot.sequence,
            slot.expiry,
            int(slot.withdrawn),
            owner,
            put.printed,
        )
        census[owner] += 1
        self._held += 1
        (row,) = database.query("SELECT last_insert_rowid()")
        return self._stored(put, row[0], database)

    def _replace(self, put: Put, row: int, database: Database) -> Kept:
        slot = put.slot
        database.write(_UPDATE, slot.sequence, slot.expiry, int(slot.withdrawn), put.printed, row)
        return self._stored(put, row, database)

    def _stored(self, put: Put, row: int, database: Database) -> Kept:
        older = database.query(_OLDER, put.slot.lookup_key, put.now, row, MOST_SLOTS)[0][0]
        return Kept(Outcome.STORED, is_listed(older), put.slot.sequence)

    def _forget(self, row: int, database: Database) -> None:
        """Forget one slot that has expired and has not been swept yet."""
        owners = database.query("SELECT owner FROM rendezvous_slot WHERE id = ?", row)
        database.write("DELETE FROM rendezvous_slot WHERE id = ?", row)
        self._discount(Counter(owner for (owner,) in owners))

    def _counted(self, database: Database) -> Counter[bytes]:
        if self._census is None:
            rows = database.query("SELECT owner, COUNT(*) FROM rendezvous_slot GROUP BY owner")
            self._census = Counter(dict(rows))
            self._held = self._census.total()
        return self._census

    def _discount(self, gone: Counter[bytes]) -> None:
        """Count fewer slots, unless they will be counted from the file anyway."""
        if self._census is not None:
            self._census -= gone
            self._held -= gone.total()


def salt_of(database: Database, new: bytes) -> bytes:
    """Return the salt by which owners are hashed; ``new`` becomes it if there is none yet."""
    with database.transaction():
        rows = database.query("SELECT salt FROM rendezvous_salt")
        if not rows:
            database.write("INSERT INTO rendezvous_salt VALUES (?)", new)
            return new
        salt: bytes = rows[0][0]
        return salt
