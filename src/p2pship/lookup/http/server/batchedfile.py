"""A file of SQLite that is written in a thread, all that waits in one transaction, and read without one.

What is asked is answered from memory that SQLite and the system keep: that takes less than handing it over to a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from p2pship.errors import ConfigError
from p2pship.lookup.http.server.batches import Batches
from p2pship.lookup.http.server.store import StoreFailed
from p2pship.storage.database import Database, Schema, StorageFailed

Work = Callable[[Database], Any]
"Something done with the file, in the thread, within a transaction; its result is what was asked for."


class BatchedFile:
    """The file ``path``; ``:memory:`` is kept until it is closed. Deferreds fail with StoreFailed."""

    def __init__(
        self, reactor: Any, path: Path | str, schema: Schema, undone: Callable[[], None] = lambda: None
    ) -> None:
        """``undone`` is called, in the thread, when what was done there last was not written."""
        self._path = path
        self._schema = schema
        self._undone = undone
        self._database: Database | None = None
        self._behind: Database | None = None
        self._batches: Batches[Work, Any] = Batches(reactor, self._in_thread, self._do)

    def open(self) -> Database:
        """Open the file, and return it for what is to be done before anything else.

        :raises ConfigError: if it cannot be used.
        """
        try:
            self._database = Database(self._path, [self._schema])
        except StorageFailed as error:
            raise ConfigError(str(error)) from None
        return self._database

    def close(self) -> Deferred[None]:
        """Write what waits, and close the file."""
        return self._batches.when_idle().addCallback(lambda _: self._close())

    def write(self, work: Work) -> Deferred[Any]:
        """Have something done; fires with its result when it is on the disk."""
        if self._database is None:
            return fail(StoreFailed("the store is closed"))
        return self._batches.add(work)

    def query(self, sql: str, *parameters: Any) -> Deferred[list[tuple[Any, ...]]]:
        """Fire with the rows that a SELECT finds."""
        if self._database is None:
            return fail(StoreFailed("the store is closed"))
        try:
            return succeed(self._database.query(sql, *parameters))
        except StorageFailed as error:
            return fail(StoreFailed(str(error)))

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _in_thread(self, call: Callable[[], None]) -> Future[None]:
        assert self._database is not None  # it is closed only when nothing waits

        def work(behind: Database) -> None:
            self._behind = behind
            call()

        return self._database.behind(work)

    # In the thread.

    def _do(self, batch: Sequence[Work]) -> list[Any]:
        assert self._behind is not None
        try:
            with self._behind.transaction():
                return [work(self._behind) for work in batch]
        except BaseException:
            self._undone()
            raise
