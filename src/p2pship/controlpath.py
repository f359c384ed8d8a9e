"""Where a node's control socket is: in its state folder, or where that folder's path is too long for a socket, elsewhere."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from p2pship.errors import LocalError
from p2pship.storage.files import write_file

SOCKET = "control"
"The socket's name in its folder."

NOTE = "control.path"
"The file in the state folder that holds the socket's path, when it is elsewhere."

LONGEST_PATH = 107
"Octets of a Unix socket's path: sun_path has 108 in Linux, with a NUL (unix(7))."


class ControlPath:
    """Finds the control socket of the node with this state folder, or a place for it."""

    def __init__(self, state: Path) -> None:
        self._state = state.resolve()
        self._note = self._state / NOTE

    def find(self) -> Path:
        """Return where the socket is if a node is running."""
        return self._noted() or self._state / SOCKET

    def choose(self) -> Path:
        """Return a path that a socket can be bound to, and leave a note of it if it is not in the state folder.

        :raises LocalError: if there is no such path, or the note cannot be written.
        """
        path = self._state / SOCKET
        if _fits(path):
            self._note.unlink(missing_ok=True)
            return path
        try:
            return self._elsewhere()
        except OSError as error:
            raise LocalError(f"no place for the control socket of {self._state}: {error}") from error

    def forget(self) -> None:
        """Take the note back, and the folder that was made for the socket."""
        path = self._noted()
        self._note.unlink(missing_ok=True)
        if path is not None:
            with suppress(OSError):
                path.parent.rmdir()

    def _elsewhere(self) -> Path:
        noted = self._noted()
        if noted is not None and _is_own_folder(noted.parent):
            return noted
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        usable = runtime is not None and os.access(runtime, os.W_OK)
        path = Path(tempfile.mkdtemp(prefix="p2pship-", dir=runtime if usable else None)) / SOCKET
        if not _fits(path):
            path.parent.rmdir()
            raise LocalError(
                f"the paths of {self._state} and {path} are too long for a Unix socket: shorten --state"
            )
        write_file(self._note, os.fsencode(path))
        return path

    def _noted(self) -> Path | None:
        try:
            return Path(os.fsdecode(self._note.read_bytes()))
        except OSError:
            return None


def _is_own_folder(path: Path) -> bool:
    """Tell whether nobody else put it there since: a temporary folder may have been emptied, and is everybody's."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_PATH
