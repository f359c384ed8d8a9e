"""The newest statement of each identity key that a search has seen: what it no longer lists is not found with an older one."""

from __future__ import annotations

from p2pship.errors import BadPapers
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.verify import listing


class NewestStatements:
    """Compares the papers of one search with each other; the keyring knows only what hellos have proven."""

    def __init__(self) -> None:
        self._newest: dict[bytes, Statement] = {}

    def check(self, papers: Papers) -> None:
        """Remember the statement if it is newer than others of the same key.

        :raises BadPapers: if a newer one does not list the device, or has revoked it.
        """
        statement = papers.statement
        newest = self._newest.setdefault(statement.key, statement)
        if newest.version <= statement.version:
            self._newest[statement.key] = statement
            return
        listed = listing(newest, papers.record.device_key)
        if listed is None or listed.host_identity_hash in newest.revoked:
            raise BadPapers(f"a newer statement of {statement.aor} does not list the device")
