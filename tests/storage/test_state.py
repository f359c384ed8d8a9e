"""Tests of the state folder."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from p2pship.errors import ConfigError
from p2pship.storage.state import StateFolder

HOLDER = """
import sys
from pathlib import Path
from p2pship.storage.state import StateFolder
state = StateFolder(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


class StateFolderTests(TestCase):
    """Making, locking and leaving the state folder."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def open(self) -> StateFolder:
        """Open the folder until the test ends."""
        state = StateFolder(self.path)
        self.addCleanup(state.close)
        return state

    def test_made(self) -> None:
        """The folder is made, its owner's alone, and the database has its place in it."""
        state = self.open()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o700)
        self.assertEqual(state.database.parent, self.path)

    def test_second_refused(self) -> None:
        """A second node is refused, and told which process holds the folder."""
        self.open()
        error = self.assertRaises(ConfigError, StateFolder, self.path)
        self.assertIn(f"in use by process {os.getpid()};", str(error))

    def test_closed(self) -> None:
        """A folder that was closed can be opened again, and closing twice does no harm."""
        state = self.open()
        state.close()
        state.close()
        self.open()

    def test_disk_full(self) -> None:
        """Where not even the lock can be written, that is said in words, and the folder is free again."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            error = self.assertRaises(ConfigError, StateFolder, self.path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertIn(f"{self.path} cannot be used: File too large", str(error))
        self.open()

    def test_killed(self) -> None:
        """A node that was killed holds nothing: the lock is the kernel's, not the file's."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        with holder:
            assert holder.stdout is not None
            self.assertEqual(holder.stdout.readline(), b"held\n")
            error = self.assertRaises(ConfigError, StateFolder, self.path)
            self.assertIn(f"process {holder.pid};", str(error))
            holder.kill()
        self.open()

    def test_others_may_write(self) -> None:
        """A folder into which others may put keys is refused, unchanged, with the way out."""
        self.path.mkdir()
        self.path.chmod(0o777)
        error = self.assertRaises(ConfigError, StateFolder, self.path)
        self.assertIn(f"chmod 700 {self.path}", str(error))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o777)

    def test_not_a_folder(self) -> None:
        """A file in the folder's place is named."""
        self.path.write_bytes(b"")
        error = self.assertRaises(ConfigError, StateFolder, self.path)
        self.assertIn(str(self.path), str(error))

    def test_of_another_user(self) -> None:
        """A folder of another user is refused."""
        self.path.mkdir()
        try:
            os.chown(self.path, 12345, -1)
        except OSError:  # of a container, too, which may have no such user
            self.skipTest("only root can give a folder away")
        error = self.assertRaises(ConfigError, StateFolder, self.path)
        self.assertIn("belongs to user 12345", str(error))
