"""Which phones are registered under which name (RFC 3261 §10), kept from one run to the next.

A binding that is lost costs its phone nothing but the time to its next refresh, so changes are written together, a
second after the first of them, and not one by one. While the machine sleeps no binding ages: the phone, whose time stood still as well,
does not refresh it when it wakes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pship.address import HostPort
from p2pship.sip.sameness import same_uri
from p2pship.sip.scalars import read_preference
from p2pship.sip.uri import Parameters, parse_uri
from p2pship.storage.database import Database, Schema, StorageFailed

SCHEMA = Schema(
    "sip",
    (
        """
        CREATE TABLE sip_bindings (
            aor TEXT NOT NULL, contact TEXT NOT NULL, parameters TEXT NOT NULL, expires REAL NOT NULL,
            call_id TEXT NOT NULL, cseq INTEGER NOT NULL, path TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,
            transport TEXT NOT NULL, token TEXT NOT NULL, PRIMARY KEY (aor, contact)
        ) STRICT
        """,
        "ALTER TABLE sip_bindings ADD COLUMN username TEXT NOT NULL DEFAULT ''",
    ),
)

WRITE_AFTER = 1.0
"Seconds between the first change and the write that keeps it and all that followed."

LONGEST_EXPIRES = 86_400
"Seconds: a phone that vanished stops ringing in vain after a day, however wrong the clock was when it registered, or when the node started."

ASLEEP = 60.0
"""Seconds between two looks at the bindings after which the machine has slept, or its clock was set, as of a computer that has none of its own and
hears the time after its start: the registrar looks every few seconds."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One phone, registered under one name."""

    aor: str
    "the canonical AOR"
    contact: str
    "the phone's Contact URI, as it wrote it"
    parameters: Parameters
    "those of its Contact value but expires: q, +sip.instance and others"
    expires: float
    "when it ends (Unix time)"
    call_id: str
    "of the REGISTER that made or refreshed it"
    cseq: int
    "of that REGISTER"
    path: tuple[str, ...]
    "the Path values, to be used as Route (RFC 3327)"
    source: HostPort
    "where the REGISTER came from"
    transport: str
    "over what it came: ``UDP`` or ``TCP``"
    token: str
    "names the binding in GRUUs; stays with it"
    username: str = ""
    "the user name that the phone has proven; empty for one that needed no proof"

    @property
    def q(self) -> float:
        """The preference, 0 to 1 (RFC 3261 §20.10); 1 if it has none or one that cannot be read."""
        return read_preference(self.parameters.get("q"))

    @property
    def instance(self) -> tuple[str, str | None] | None:
        """The phone's own name for itself and its flow (RFC 5626 §4.1, §4.2), if it has one."""
        instance = self.parameters.get("+sip.instance")
        return None if instance is None else (instance, self.parameters.get("reg-id"))

    def has_contact(self, uri: str) -> bool:
        """Tell whether a URI is this binding's Contact; raises BadURI."""
        return same_uri(parse_uri(self.contact), parse_uri(uri))


class Bindings:
    """All bindings of the node, by name."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, database: Database) -> None:
        self._reactor = reactor
        self._database = database
        self._bindings: dict[str, list[Binding]] = {}
        self._changed: set[str] = set()
        self._write: IDelayedCall | None = None
        self._looked = reactor.seconds()

    def load(self) -> None:
        """Read those that have not expired; raises StorageFailed."""
        now = self._now()
        for row in self._database.query("SELECT * FROM sip_bindings WHERE expires > ?", now):
            binding = _from_row(row)
            binding = replace(binding, expires=min(binding.expires, now + LONGEST_EXPIRES))
            self._bindings.setdefault(row[0], []).append(binding)

    def of(self, aor: str) -> list[Binding]:
        """Return the live bindings of a name, oldest first."""
        now = self._now()
        return [binding for binding in self._bindings.get(aor, ()) if binding.expires > now]

    def __iter__(self) -> Iterator[Binding]:
        return iter([binding for aor in tuple(self._bindings) for binding in self.of(aor)])

    def replace(self, aor: str, bindings: list[Binding]) -> None:
        """Give a name these bindings in place of all that it had."""
        if bindings:
            self._bindings[aor] = bindings
        elif self._bindings.pop(aor, None) is None:
            return
        self._changed.add(aor)
        if self._write is None:
            self._write = self._reactor.callLater(WRITE_AFTER, self._written)

    def expired(self) -> list[Binding]:
        """Remove and return the bindings that have run out."""
        now = self._now()
        gone = [binding for each in self._bindings.values() for binding in each if binding.expires <= now]
        for aor in {binding.aor for binding in gone}:
            self.replace(aor, self.of(aor))
        return gone

    def close(self) -> None:
        """Write what was not written yet."""
        if self._write is not None:
            self._write.cancel()
            self._written()

    def _now(self) -> float:
        """Return Unix time, after all bindings were made to last as long as they had yet, should it have leapt."""
        now = self._reactor.seconds()
        leap, self._looked = now - self._looked, now
        if abs(leap) > ASLEEP:
            for aor, bindings in tuple(self._bindings.items()):
                self.replace(aor, [replace(each, expires=each.expires + leap) for each in bindings])
        return now

    def _written(self) -> None:
        self._write = None
        changed, self._changed = self._changed, set()
        try:
            with self._database.transaction():
                for aor in changed:
                    self._database.write("DELETE FROM sip_bindings WHERE aor = ?", aor)
                    for binding in self._bindings.get(aor, ()):
                        self._database.write(
                            f"INSERT INTO sip_bindings VALUES ({', '.join('?' * 12)})", *_row(binding)
                        )
        except StorageFailed:
            self.log.failure("registrations will not survive a restart")


def forget_phone(database: Database, aor: str, username: str) -> None:
    """Delete what is kept of a phone that had proven itself, within the caller's transaction; raises StorageFailed."""
    database.write("DELETE FROM sip_bindings WHERE aor = ? AND username = ?", aor, username)


def forget_name(database: Database, aor: str) -> None:
    """Delete what is kept of all phones of a name that is no longer this node's; raises StorageFailed."""
    database.write("DELETE FROM sip_bindings WHERE aor = ?", aor)


def _row(binding: Binding) -> tuple[str | int | float, ...]:
    return (
        binding.aor,
        binding.contact,
        json.dumps(binding.parameters.items),
        binding.expires,
        binding.call_id,
        binding.cseq,
        json.dumps(binding.path),
        binding.source.host,
        binding.source.port,
        binding.transport,
        binding.token,
        binding.username,
    )


def _from_row(row: tuple[str, ...]) -> Binding:
    aor, contact, parameters, expires, call_id, cseq, path, host, port, transport, token, username = row
    return Binding(
        aor=aor,
        contact=contact,
        parameters=Parameters(tuple((name, value) for name, value in json.loads(parameters))),
        expires=float(expires),
        call_id=call_id,
        cseq=int(cseq),
        path=tuple(json.loads(path)),
        source=HostPort(host, int(port)),
        transport=transport,
        token=token,
        username=username,
    )
