"""Files and folders that are there whole or not at all, and that only their owner may read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 0700, and the folders above it; one that exists is left as it is.

    :raises OSError: if it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


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
    beside = path.with_name(f"{path.name}.new")
    make_private_folder(path.parent)
    if beside.exists():
        shutil.rmtree(beside)
    beside.mkdir(mode=PRIVATE_FOLDER)
    for name, data in files.items():
        _write_through(beside / name, data, PRIVATE_FILE)
    _sync_folder(beside)
    os.rename(beside, path)
    _sync_folder(path.parent)


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
