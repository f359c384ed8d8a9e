"""What is remembered of people: how far their statements and records had come, so that no older one is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from p2pship.errors import BadPapers
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.statement import host_identity_hash
from p2pship.storage.database import Database, Schema

SCHEMA = Schema(
    "identity",
    (
        """CREATE TABLE identity_person (
            aor TEXT NOT NULL, identity_key BLOB NOT NULL, version INTEGER NOT NULL,
            PRIMARY KEY (aor, identity_key)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE identity_device (
            identity_key BLOB NOT NULL, device BLOB NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (identity_key, device)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE identity_revoked (
            identity_key BLOB NOT NULL, device BLOB NOT NULL,
            PRIMARY KEY (identity_key, device)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE identity_published (
            identity_key BLOB NOT NULL, device BLOB NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (identity_key, device)) STRICT, WITHOUT ROWID""",
        "CREATE TABLE identity_encrypted (hit BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
        """CREATE TABLE identity_seen (
            aor TEXT NOT NULL, identity_key BLOB NOT NULL, seen INTEGER NOT NULL, kept INTEGER NOT NULL,
            PRIMARY KEY (aor, identity_key)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX identity_by_seen ON identity_seen (kept, seen)",
        "INSERT INTO identity_seen SELECT aor, identity_key, 0, 1 FROM identity_person",
        "CREATE INDEX identity_by_key ON identity_person (identity_key)",
        """CREATE TABLE identity_listed (
            identity_key BLOB NOT NULL, device BLOB NOT NULL,
            PRIMARY KEY (identity_key, device)) STRICT, WITHOUT ROWID""",
        "ALTER TABLE identity_listed ADD COLUMN publication_key BLOB NOT NULL DEFAULT x''",
    ),
)
"""Keys are kept as the SHA-256 of their SubjectPublicKeyInfo. ``identity_listed`` has the devices of the newest statement that
was seen of a key: one that was switched off when that was signed still shows an older one;
``publication_key`` is where to ask for its record, empty where an earlier version saw the statement. ``identity_encrypted`` has the devices that were reached
encrypted, each by its HIT. ``identity_seen`` says when each person last came, and who is kept whatever happens."""

MOST_STRANGERS = 5000
"""People who only ever came by themselves: 2 MB. Those who came least recently are forgotten, which costs no more than that
an old record or statement of theirs, itself not valid for long, could be believed once more."""

FORGOTTEN_AT_ONCE = 100
"Strangers forgotten together: counting and forgetting is done once for so many hellos."

MOST_KEYS = 16
"""Identity keys remembered of one name, those of people we looked for before others: a contact may have a new one at each hello, signed
by the last one."""

MOST_OF_KEY = 256
"Devices, and revoked ones, remembered of one identity key: 16 times what a statement lists."

MOST_ASKED = 16
"Publication keys of one name that are given to search by: as many as a statement lists devices."

MOST_MARKS = 100_000
"""Devices that are remembered to have been reached encrypted: 3 MB. None is ever forgotten for another, or a crowd of
made-up devices could make us talk to a friend in the clear; when there are as many, all devices count as marked."""


class People:
    """The people met, and what was last published of our own. Versions and sequences count within one identity key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._came = 0
        self._marks: int = database.query("SELECT count(*) FROM identity_encrypted")[0][0]

    def check(self, papers: Papers) -> None:
        """Raise BadPapers if newer ones of the same identity key do not list the device, or have revoked it.

        A device with an older statement that the newest one still lists is let in, or one that was switched off for a while
        would be cut off; what else the older statement says is not believed. Of the records only newer ones are.
        """
        key, device = _digests(papers)
        if not self._is_listed(key, device):
            self._check_version(papers.statement, key)
        if self._is_revoked(key, device):
            raise BadPapers(f"{papers.aor} has revoked the device")
        seen = self._sequence(key, device)
        if papers.record.sequence < seen:
            raise BadPapers(
                f"the record of {papers.aor} has sequence number {papers.record.sequence}, but {seen} was seen"
            )

    def accept(self, papers: Papers, now: float = 0.0, keep: bool = True) -> None:
        """Remember papers that a hello has proven, at the Unix time ``now``; raises what :meth:`check` does.

        Who is not to be kept, as no search of ours was for them, is forgotten when too many others have come since.
        """
        self.check(papers)
        if self._known(papers, keep):
            return
        key, device = _digests(papers)
        with self._database.transaction():
            self._database.write(
                "INSERT OR REPLACE INTO identity_device VALUES (?, ?, ?)", key, device, papers.record.sequence
            )
            self._state(key, papers.statement)
            self._seen(papers.aor, key, now, keep)

    def accept_statement(self, statement: Statement, now: float, keep: bool) -> None:
        """Remember a newer statement that came without a record, as :meth:`accept` does.

        :raises BadPapers: if a higher version of the same identity key was seen before.
        """
        key = hashlib.sha256(statement.key).digest()
        self._check_version(statement, key)
        with self._database.transaction():
            self._state(key, statement)
            self._seen(statement.aor, key, now, keep)

    def _state(self, key: bytes, statement: Statement) -> None:
        """Remember what a statement says, unless a newer one has been seen; revoked devices in any case."""
        if statement.version >= self._version(statement.aor, key):
            self._database.write(
                "INSERT OR REPLACE INTO identity_person VALUES (?, ?, ?)",
                statement.aor,
                key,
                statement.version,
            )
            self._database.write("DELETE FROM identity_listed WHERE identity_key = ?", key)
            for device in statement.devices:
                self._database.write(
                    "INSERT OR IGNORE INTO identity_listed VALUES (?, ?, ?)",
                    key,
                    device.host_identity_hash,
                    device.publication_key,
                )
        self._revoke(key, statement)

    def _is_listed(self, key: bytes, device: bytes) -> bool:
        """Tell whether the newest statement that was seen lists a device."""
        sql = "SELECT 1 FROM identity_listed WHERE identity_key = ? AND device = ?"
        return bool(self._database.query(sql, key, device))

    def _is_revoked(self, key: bytes, device: bytes) -> bool:
        sql = "SELECT 1 FROM identity_revoked WHERE identity_key = ? AND device = ?"
        return bool(self._database.query(sql, key, device))

    def _check_version(self, statement: Statement, key: bytes) -> None:
        seen = self._version(statement.aor, key)
        if statement.version < seen:
            raise BadPapers(
                f"the statement of {statement.aor} has version {statement.version}, but {seen} was seen"
            )

    def _revoke(self, key: bytes, statement: Statement) -> None:
        """Remember revoked devices; of one key only what its newest statement says, when that has been too much."""
        for revoked in statement.revoked:
            self._database.write("INSERT OR IGNORE INTO identity_revoked VALUES (?, ?)", key, revoked)
        listed = [device.host_identity_hash for device in statement.devices]
        for table, known in (("identity_revoked", statement.revoked), ("identity_device", listed)):
            if self._number(f"SELECT count(*) FROM {table} WHERE identity_key = ?", key) > MOST_OF_KEY:
                marks = ", ".join("?" * len(known))
                sql = f"DELETE FROM {table} WHERE identity_key = ? AND device NOT IN ({marks})"
                self._database.write(sql, key, *known)

    def _seen(self, aor: str, key: bytes, now: float, keep: bool) -> None:
        self._database.write(
            "INSERT INTO identity_seen VALUES (?, ?, ?, ?) ON CONFLICT (aor, identity_key) "
            "DO UPDATE SET seen = excluded.seen, kept = max(kept, excluded.kept)",
            aor,
            key,
            int(now),
            int(keep),
        )
        surplus = self._database.query(
            "SELECT identity_key FROM identity_seen WHERE aor = ? AND identity_key != ? "
            "ORDER BY kept DESC, seen DESC LIMIT -1 OFFSET ?",
            aor,
            key,
            MOST_KEYS - 1,
        )
        self._forget((aor, other) for (other,) in surplus)
        self._came += not keep
        if self._came >= FORGOTTEN_AT_ONCE:
            self._came = 0
            self._forget_strangers()

    def _forget_strangers(self) -> None:
        """Forget those who came least recently, where there are too many."""
        gone = self._database.query(
            "SELECT aor, identity_key FROM identity_seen WHERE kept = 0 ORDER BY seen DESC LIMIT -1 OFFSET ?",
            MOST_STRANGERS,
        )
        self._forget(gone)

    def _forget(self, gone: Iterable[Any]) -> None:
        """Forget names with one key each, and of keys that no name has any more all."""
        for aor, key in gone:
            for table in ("identity_seen", "identity_person"):
                self._database.write(f"DELETE FROM {table} WHERE aor = ? AND identity_key = ?", aor, key)
            if not self._database.query("SELECT 1 FROM identity_person WHERE identity_key = ? LIMIT 1", key):
                for table in ("identity_device", "identity_revoked", "identity_listed"):
                    self._database.write(f"DELETE FROM {table} WHERE identity_key = ?", key)

    def lists(self, identity_key: bytes, device_key: bytes) -> bool:
        """Tell whether the newest statement that was seen of a key lists a device, and none has revoked it."""
        key, device = hashlib.sha256(identity_key).digest(), host_identity_hash(device_key)
        return self._is_listed(key, device) and not self._is_revoked(key, device)

    def publication_keys(self, aor: str) -> list[bytes]:
        """Return the publication keys of devices that the newest statements of an AOR list, those we looked for first."""
        rows = self._database.query(
            "SELECT DISTINCT publication_key FROM identity_listed JOIN identity_seen USING (identity_key) "
            "WHERE aor = ? AND publication_key != x'' AND NOT EXISTS (SELECT 1 FROM identity_revoked AS gone "
            "WHERE gone.identity_key = identity_listed.identity_key AND gone.device = identity_listed.device) "
            "ORDER BY kept DESC, seen DESC LIMIT ?",
            aor,
            MOST_ASKED,
        )
        return [key for (key,) in rows]

    def met(self, aor: str) -> bool:
        """Tell whether papers of this AOR were ever accepted."""
        return bool(self._database.query("SELECT 1 FROM identity_person WHERE aor = ? LIMIT 1", aor))

    def mark_encrypted(self, hit: bytes) -> None:
        """Remember for good that a device was reached encrypted; no more than 100,000 are."""
        if not self.must_be_encrypted(hit):
            self._database.write("INSERT INTO identity_encrypted VALUES (?)", hit)
            self._marks += 1

    def must_be_encrypted(self, hit: bytes) -> bool:
        """Tell whether a device was ever reached encrypted, or so many were that no more can be remembered."""
        if self._marks >= MOST_MARKS:
            return True
        return bool(self._database.query("SELECT 1 FROM identity_encrypted WHERE hit = ?", hit))

    def next_sequence(self, identity_key: bytes, device_key: bytes, now: float) -> int:
        """Return the sequence number of the next record of one of our own; it is kept, and never returned again.

        It is the Unix time in milliseconds, or one more than the last if that is higher.
        """
        key, device = hashlib.sha256(identity_key).digest(), host_identity_hash(device_key)
        last = self._number(
            "SELECT sequence FROM identity_published WHERE identity_key = ? AND device = ?", key, device
        )
        sequence = max(last + 1, int(now * 1000))
        self._database.write(
            "INSERT OR REPLACE INTO identity_published VALUES (?, ?, ?)", key, device, sequence
        )
        return sequence

    def _known(self, papers: Papers, keep: bool) -> bool:
        """Tell whether these very papers were accepted before, and nothing is to change: most hellos need no write."""
        key, device = _digests(papers)
        kept = self._number(
            "SELECT kept FROM identity_seen WHERE aor = ? AND identity_key = ?", papers.aor, key
        )
        new = papers.statement.version > self._version(papers.aor, key)
        same = not new and self._sequence(key, device) == papers.record.sequence
        return same and kept >= keep

    def _version(self, aor: str, key: bytes) -> int:
        return self._number(
            "SELECT version FROM identity_person WHERE aor = ? AND identity_key = ?", aor, key
        )

    def _sequence(self, key: bytes, device: bytes) -> int:
        return self._number(
            "SELECT sequence FROM identity_device WHERE identity_key = ? AND device = ?", key, device
        )

    def _number(self, sql: str, *parameters: object) -> int:
        rows = self._database.query(sql, *parameters)
        return rows[0][0] if rows else -1


def _digests(papers: Papers) -> tuple[bytes, bytes]:
    return hashlib.sha256(papers.statement.key).digest(), host_identity_hash(papers.record.device_key)
