"""Tests of files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import TestCase

from p2pship.storage.files import create_folder, make_private_folder, write_file


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return path.stat().st_mode & 0o777


class WriteFileTests(TestCase):
    """Replacing a file."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "file"

    def test_private(self) -> None:
        """A new file holds what was written and is its owner's alone, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        write_file(self.path, b"one")
        self.assertEqual((self.path.read_bytes(), mode(self.path)), (b"one", 0o600))

    def test_replaced(self) -> None:
        """What a reader has open stays the old whole, and nothing is left beside the new."""
        write_file(self.path, b"old")
        with self.path.open("rb") as reader:
            write_file(self.path, b"new", 0o644)
            self.assertEqual(reader.read(), b"old")
        self.assertEqual((self.path.read_bytes(), mode(self.path)), (b"new", 0o644))
        self.assertEqual(os.listdir(self.folder), ["file"])

    def test_after_crash(self) -> None:
        """The rest of an attempt that was cut off, with another mode, is no obstacle and does not show."""
        beside = self.folder / ".file.new"
        beside.write_bytes(b"a longer half")
        beside.chmod(0o666)
        write_file(self.path, b"new")
        self.assertEqual((self.path.read_bytes(), mode(self.path)), (b"new", 0o600))

    def test_no_link_followed(self) -> None:
        """A symbolic link put where the new file is prepared is not written through."""
        victim = self.folder / "victim"
        victim.write_bytes(b"mine")
        (self.folder / ".file.new").symlink_to(victim)
        self.assertRaises(OSError, write_file, self.path, b"new")
        self.assertEqual(victim.read_bytes(), b"mine")


class CreateFolderTests(TestCase):
    """Making a folder with its files."""

    def setUp(self) -> None:
        self.above = Path(self.mktemp())
        self.path = self.above / "folder"

    def test_created(self) -> None:
        """Folder and files are private and complete, and so is the folder above that had to be made."""
        create_folder(self.path, {"a": b"1", "b": b"2"})
        self.assertEqual([mode(self.above), mode(self.path)], [0o700, 0o700])
        self.assertEqual(
            {path.name: path.read_bytes() for path in self.path.iterdir()}, {"a": b"1", "b": b"2"}
        )
        self.assertEqual({mode(path) for path in self.path.iterdir()}, {0o600})

    def test_never_replaced(self) -> None:
        """A folder that is there keeps what it has."""
        create_folder(self.path, {"a": b"1"})
        self.assertRaises(OSError, create_folder, self.path, {"a": b"2"})
        self.assertEqual((self.path / "a").read_bytes(), b"1")

    def test_after_crash(self) -> None:
        """What an attempt that was cut off left is not taken over."""
        (self.above / "folder.new").mkdir(parents=True)
        (self.above / "folder.new" / "stale").write_bytes(b"half")
        create_folder(self.path, {"a": b"1"})
        self.assertEqual((os.listdir(self.path), os.listdir(self.above)), (["a"], ["folder"]))

    def test_private_folder_kept(self) -> None:
        """A folder that exists is left with the mode it has: it may be anybody's."""
        self.above.mkdir(mode=0o755)
        make_private_folder(self.above)
        self.assertEqual(mode(self.above), 0o755)
