"""Files and folders that are there whole or not at all, and that only their owner may read."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from p2pship.errors import ConfigError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

LONGEST_PRIVATE = 1 << 20
"Octets of a file that is read whole at the start: a revocation list, which is the longest, has a fifteenth of that."

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

    :raises ConfigError: if others can, and the message says how to change that; or if it is not a file, or far too long for one of ours.
    :raises OSError: if it cannot be read.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        check_private(path, file.fileno())
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > LONGEST_PRIVATE:
            raise ConfigError(f"{path} is no file of p2pship: restore it from a backup")
        return file.read()


def _open_at_once(path: str, flags: int) -> int:
    """Open as ``open`` does, but wait for nobody to write into what is a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


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
    beside = _unfinished(path)
    try:
        _write_through(beside, data, mode)
    except OSError:
        discard_unfinished(path)
        raise
    os.replace(beside, path)
    _sync_folder(path.parent)


def discard_unfinished(path: Path) -> None:
    """Delete what is left beside a file of a :func:`write_file` that was cut off: it may be a secret, and in the clear.

    :raises OSError: if it cannot be deleted.
    """
    beside = _unfinished(path)
    if not beside.is_dir():
        beside.unlink(missing_ok=True)


def create_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a private folder that holds these files of mode 0600: all of them, or the folder is not there.

    A name may have a folder in front, as in ``device/key.pem``.

    :raises OSError: if it cannot be made, or is there already and not empty.
    """
    beside = _beside(path, _NEW)
    make_private_folder(path.parent)
    if beside.exists():
        shutil.rmtree(beside)
    beside.mkdir(mode=PRIVATE_FOLDER)
    for name, data in files.items():
        (beside / name).parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        _write_through(beside / name, data, PRIVATE_FILE)
    for folder in {(beside / name).parent for name in files} | {beside}:
        _sync_folder(folder)
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


def remove_folder(path: Path, gone: Callable[[], None] | None = None) -> None:
    """Delete a folder: after a crash and :func:`recover_folders` it is there whole, or not at all.

    ``gone`` is called when it is not there any more under its name, and nothing of it is deleted: :func:`removed_folders` finds
    it until then, in the next run as well.

    :raises OSError: if it cannot be done.
    """
    former = _beside(path, _OLD)
    _delete(_beside(path, _NEXT))
    _delete(former)
    os.rename(path, former)
    _sync_folder(path.parent)
    if gone is not None:
        gone()
    _delete(former)


def removed_folders(parent: Path) -> list[Path]:
    """Return the folders below ``parent`` that the last run began to delete, before :func:`recover_folders` ends that."""
    paths = [(left, left.with_suffix("")) for left in parent.glob(f"*{_OLD}")]
    return [left for left, path in paths if not path.exists() and not _beside(path, _NEXT).exists()]


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


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}{_NEW}")


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
