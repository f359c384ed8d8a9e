"""What the tests of media relays share: a peer, phones with real sockets, and a clock that the tests move."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.errors import LocalError
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IPeer
from p2pship.journal import Journal
from p2pship.media.ears import Ears
from p2pship.media.relay import MediaRelay, MediaRelays, MediaSettings

HOST = "127.0.0.1"


class FakePeer:
    """The media part of a peer: notes what was cast, and delivers what the test says that the other side sent."""

    def __init__(
        self, aor: str = "bob@example.com", acquaintance: Acquaintance = Acquaintance.CONTACT
    ) -> None:
        self.aor = aor
        self.identity = SimpleNamespace(aor="alice@example.com")
        self.verdict = Verdict(NameGrade.KNOWN, acquaintance)
        self.log: list[tuple[int, bytes]] = []
        self.receivers: dict[int, Callable[[int, bytes], None]] = {}
        self.full = False
        self.joined: FakePeer | None = None

    def open_flow(self, receiver: Callable[[int, bytes], None]) -> int:
        """Give the next even number."""
        if self.full:
            raise LocalError("no flow number is left")
        flow = 2 * len(self.receivers) + 2
        self.receivers[flow] = receiver
        return flow

    def close_flow(self, flow: int) -> None:
        """Forget the receiver."""
        self.receivers.pop(flow, None)

    def cast(self, flow: int, packet: bytes) -> None:
        """Note it, and deliver it if this peer is joined to another."""
        self.log.append((flow, packet))
        if self.joined is not None:
            self.joined.deliver(flow, packet)

    def deliver(self, flow: int, packet: bytes) -> None:
        """Let the other side have sent a packet to a flow."""
        self.receivers[flow & ~1](flow, packet)


class Phone:
    """A UDP socket of the phone's, or of another process on the same machine."""

    def __init__(self, host: str = HOST, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.settimeout(10)
        self.host = host
        self.at = HostPort(host, self.socket.getsockname()[1])

    def send(self, packet: bytes, port: int) -> None:
        """Send to a port of the relay."""
        self.socket.sendto(packet, (self.host, port))

    def hears(self) -> tuple[bytes, int]:
        """Wait for a packet; return it and the port that it came from."""
        packet, source = self.socket.recvfrom(65535)
        return packet, source[1]

    def is_silent(self) -> bool:
        """Tell whether nothing has come. A local datagram is there when the call that sent it returns."""
        return not select.select([self.socket], [], [], 0)[0]


class RelayCase(SynchronousTestCase):
    """One relay on loopback, a phone with an RTP and an RTCP socket, and another process."""

    def setUp(self) -> None:
        """Open the relay, and agree on addresses and flows at time 0."""
        self.reactor = MemoryReactorClock()
        self.journal = Journal()
        self.relays = MediaRelays(self.reactor, MediaSettings(), self.journal)
        self.addCleanup(self.relays.close)
        self.peer = FakePeer()
        self.relay = self.opened()
        self.rtp, self.rtcp, self.other = self.phone(), self.phone(), self.phone()

    def phone(self, host: str = HOST) -> Phone:
        """Open a socket that the test closes."""
        phone = Phone(host)
        self.addCleanup(phone.socket.close)
        return phone

    def opened(self, host: str = HOST) -> MediaRelay:
        """Open a relay."""
        return self.relays.open(cast(IPeer, self.peer), host, host)

    def agree(self, rtp: HostPort | None, rtcp: HostPort | None) -> None:
        """Commit addresses of the phone and flows 40 and 41 of the peer."""
        self.relay.to_phone(rtp, rtcp)
        self.relay.to_peer(40, 41)
        self.relay.commit()

    def pump(self, packets: int = 1) -> None:
        """Let the ports take so many packets, waiting for each to be there."""
        target = self.seen() + packets
        while self.seen() < target:
            readable, _, _ = select.select(self.reactor.getReaders(), [], [], 10)
            self.assertTrue(readable, "no packet came")
            for port in readable:
                port.doRead()

    def seen(self) -> int:
        """Count the packets that reached the relays' ports."""
        return sum(port.strangers + sum(place.taken for place in port.places) for port in self.ports())

    def ports(self) -> list[Any]:
        """Return the ports that are open."""
        return [port for ears in self.reactor.getReaders() for port in cast(Ears, ears).readers]
