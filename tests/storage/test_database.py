"""Tests of the database."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

from twisted.trial.unittest import TestCase

from p2pship.errors import ConfigError
from p2pship.storage import database
from p2pship.storage.database import ORGANISATION, Database, Schema, StorageFailed

FIRST = "CREATE TABLE note (text TEXT NOT NULL) STRICT"
NOTES = Schema("note", (FIRST,))
LATER = Schema("note", (FIRST, "ALTER TABLE note ADD COLUMN day INTEGER NOT NULL DEFAULT 7"))

WRITER = """
import os, signal, sys
from p2pship.storage.database import Database, Schema
database = Database(sys.argv[1], [Schema("note", (sys.argv[2],))])
database.write("INSERT INTO note VALUES ('kept')")
os.kill(os.getpid(), signal.SIGKILL)
"""


class DatabaseTests(TestCase):
    """Reading, writing and migrating."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def open(self, *schemas: Schema) -> Database:
        """Open the database until the test ends."""
        database = Database(self.path, schemas)
        self.addCleanup(database.close)
        return database

    def test_kept(self) -> None:
        """What was written is there for the next run."""
        database = self.open(NOTES)
        database.write("INSERT INTO note VALUES (?)", "hello")
        database.close()
        self.assertEqual(self.open(NOTES).query("SELECT text FROM note"), [("hello",)])

    def test_many_rows(self) -> None:
        """One statement writes many rows; what cannot be written takes the whole transaction back."""
        database = self.open(NOTES)
        with database.transaction():
            database.write_all("INSERT INTO note VALUES (?)", [("one",), ("two",)])

        def half() -> None:
            with database.transaction():
                database.write_all("INSERT INTO note VALUES (?)", [("three",), (None,)])

        self.assertRaises(StorageFailed, half)
        self.assertEqual(database.query("SELECT text FROM note"), [("one",), ("two",)])

    def test_killed(self) -> None:
        """What was written survives SIGKILL right after."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ended = subprocess.run(
            [sys.executable, "-c", WRITER, str(self.path), FIRST], env=environment, check=False
        )
        self.assertEqual(ended.returncode, -signal.SIGKILL)
        self.assertEqual(self.open(NOTES).query("SELECT text FROM note"), [("kept",)])

    def test_durable(self) -> None:
        """The file is in WAL mode and every commit is synced, as the module promises."""
        database = self.open(NOTES)
        self.assertEqual(database.query("PRAGMA journal_mode"), [("wal",)])
        self.assertEqual(database.query("PRAGMA synchronous"), [(2,)])

    def test_private(self) -> None:
        """The file, and those that SQLite puts beside it, are their owner's alone, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.open(NOTES).write("INSERT INTO note VALUES ('x')")
        files = list(self.path.parent.glob(f"{self.path.name}*"))
        self.assertEqual(len(files), 3)
        self.assertEqual({file.stat().st_mode & 0o777 for file in files}, {0o600})

    def test_transaction(self) -> None:
        """A block that raises leaves nothing, and its error passes; one that ends leaves everything."""
        database = self.open(NOTES)
        with self.assertRaises(ZeroDivisionError), database.transaction():
            database.write("INSERT INTO note VALUES ('lost')")
            raise ZeroDivisionError
        with database.transaction():
            database.write("INSERT INTO note VALUES ('one')")
            database.write("INSERT INTO note VALUES ('two')")
        self.assertEqual(database.query("SELECT text FROM note ORDER BY text"), [("one",), ("two",)])

    def test_behind(self) -> None:
        """What is done behind is done in order, in another thread, and before the file is closed."""
        database, threads = self.open(NOTES), []

        def note(text: str, other: Database) -> None:
            threads.append(threading.get_ident())
            with other.transaction():
                other.write("INSERT INTO note VALUES (?)", text)

        for text in ("one", "two"):
            database.behind(partial(note, text))
        database.close()
        self.assertEqual(self.open(NOTES).query("SELECT text FROM note"), [("one",), ("two",)])
        self.assertNotIn(threading.get_ident(), threads)
        self.assertIsInstance(database.behind(partial(note, "late")).exception(), StorageFailed)

    def test_behind_fails(self) -> None:
        """The future fails with what the work raises, and the next work is done all the same."""
        database = self.open(NOTES)
        bad = database.behind(lambda other: other.write("INSERT INTO note VALUES (NULL)"))
        good = database.behind(lambda other: other.write("INSERT INTO note VALUES ('good')"))
        self.assertIsInstance(bad.exception(), StorageFailed)
        self.assertIsNone(good.exception())

    def test_behind_in_memory(self) -> None:
        """A database in memory has one connection, so it is done at once."""
        database = Database(":memory:", [NOTES])
        self.addCleanup(database.close)
        database.behind(lambda other: other.write("INSERT INTO note VALUES ('now')"))
        self.assertEqual(database.query("SELECT text FROM note"), [("now",)])

    def test_write_fails(self) -> None:
        """A statement that the database refuses is a StorageFailed, and ends its transaction."""
        database = self.open(NOTES)
        with self.assertRaises(StorageFailed), database.transaction():
            database.write("INSERT INTO note VALUES ('lost')")
            database.write("INSERT INTO note VALUES (NULL)")
        self.assertRaises(StorageFailed, database.query, "SELECT nothing FROM nowhere")
        self.assertEqual(database.query("SELECT text FROM note"), [])

    def test_migrated(self) -> None:
        """A schema with more steps is brought up to date, and what was there stays."""
        database = self.open(NOTES)
        database.write("INSERT INTO note VALUES ('old')")
        database.close()
        self.assertEqual(self.open(LATER).query("SELECT text, day FROM note"), [("old", 7)])

    def test_migration_whole(self) -> None:
        """A step that fails takes back the steps before it: the next start begins where this one did."""
        broken = Schema("note", (FIRST, "ALTER TABLE nowhere ADD COLUMN day INTEGER"))
        self.assertRaises(ConfigError, Database, self.path, [broken])
        self.assertEqual(self.open(LATER).query("SELECT text, day FROM note"), [])

    def test_schemas_apart(self) -> None:
        """A package that comes later, or is gone for a while, disturbs no other."""
        other = Schema("other", ("CREATE TABLE other (n INTEGER NOT NULL) STRICT",))
        self.open(NOTES, other).close()
        self.open(other).close()
        self.assertEqual(self.open(LATER, other).query("SELECT day FROM note"), [])

    def test_newer(self) -> None:
        """A file with steps or an organisation that this version does not know is left alone."""
        self.open(LATER).close()
        error = self.assertRaises(ConfigError, Database, self.path, [NOTES])
        self.assertIn("newer version", str(error))
        with sqlite3.connect(self.path) as connection:
            connection.execute(f"PRAGMA user_version = {ORGANISATION + 1}")
        connection.close()
        error = self.assertRaises(ConfigError, Database, self.path, [LATER])
        self.assertIn("newer version", str(error))

    def test_damaged(self) -> None:
        """A file that is no database is named with the way out, and left as it is."""
        self.path.touch(0o600)
        self.path.write_bytes(b"this is not a database" * 100)
        error = self.assertRaises(ConfigError, Database, self.path, [NOTES])
        self.assertIn(str(self.path), str(error))
        self.assertIn("backup", str(error))
        self.assertTrue(self.path.read_bytes().startswith(b"this is not"))

    def test_out_of_reach(self) -> None:
        """Nobody is told to move away a database that is only out of reach, as on a full disk."""

        def full(path: str) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
            raise error

        self.patch(database, "_connect", full)
        message = str(self.assertRaises(ConfigError, Database, self.path, [NOTES]))
        self.assertIn("space", message)
        self.assertNotIn("move it away", message)

    def test_readable_by_others(self) -> None:
        """A file that others may read is not used, and what to do is said."""
        self.path.touch(0o640)
        error = self.assertRaises(ConfigError, Database, self.path, [NOTES])
        self.assertIn(f"chmod 600 {self.path}", str(error))

    def test_in_memory(self) -> None:
        """A database of tests needs no file."""
        database = Database(":memory:", [NOTES])
        self.addCleanup(database.close)
        database.write("INSERT INTO note VALUES ('x')")
        self.assertEqual(database.query("SELECT count(*) FROM note"), [(1,)])
