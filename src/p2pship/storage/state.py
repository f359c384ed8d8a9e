"""The state folder: everything that a node keeps from one run to the next, used by one node at a time."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from p2pship.errors import ConfigError, LocalError
from p2pship.storage.files import PRIVATE_FILE, make_private_folder

LONGEST_PID = 32
"Octets of the lock file that are read: a process number and a newline are fewer."


DATABASE = "p2pship.sqlite"
"The file of the node's database, which is there when anything is kept."


def check_there(path: Path) -> None:
    """Raise LocalError if nothing is kept in a folder: no node has run with it, and nothing was made."""
    try:
        (path / DATABASE).stat()
    except FileNotFoundError:
        raise LocalError(
            f"nothing is kept in {path} yet: start a node, or `p2pship identity create alice@example.com` makes an identity; "
            "--state names another folder"
        ) from None
    except OSError:
        return  # whoever opens the folder says what is wrong with it


class StateFolder:
    """A folder of mode 0700 that this process alone uses until :meth:`close`, or until it ends in whatever way.

    Open it in the process that runs the node: after a fork into the background, so that the process named is right.

    :raises ConfigError: if it cannot be used, or another process uses it; the message says which.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        "the folder"
        self.database = path / DATABASE
        "the file of the node's database"
        self._lock = -1
        try:
            make_private_folder(path)
            _check_owner(path)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
            self._take_lock()
        except OSError as error:
            self.close()
            raise ConfigError(
                f"the state folder {path} cannot be used: {error.strerror}; "
                "make it writable for this user, or name another one"
            ) from error

    def close(self) -> None:
        """Let another process use the folder; harmless when repeated."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, LONGEST_PID, 0).decode("ascii", "replace").strip() or "unknown"
            self.close()
            raise ConfigError(
                f"the state folder {self.path} is in use by process {holder}; wait if that is starting or ending, "
                "stop it, or name another folder"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode("ascii"), 0)


def _check_owner(path: Path) -> None:
    """Refuse a folder in which others could put their own keys; it is never changed, for it may be anybody's."""
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise ConfigError(
            f"the state folder {path} belongs to user {status.st_uid}, not to user {os.geteuid()} who runs the node; "
            "run it as that user, or name another folder"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"others may write to the state folder {path}; run chmod 700 {path}, or name another folder"
        )
