"""Tests of files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import TestCase

from p2pship.errors import ConfigError
from p2pship.storage.files import (
    create_folder,
    make_private_folder,
    read_private,
    recover_folders,
    remove_folder,
    replace_folder,
    write_file,
)


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

    def test_disk_full(self) -> None:
        """What did not fit is not left behind, and the old contents stay."""
        write_file(self.path, b"old")

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "no space left")

        self.patch(os, "fsync", full)
        self.assertRaises(OSError, write_file, self.path, b"new")
        self.assertEqual((os.listdir(self.folder), self.path.read_bytes()), (["file"], b"old"))

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

    def test_folder_within(self) -> None:
        """A file may stand in a folder within, which is its owner's alone, too, and goes when the whole is replaced."""
        self.addCleanup(os.umask, os.umask(0))
        create_folder(self.path, {"key": b"1", "device/key": b"2"})
        within = self.path / "device"
        self.assertEqual(
            ((within / "key").read_bytes(), mode(within), mode(within / "key")), (b"2", 0o700, 0o600)
        )
        replace_folder(self.path, {"key": b"3"})
        self.assertEqual(os.listdir(self.path), ["key"])

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


class Crash(BaseException):
    """The process ends here."""


class CrashTests(TestCase):
    """Folders that are replaced or removed by a process that ends in the middle of it."""

    OLD: ClassVar[dict[str, bytes]] = {"a": b"1", "b": b"1", "within/a": b"1"}
    NEW: ClassVar[dict[str, bytes]] = {"a": b"2", "c": b"2", "within/c": b"2"}

    def setUp(self) -> None:
        self.parent = Path(self.mktemp())
        self.path = self.parent / "x@y.z-1"
        create_folder(self.path, self.OLD)

    def crashing(self, step: int, work: Callable[[], None]) -> bool:
        """Do some work whose process ends at its ``step``-th call that changes the disk; True if it got that far."""
        left = [step]

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapper(*arguments: Any, **options: Any) -> Any:
                left[0] -= 1
                if not left[0]:
                    raise Crash
                return call(*arguments, **options)

            return wrapper

        patches = [
            self.patch(os, name, counted(getattr(os, name)))
            for name in ("open", "mkdir", "fsync", "rename", "rmdir", "unlink")
        ]
        try:
            work()
        except Crash:
            return True
        finally:
            for patch in patches:
                patch.restore()
        return False

    def contents(self) -> dict[str, bytes] | None:
        """Return what the next run finds."""
        recover_folders(self.parent)
        self.assertLessEqual(len(list(self.parent.iterdir())), 1)
        if not self.path.exists():
            return None
        files = [path for path in self.path.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.path)): path.read_bytes() for path in files}

    def outcomes(self, work: Callable[[], None]) -> list[dict[str, bytes] | None]:
        """Return what the next run finds, for an end at each step in turn."""
        found: list[dict[str, bytes] | None] = []
        step = 1
        while self.crashing(step, work):
            found.append(self.contents())
            if self.path.exists():
                remove_folder(self.path)
            create_folder(self.path, self.OLD)
            step += 1
        self.assertGreater(step, 6)
        return found

    def test_replaced(self) -> None:
        """Wherever it ends, the next run finds the old files or the new ones: first the old, from some point on the new."""
        found = self.outcomes(lambda: replace_folder(self.path, self.NEW))
        news = [each == self.NEW for each in found]
        self.assertEqual([each for each in found if each not in (self.OLD, self.NEW)], [])
        self.assertEqual(news, sorted(news))
        self.assertIn(False, news)
        self.assertIn(True, news)

    def test_removed(self) -> None:
        """Wherever it ends, the next run finds all of it or nothing."""
        found = self.outcomes(lambda: remove_folder(self.path))
        self.assertEqual([each for each in found if each not in (self.OLD, None)], [])
        self.assertIn(None, found)

    def test_put_back(self) -> None:
        """An error, unlike an end, leaves the old one in its place."""
        rename = os.rename

        def failing(source: Any, target: Any) -> None:
            if str(source).endswith(".next"):
                raise OSError(28, "No space left on device")
            rename(source, target)

        patch = self.patch(os, "rename", failing)
        self.assertRaises(OSError, replace_folder, self.path, self.NEW)
        patch.restore()
        self.assertEqual(self.contents(), self.OLD)


class PrivateTests(TestCase):
    """Files that others may read."""

    def test_readable_by_others(self) -> None:
        """They are not read, and what to do is said."""
        path = Path(self.mktemp())
        write_file(path, b"data")
        self.assertEqual(read_private(path), b"data")
        for bits in (0o640, 0o604, 0o620, 0o601):
            path.chmod(bits)
            self.assertIn(f"chmod 600 {path}", str(self.assertRaises(ConfigError, read_private, path)))

    def test_no_file(self) -> None:
        """A pipe or a device in place of a file, or a file without end, keeps nobody waiting and takes no memory."""
        pipe, endless, device = (Path(self.mktemp()) for _ in range(3))
        os.mkfifo(pipe, 0o600)
        endless.touch(0o600)
        os.truncate(endless, 1 << 40)
        device.symlink_to("/dev/zero")
        for path in (pipe, endless, device):
            self.assertRaises(ConfigError, read_private, path)
