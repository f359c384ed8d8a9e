"""An authoritative DNS server of ``twisted.names`` in this process, which serves what a test puts into its zone."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import dns.zone
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.names.authority import FileAuthority
from twisted.names.dns import DNSDatagramProtocol, Query, Record_SOA
from twisted.names.server import DNSServerFactory

from p2pship.address import HostPort
from p2pship.lookup.dns.hiprecord import HIPMessage
from p2pship.testing.programs import free_ports

HOST = "127.0.0.1"

TTL = 60
"Seconds for which a record holds that says nothing about it."


class Zone(FileAuthority):
    """The records of a zone; they can be changed at any time."""

    soa: Any
    records: Any

    def __init__(self, name: str) -> None:
        """``name``, without a last dot, is the zone's."""
        self.name = name.encode("ascii")
        self.asked: list[tuple[str, int]] = []
        "the name and the type of each question"
        self.ignored: set[int] = set()
        "the types of questions that are not answered"
        super().__init__(name)

    def loadFile(self, filename: str) -> None:
        """Begin with the zone's own record alone."""
        soa = Record_SOA(
            mname=self.name,
            rname=b"root." + self.name,
            serial=1,
            refresh=3600,
            expire=3600,
            minimum=TTL,
            ttl=TTL,
        )
        self.soa = (self.name, soa)
        self.records = {self.name: [soa]}

    def put(self, name: str, *records: Any) -> None:
        """Have these records at a name of the zone, in place of what was there but its own record."""
        key = name.lower().encode("ascii")
        self.records[key] = [*([self.soa[1]] if key == self.name else []), *records]

    def paste(self, text: str) -> None:
        """Add the records that a text has in the form of zone files (RFC 1035 §5)."""
        read = dns.zone.from_text(
            f"$TTL {TTL}\n{text}", self.name.decode(), check_origin=False, relativize=False
        )
        for name, ttl, data in read.iterate_rdatas():
            record = HIPMessage().lookupRecordType(data.rdtype)(ttl=ttl)
            octets = data.to_wire() or b""
            record.decode(BytesIO(octets), len(octets))
            key = name.to_text(omit_final_dot=True).lower().encode("ascii")
            self.records.setdefault(key, []).append(record)

    def query(self, query: Query, timeout: Iterable[int] | None = None) -> Deferred[Any]:
        """Answer a question of any type."""
        self.asked.append((query.name.name.decode("ascii").lower(), query.type))
        if query.type in self.ignored:
            return Deferred()
        return self._lookup(query.name.name, query.cls, query.type)  # type: ignore[no-any-return]


class DNSServer:
    """Serves zones over UDP and TCP."""

    def __init__(self, reactor: Any, *zones: Zone, at: HostPort | None = None) -> None:
        """``at`` None: on a port of loopback that is free."""
        factory = DNSServerFactory(authorities=list(zones))
        factory.noisy = False
        protocol = DNSDatagramProtocol(factory, reactor=reactor)
        protocol.noisy = False
        self.at = at or HostPort(HOST, free_ports(1))
        "where it is asked"
        self._ports = [
            reactor.listenUDP(self.at.port, protocol, interface=self.at.host),
            reactor.listenTCP(self.at.port, factory, interface=self.at.host),
        ]

    def stop(self) -> Deferred[Any]:
        """Serve no more."""
        return gatherResults([maybeDeferred(port.stopListening) for port in self._ports])
