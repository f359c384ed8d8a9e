"""Signed DNS zones, and a small DNS server on loopback that serves them as a resolver would."""

from __future__ import annotations

from typing import Any

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm
from twisted.internet.protocol import DatagramProtocol
from twisted.protocols.basic import Int16StringReceiver

NAMES = (".", "net.", "p2pship-test.net.")
"The zones, from the root down."


class Zones:
    """The zones with a key each; what they answer can be changed before it is asked."""

    def __init__(self, now: float) -> None:
        self.now = int(now)
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in NAMES}
        self.records: dict[tuple[str, str], list[dns.rrset.RRset]] = {}
        self.asked: list[tuple[str, str]] = []
        self.truncate = False
        for zone, above in zip(NAMES, (None, *NAMES), strict=False):
            self.put(dns.rrset.from_rdata(zone, 300, self.dnskey(zone)), zone)
            if above is not None:
                self.put(dns.rrset.from_rdata(zone, 300, self.ds(zone)), above)

    def dnskey(self, zone: str) -> Any:
        """Return a zone's key."""
        return dns.dnssec.make_dnskey(self.keys[zone].public_key(), Algorithm.ECDSAP256SHA256, 257)

    def ds(self, zone: str) -> Any:
        """Return the digest of a zone's key."""
        return dns.dnssec.make_ds(zone, self.dnskey(zone), "SHA256")

    @property
    def anchors(self) -> tuple[str, ...]:
        """The digest of the root's key."""
        return (self.ds(".").to_text(),)

    def put(self, records: dns.rrset.RRset, zone: str, signed: bool = True, **changes: Any) -> None:
        """Have a set of records answered, signed by a zone, with some values of the signature other than usual."""
        values: dict[str, Any] = {
            "key": self.keys.get(zone),
            "inception": self.now - 3600,
            "expiration": self.now + 3600,
            "dnskey": self.dnskey(zone) if zone in self.keys else None,
            "signer": zone,
        } | changes
        kept = [records]
        if signed:
            signature = dns.dnssec.sign(
                records,
                values["key"],
                dns.name.from_text(values["signer"]),
                values["dnskey"],
                inception=values["inception"],
                expiration=values["expiration"],
            )
            kept.append(dns.rrset.from_rdata(records.name, records.ttl, signature))
        self.records[records.name.to_text(), dns.rdatatype.to_text(records.rdtype)] = kept

    def answer(self, octets: bytes, large: bool) -> bytes:
        """Return the answer to a question."""
        question = dns.message.from_wire(octets)
        one = question.question[0]
        key = one.name.to_text(), dns.rdatatype.to_text(one.rdtype)
        self.asked.append(key)
        answer = dns.message.make_response(question, recursion_available=True)
        if self.truncate and not large:
            answer.flags |= dns.flags.TC
            return answer.to_wire()
        if key not in self.records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        answer.answer = list(self.records.get(key, ()))
        return answer.to_wire(max_size=65_535 if large else 0)


class UDPServer(DatagramProtocol):
    """Answers over UDP."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer a question."""
        assert self.transport is not None
        self.transport.write(self._zones.answer(datagram, large=False), addr)


class TCPServer(Int16StringReceiver):
    """Answers over TCP."""

    zones: Zones

    def stringReceived(self, string: bytes) -> None:
        """Answer a question."""
        self.sendString(self.zones.answer(string, large=True))
