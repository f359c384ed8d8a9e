"""What is remembered of people: how far their statements and records had come, so that no older one is believed."""

from __future__ import annotations

import hashlib

from p2pship.errors import BadPapers
from p2pship.identity.papers import Papers
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
    ),
)
"Keys are kept as the SHA-256 of their SubjectPublicKeyInfo."


class People:
    """The people met, and what was last published of our own. Versions and sequences count within one identity key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, papers: Papers) -> None:
        """Raise BadPapers if newer ones of the same identity key were accepted, or it has revoked the device."""
        key, device = _digests(papers)
        seen = self._number(
            "SELECT version FROM identity_person WHERE aor = ? AND identity_key = ?", papers.aor, key
        )
        if papers.statement.version < seen:
            raise BadPapers(
                f"the statement of {papers.aor} has version {papers.statement.version}, but {seen} was seen"
            )
        if self._database.query(
            "SELECT 1 FROM identity_revoked WHERE identity_key = ? AND device = ?", key, device
        ):
            raise BadPapers(f"{papers.aor} has revoked the device")
        seen = self._sequence(key, device)
        if papers.record.sequence < seen:
            raise BadPapers(
                f"the record of {papers.aor} has sequence number {papers.record.sequence}, but {seen} was seen"
            )

    def accept(self, papers: Papers) -> None:
        """Remember papers that a hello has proven; raises what :meth:`check` does."""
        self.check(papers)
        if self._known(papers):
            return
        key, device = _digests(papers)
        statement = papers.statement
        with self._database.transaction():
            self._database.write(
                "INSERT OR REPLACE INTO identity_person VALUES (?, ?, ?)", papers.aor, key, statement.version
            )
            self._database.write(
                "INSERT OR REPLACE INTO identity_device VALUES (?, ?, ?)", key, device, papers.record.sequence
            )
            for revoked in statement.revoked:
                self._database.write("INSERT OR IGNORE INTO identity_revoked VALUES (?, ?)", key, revoked)

    def met(self, aor: str) -> bool:
        """Tell whether papers of this AOR were ever accepted."""
        return bool(self._database.query("SELECT 1 FROM identity_person WHERE aor = ? LIMIT 1", aor))

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

    def _known(self, papers: Papers) -> bool:
        """Tell whether these very papers were accepted before: most hellos need no write."""
        key, device = _digests(papers)
        version = self._number(
            "SELECT version FROM identity_person WHERE aor = ? AND identity_key = ?", papers.aor, key
        )
        return version == papers.statement.version and self._sequence(key, device) == papers.record.sequence

    def _sequence(self, key: bytes, device: bytes) -> int:
        return self._number(
            "SELECT sequence FROM identity_device WHERE identity_key = ? AND device = ?", key, device
        )

    def _number(self, sql: str, *parameters: object) -> int:
        rows = self._database.query(sql, *parameters)
        return rows[0][0] if rows else -1


def _digests(papers: Papers) -> tuple[bytes, bytes]:
    return hashlib.sha256(papers.statement.key).digest(), host_identity_hash(papers.record.device_key)
