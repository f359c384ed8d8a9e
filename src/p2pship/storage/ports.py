"""Listening ports that stay the same from one run to the next."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from twisted.internet.error import CannotListenError

from p2pship.errors import LocalError
from p2pship.storage.database import Database, Schema

T = TypeVar("T")

TRIES = 100
"Ports tried from the preferred one up: so many in use together means that listening fails for another reason."

HIGHEST_PORT = 0xFFFF

WORDS = {
    errno.EADDRNOTAVAIL: "this machine does not have that address: is its network up, and has it another one now?",
    errno.EACCES: "it is not allowed to: a port below 1024 takes root or CAP_NET_BIND_SERVICE, so name a higher one",
}
"Why not, and what to do, where the operating system's own words do not say it."

SCHEMA = Schema(
    "ports",
    (
        "CREATE TABLE ports (name TEXT PRIMARY KEY, port INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "ALTER TABLE ports ADD COLUMN preferred INTEGER NOT NULL DEFAULT 0",
    ),
)


class NoPortFree(LocalError):
    """None of the ports tried could be listened on."""


@dataclass(frozen=True, slots=True)
class Chosen(Generic[T]):
    """The port that is now listened on."""

    port: int
    listening: T
    "what ``try_listen`` returned"
    moved_from: int | None = None
    "the port that was kept before, if it is another: whoever was told that one must be told this one"
    kept: bool = False
    "whether it is the one that was kept before"


class Ports:
    """Remembers the port of each listener by name: phones and routers are set up for one, once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def choose(
        self, name: str, preferred: int, host: str, family: str, try_listen: Callable[[int], T]
    ) -> Chosen[T]:
        """Listen on the kept port of ``name``, else on the preferred one, else on the next free one above it.

        A port that was kept when another was preferred is passed over: whoever configures a port wants that one.

        :param preferred: 0 leaves the choice to the operating system, and keeps nothing.
        :param host: where it listens, for the message of the error.
        :param family: what it listens with, such as ``udp`` or ``udp and tcp``, for the message of the error.
        :param try_listen: listens on everything that has to have this one port number. If a part of it cannot, it
            gives the other parts back and raises :class:`~twisted.internet.error.CannotListenError`.
        :raises NoPortFree: if none can be had; its message names the first reason.
        """
        if not preferred:
            return Chosen(0, self._first(name, iter([0]), host, family, try_listen)[1])
        kept, kept_for = self._kept(name)
        first = kept if kept_for == preferred else None
        port, listening = self._first(name, _candidates(first, preferred), host, family, try_listen)
        if (port, preferred) != (kept, kept_for):
            self._database.write("INSERT OR REPLACE INTO ports VALUES (?, ?, ?)", name, port, preferred)
        return Chosen(port, listening, None if port == kept else kept, port == kept)

    def _kept(self, name: str) -> tuple[int | None, int | None]:
        """Return the port that is kept, and the one that was preferred then; None if none is."""
        rows = self._database.query("SELECT port, preferred FROM ports WHERE name = ?", name)
        return rows[0] if rows else (None, None)

    @staticmethod
    def _first(
        name: str, ports: Iterator[int], host: str, family: str, try_listen: Callable[[int], T]
    ) -> tuple[int, T]:
        first_error: CannotListenError | None = None
        for port in ports:
            try:
                return port, try_listen(port)
            except CannotListenError as error:
                first_error = first_error or error
        reason = WORDS.get(getattr(first_error.socketError, "errno", 0), first_error) if first_error else ""
        raise NoPortFree(f"no {family} port on {host} for {name}: {reason}") from first_error


def _candidates(kept: int | None, preferred: int) -> Iterator[int]:
    if kept is not None:
        yield kept
    for port in range(preferred, min(preferred + TRIES, HIGHEST_PORT + 1)):
        if port != kept:
            yield port
