"""The names that were removed from this node: a phone that goes on registering does not bring one back."""

from __future__ import annotations

from p2pship.storage.database import Database, Schema

SCHEMA = Schema("removed", ("CREATE TABLE removed_name (aor TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",))


class RemovedNames:
    """Remembers them in the database, until somebody makes the name again on purpose."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __contains__(self, aor: str) -> bool:
        return bool(self._database.query("SELECT 1 FROM removed_name WHERE aor = ?", aor))

    def add(self, aor: str) -> None:
        """Remember a canonical AOR."""
        self._database.write("INSERT OR IGNORE INTO removed_name VALUES (?)", aor)

    def discard(self, aor: str) -> None:
        """Forget it; harmless if it is not remembered."""
        if aor in self:
            self._database.write("DELETE FROM removed_name WHERE aor = ?", aor)
