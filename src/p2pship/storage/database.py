"""One SQLite file for the many small things that must survive a restart.

What :meth:`Database.write` or a :meth:`Database.transaction` has returned from is on the disk: it survives ``kill -9``
and a power failure. That is ``synchronous=FULL``: in WAL mode the default ``NORMAL`` syncs at checkpoints only, so that
a power failure may take back what was promised, such as a stored message or the sequence number of a record. The price
is one fsync a commit (0.3 ms on a small virtual machine, 20 ms on a busy disk), and a node commits a few times a second at
most. What nobody waits for is written by :meth:`Database.behind`, in a thread, so that no packet waits for the disk either.

Each package declares its tables as a :class:`Schema`. ``PRAGMA user_version`` numbers how the file as a whole is
organised; the table ``schema`` says how many steps of each package's schema have been taken, so that packages, and
plug-ins that come and go, need not agree on an order.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from p2pship.errors import ConfigError, LocalError
from p2pship.storage.files import PRIVATE_FILE, check_private

ORGANISATION = 1
"The ``user_version`` of a file organised as the module says."

WAIT = 2.0
"Seconds to wait for somebody who looks into the file with a tool of their own."


_OUT_OF_REACH = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
)
"Errors of SQLite that say nothing about what is in the file (https://sqlite.org/rescode.html)."


class StorageFailed(LocalError):
    """What was to be kept could not be written; the disk may be full."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one package."""

    name: str
    "the package's name, and the beginning of the names of its tables"
    steps: tuple[str, ...]
    "SQL that makes the tables, then what changed them since; steps are added at the end and never edited"


class Database:
    """The file at ``path`` (``:memory:`` for none) with the tables of ``schemas``, for use in one thread.

    :raises ConfigError: if the file cannot be opened, is damaged, may be read by others, or was written by a newer version.
    """

    def __init__(self, path: str | os.PathLike[str], schemas: Iterable[Schema]) -> None:
        self._path = os.fspath(path)
        self._thread: ThreadPoolExecutor | None = None
        self._behind: Database | None = None  # the thread's own
        self._closed = False
        try:
            self._connection = _connect(self._path)
            with _closed_on_error(self._connection):
                self._migrate(schemas)
        except (sqlite3.Error, StorageFailed, OSError) as error:
            raise ConfigError(
                f"the database {self._path} cannot be used: {error}; {_way_out(error)}"
            ) from error

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT.

        :raises StorageFailed: if the file cannot be read.
        """
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot read {self._path}: {error}") from error

    def write(self, sql: str, *parameters: Any) -> None:
        """Carry out one statement, alone or within a transaction; alone, it is on the disk when this returns.

        :raises StorageFailed: if it cannot be written.
        """
        try:
            self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot write {self._path}: {error}") from error

    def write_all(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Carry out one statement for each row of parameters, within a transaction.

        :raises StorageFailed: if one cannot be written.
        """
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot write {self._path}: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all writes of a ``with`` block or, if it raises, none; they are on the disk when it is left.

        :raises StorageFailed: if they cannot be written.
        """
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite itself rolls back when the disk is full
                self._connection.execute("ROLLBACK")
            raise

    def behind(self, work: Callable[[Database], None]) -> Future[None]:
        """Do some work on the file in a thread, one after the other; the future fails with what it raises.

        ``work`` gets a database of the thread's own. One in memory has only one connection: there it is done at once.
        """
        if self._path == ":memory:" or self._closed:
            return _done(work, self)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "database")
        return self._thread.submit(self._do_behind, work)

    def _do_behind(self, work: Callable[[Database], None]) -> None:
        if self._behind is None:
            self._behind = Database(self._path, ())
        work(self._behind)

    def close(self) -> None:
        """Close the file when what was to be done behind is done; harmless when repeated."""
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.submit(self._close_behind)
            thread.shutdown()
        self._connection.close()

    def _close_behind(self) -> None:
        if self._behind is not None:
            self._behind.close()
            self._behind = None

    def _migrate(self, schemas: Iterable[Schema]) -> None:
        organisation = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if organisation > ORGANISATION:
            raise self._too_new()
        with self.transaction():
            self.write(
                "CREATE TABLE IF NOT EXISTS schema (name TEXT PRIMARY KEY, steps INTEGER NOT NULL) STRICT"
            )
            self.write(f"PRAGMA user_version = {ORGANISATION}")
            for schema in schemas:
                self._take_steps(schema)

    def _take_steps(self, schema: Schema) -> None:
        rows = self.query("SELECT steps FROM schema WHERE name = ?", schema.name)
        taken = rows[0][0] if rows else 0
        if taken > len(schema.steps):
            raise self._too_new()
        for step in schema.steps[taken:]:
            self.write(step)
        self.write("INSERT OR REPLACE INTO schema VALUES (?, ?)", schema.name, len(schema.steps))

    def _too_new(self) -> ConfigError:
        return ConfigError(
            f"the database {self._path} was written by a newer version of p2pship; run that version, "
            "or move the file away to begin with an empty one"
        )


def _way_out(error: Exception) -> str:
    """Say what to do; a file that is only out of reach, as on a full disk, must not be moved away."""
    code = getattr(error.__cause__ or error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if isinstance(error, OSError) or code & 0xFF in _OUT_OF_REACH:
        return "look whether the disk has space and can be written, and whether another program uses the file"
    return "restore it from a backup, or move it away to begin with an empty one"


def _done(work: Callable[[Database], None], database: Database) -> Future[None]:
    future: Future[None] = Future()
    try:
        work(database)
    except StorageFailed as error:
        future.set_exception(error)
    else:
        future.set_result(None)
    return future


def _connect(path: str) -> sqlite3.Connection:
    if path != ":memory:":
        # SQLite would make the file, and the two beside it, with the umask's mode.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
        try:
            check_private(path, descriptor)
        finally:
            os.close(descriptor)
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    with _closed_on_error(connection):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise
