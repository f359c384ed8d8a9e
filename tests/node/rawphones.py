"""Phones that send and keep octets as they are, over UDP or TCP, each at an address of its own on loopback."""

from __future__ import annotations

import os
import re
from itertools import count
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from p2pship.address import HostPort
from p2pship.sip.derived import ack_of
from p2pship.sip.framing import StreamParser
from p2pship.sip.message import Request, Response, parse, response_to
from tests.node.calling import NodeTestCase

reactor: Any = _reactor

SIP_PORT = 5060
"Where the response goes over UDP when the Via names no port and has no rport (RFC 3261 §18.2.2)."

_addresses = count(1)


def own_address() -> str:
    """Return an address of 127/8 that no other phone has, nor most probably those of another run of these tests."""
    number = os.getpid() % 60_000 + 256
    return f"127.{number >> 8}.{number & 0xFF}.{next(_addresses) % 250 + 1}"


class RawPhone(DatagramProtocol):
    """A phone over UDP; what it has received is kept."""

    transport_name = "UDP"

    def __init__(self, proxy: HostPort, port: int = SIP_PORT) -> None:
        """Listen at an address of its own; ``proxy`` is where it sends to."""
        self.proxy = proxy
        self.address = HostPort(own_address(), port)
        self.received: list[bytes] = []
        self.closed = False
        self._numbers = count(1)

    async def open(self) -> None:
        """Open the socket."""
        self._port = reactor.listenUDP(
            self.address.port, self, interface=self.address.host, maxPacketSize=65_535
        )
        self.address = HostPort(self.address.host, self._port.getHost().port)

    def close(self) -> Deferred[Any]:
        """Close it."""
        return maybeDeferred(self._port.stopListening)

    def send(self, data: bytes) -> None:
        """Send octets."""
        assert self.transport is not None
        self.transport.write(data, (self.proxy.host, self.proxy.port))

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Keep what comes."""
        self.received.append(datagram)

    @property
    def requests(self) -> list[bytes]:
        """The requests that came, each once, and without ACKs."""
        came = [data for data in self.received if not data.startswith((b"SIP/2.0 ", b"ACK "))]
        return list(dict.fromkeys(came))

    def finals(self, method: str = "") -> list[Response]:
        """Return the final responses that came, to requests of one method."""
        parsed = [parse(data) for data in self.received if data.startswith(b"SIP/2.0 ")]
        found = [each for each in parsed if isinstance(each, Response) and each.status >= 200]
        return [each for each in found if not method or f" {method}" in (each.first("CSeq") or "")]

    # What a phone says.

    def request(self, method: str, uri: str, sender: str, receiver: str, *headers: str) -> bytes:
        """Return a request with a new branch; ``headers`` may have Call-ID and CSeq."""
        number = next(self._numbers)
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport_name} {self.address};branch=z9hG4bKraw{number}",
            f"From: {sender}",
            f"To: {receiver}",
            "Max-Forwards: 70",
            *headers,
        ]
        given = {line.partition(":")[0] for line in headers}
        lines += [] if "Call-ID" in given else [f"Call-ID: raw{number}@{self.address.host}"]
        lines += [] if "CSeq" in given else [f"CSeq: {number} {method}"]
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()

    def register(self, uri: str, expires: str = "") -> None:
        """Register under a name, or no longer with ``;expires=0``."""
        named = f"<{uri}>"
        contact = f"Contact: <sip:raw@{self.address}>{expires}"
        self.send(self.request("REGISTER", "sip:example.com", f"{named};tag=r", named, contact))

    def probe(self) -> None:
        """Ask the node itself something, to hear when it has taken all that was sent before."""
        self.send(
            self.request("OPTIONS", "sip:example.com", "<sip:probe@example.com>;tag=p", "<sip:example.com>")
        )

    def answer(self, request: bytes, status: int, to_tag: str, start: bytes = b"") -> None:
        """Answer a request that came; ``start`` stands in for the start line, and without a tag none is written."""
        received = parse(request)
        assert isinstance(received, Request)
        response = response_to(received, status, to_tag=to_tag or None)
        for value in received.lines("Record-Route"):
            response.append("Record-Route", value)
        response.append("Contact", f"<sip:raw@{self.address}>")
        own, line_end, rest = response.encode().partition(b"\r\n")
        self.send((start or own) + line_end + rest)

    def acknowledge(self, invite: bytes, response: Response) -> None:
        """Acknowledge a failure."""
        sent = parse(invite)
        assert isinstance(sent, Request)
        self.send(ack_of(sent, response).encode())


class RawStreamPhone(RawPhone):
    """A phone over one TCP connection, which it makes."""

    transport_name = "TCP"

    async def open(self) -> None:
        """Connect."""
        self.stream = _Stream(self)
        endpoint = TCP4ClientEndpoint(
            reactor, self.proxy.host, self.proxy.port, bindAddress=(self.address.host, 0)
        )
        connected: Deferred[Any] = endpoint.connect(Factory.forProtocol(lambda: self.stream))
        await connected
        self.address = HostPort(self.address.host, self.stream.transport.getHost().port)

    def close(self) -> Deferred[Any]:
        """Close the connection."""
        if not self.closed:
            self.stream.transport.abortConnection()
        return self.stream.ended

    def send(self, data: bytes) -> None:
        """Send octets."""
        self.stream.transport.write(data)


class _Stream(Protocol):
    transport: Any

    def __init__(self, phone: RawStreamPhone) -> None:
        self._phone = phone
        self._parser = StreamParser()
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Keep each message."""
        self._phone.received += [item for item in self._parser.feed(data) if isinstance(item, bytes)]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note it."""
        self._phone.closed = True
        self.ended.callback(None)


KINDS = {"udp": RawPhone, "tcp": RawStreamPhone}


def via_port(message: bytes) -> int:
    """Return the port to which the response to a message goes over UDP, read with as little as can be."""
    match = re.search(rb"\r\n(?i:v|via)[ \t]*:[ \t]*SIP/[^ ]+ (?:\[[^]]*\]|[^ :;\r]+):([0-9]+)", message)
    return int(match[1]) if match else SIP_PORT


class RawCase(NodeTestCase):
    """Nodes whose phones are raw ones over UDP."""

    async def raw(self, node: str, person: str) -> RawPhone:
        """Register a raw phone, and wait until its person can be found."""
        phone = RawPhone(self.nodes.proxy(node), 0)
        await phone.open()
        self.addCleanup(phone.close)
        phone.register(f"sip:{person}")
        await self.eventually(lambda: bool(phone.finals("REGISTER")) and self._is_published(node))
        return phone
