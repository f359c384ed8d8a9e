"""Files and folders that are there whole or not at all, and that only their owner may read."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from p2pship.errors import ConfigError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NEW, _NEXT, _OLD = ".new", ".next", ".old"
"Ends of the names of folders: not whole yet; whole, to take the place of the one without; no longer wanted."


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 0700, and the folders above it; one that exists is left as it is.

    :raises OSError: if it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def read_private(path: Path) -> bytes:
    """Return the contents of a file that nobody else can read or write.

    :raises ConfigError: if others can; the message says how to change that.
    :raises OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        check_private(path, file.fileno())
        return file.read()


def check_private(path: str | os.PathLike[str], descriptor: int) -> None:
    """Raise ConfigError if anybody but its owner may do anything with an open file, whose path is said."""
    if os.fstat(descriptor).st_mode & _OTHERS:
        name = os.fspath(path)
        raise ConfigError(f"others than its owner may read or write {name}; run chmod 600 {name}")


def write_file(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> None:
    """Replace a file's contents: whoever reads it, even after a power failure, finds the old or the new, never a part.

    Two writers of one file must not meet; the lock on the state folder sees to that.

    :raises OSError: if it cannot be written; the old contents stay.
    """
    beside = path.with_name(f".{path.name}.new")
    _write_through(beside, data, mode)
    os.replace(beside, path)
    _sync_folder(path.parent)


def create_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a private folder that holds these files of mode 0600: all of them, or the folder is not there.

    :raises OSError: if it cannot be made, or is there already and not empty.
    """
    beside = _beside(path, _NEW)
    make_private_folder(path.parent)
    if beside.exists():
        shutil.rmtree(beside)
    beside.mkdir(mode=PRIVATE_FOLDER)
    for name, data in files.items():
        _write_through(beside / name, data, PRIVATE_FILE)
    _sync_folder(beside)
    os.rename(beside, path)
    _sync_folder(path.parent)


def replace_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of these files in the place of one that is there: after a crash it is the one or the other.

    That is so once :func:`recover_folders` has been called. The old one is deleted.

    :raises OSError: if it cannot be done; the old one stays.
    """
    following, former = _beside(path, _NEXT), _beside(path, _OLD)
    _delete(following)
    create_folder(following, files)
    _delete(former)
    os.rename(path, former)
    try:
        os.rename(following, path)
    except OSError:
        os.rename(former, path)
        raise
    _sync_folder(path.parent)
    _delete(former)


def remove_folder(path: Path) -> None:
    """Delete a folder: after a crash and :func:`recover_folders` it is there whole, or not at all.

    :raises OSError: if it cannot be done.
    """
    former = _beside(path, _OLD)
    _delete(_beside(path, _NEXT))
    _delete(former)
    os.rename(path, former)
    _sync_folder(path.parent)
    _delete(former)


def recover_folders(parent: Path) -> None:
    """Finish or undo what was begun with the folders below ``parent`` when the last run ended; harmless when nothing was.

    :raises OSError: if it cannot be done.
    """
    for following in parent.glob(f"*{_NEXT}"):
        path = following.with_suffix("")
        if path.exists():
            _delete(following)
        else:
            os.rename(following, path)
    _sync_folder(parent)
    for end in (_OLD, _NEXT + _NEW, _NEW):
        for left in parent.glob(f"*{end}"):
            _delete(left)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _delete(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _write_through(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # neither the umask nor an earlier attempt decides
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
