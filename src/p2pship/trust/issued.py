"""What our own authorities have issued and revoked, the lists they were told, and whom we trust: the tables of authorities."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.storage.database import Database, Schema

SCHEMA = Schema(
    "authority",
    (
        """CREATE TABLE authority_trusted (
            root BLOB NOT NULL, domain TEXT NOT NULL, certificate BLOB NOT NULL, since INTEGER NOT NULL,
            PRIMARY KEY (root, domain)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE authority_list (
            issuer BLOB PRIMARY KEY, number TEXT NOT NULL, signer BLOB NOT NULL, list BLOB NOT NULL)
            STRICT, WITHOUT ROWID""",
        """CREATE TABLE authority_issued (
            place INTEGER PRIMARY KEY, root BLOB NOT NULL, serial TEXT NOT NULL, aor TEXT NOT NULL,
            identity_key BLOB NOT NULL, issued INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER NOT NULL,
            UNIQUE (root, serial)) STRICT""",
        "CREATE INDEX authority_issued_by_aor ON authority_issued (root, aor)",
    ),
)
"""Roots and issuers are known by the SHA-256 of their keys, identity keys as well. Serial and list numbers have up to 20 octets
(RFC 5280 §4.1.2.2, §5.2.3) and are kept in hexadecimal. ``signer`` is the certificate that proves the list. ``revoked`` is when,
0 if it was not."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that an authority of ours has issued."""

    serial: int
    aor: str
    "the canonical AOR"
    key: bytes
    "the SHA-256 of the identity key"
    issued: int
    "Unix time"
    expires: int
    "Unix time"
    revoked: int
    "when it was revoked, Unix time; 0 if it was not"

    def holds(self, now: float) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return not self.revoked and self.expires > now


class IssuedCertificates:
    """The register of one authority of ours."""

    def __init__(self, database: Database, root: bytes) -> None:
        self._database = database
        self._root = root

    def add(self, one: Issued) -> None:
        """Keep what is about to be handed out: no certificate leaves that could not be revoked.

        Of what is kept already, by a backup's leave, only that it was revoked is news.
        """
        row = (f"{one.serial:x}", one.aor, one.key, one.issued, one.expires, one.revoked)
        self._database.write(
            "INSERT INTO authority_issued VALUES (NULL, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root, serial) DO UPDATE"
            " SET revoked = excluded.revoked WHERE revoked = 0",
            self._root,
            *row,
        )

    def all(self, aor: str = "") -> list[Issued]:
        """Return what was issued, oldest first; for one canonical AOR if it is named."""
        rows = self._database.query(
            "SELECT serial, aor, identity_key, issued, expires, revoked FROM authority_issued"
            " WHERE root = ? AND (? = '' OR aor = ?) ORDER BY place",
            self._root,
            aor,
            aor,
        )
        return [Issued(int(serial, 16), *rest) for serial, *rest in rows]

    def revoke(self, serial: int, now: float) -> None:
        """Mark one as revoked for good."""
        self._database.write(
            "UPDATE authority_issued SET revoked = ? WHERE root = ? AND serial = ? AND revoked = 0",
            int(now),
            self._root,
            f"{serial:x}",
        )
