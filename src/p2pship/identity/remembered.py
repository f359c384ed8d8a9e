"""What a keyring remembers of the people whom its node met."""

from __future__ import annotations

from collections.abc import Sequence

from p2pship.errors import BadPapers
from p2pship.identity.identities import OwnIdentities
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.people import People
from p2pship.identity.statement import host_identity_hash
from p2pship.identity.verify import listing
from p2pship.storage.database import Database


class Remembered:
    """The part of :class:`~p2pship.interfaces.IKeyring` that is about others."""

    def __init__(self, database: Database, own: OwnIdentities) -> None:
        self._people = People(database)
        self._own = own

    def accept(self, papers: Papers, now: float, keep: bool) -> None:
        """Remember a person's papers, once a hello has proven them."""
        self._check_own(papers)
        self._people.accept(papers, now, keep)

    def accept_statement(self, statement: Statement, now: float, keep: bool) -> None:
        """Remember a person's newer statement that came without a record."""
        self._people.accept_statement(statement, now, keep)

    def check(self, papers: Papers) -> None:
        """Raise what :meth:`accept` would, and remember nothing."""
        self._check_own(papers)
        self._people.check(papers)

    def _check_own(self, papers: Papers) -> None:
        """Check a device that comes by the name and key of one of our own: our own statement may be what takes it out."""
        own = self._own.any(papers.aor)
        if own is None or own.key != papers.statement.key:
            return
        newest = own.newest
        older = papers.statement.version < newest.version
        listed = listing(newest, papers.record.device_key)
        if host_identity_hash(papers.record.device_key) in newest.revoked or (older and listed is None):
            raise BadPapers(f"our own statement of {papers.aor} does not list the device any more")

    def lists(self, key: bytes, device_key: bytes) -> bool:
        """Tell whether the newest statement that was remembered of an identity key lists a device, and none has revoked it."""
        return self._people.lists(key, device_key)

    def publication_keys(self, aor: str) -> Sequence[bytes]:
        """Return those under which devices of a canonical AOR publish, at most 16."""
        return self._people.publication_keys(aor)

    def met(self, aor: str) -> bool:
        """Tell whether a hello of a device of this AOR was ever accepted."""
        return self._people.met(aor)

    def mark_encrypted(self, hit: bytes) -> None:
        """Remember for good that a hello of a device was accepted over an encrypted link."""
        self._people.mark_encrypted(hit)

    def must_be_encrypted(self, hit: bytes) -> bool:
        """Tell whether a device may only be talked to over encrypted links."""
        return self._people.must_be_encrypted(hit)
