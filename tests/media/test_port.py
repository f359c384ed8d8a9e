"""One port towards a phone: whom it takes for the phone, and what a turn of it does."""

from __future__ import annotations

import select
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.interfaces import IPeer
from p2pship.journal import Journal
from p2pship.media.relay import MediaRelays, MediaSettings
from tests.media.loopback import HOST, FakePeer, Phone, RelayCase


class StrangerTests(RelayCase):
    """Another process of the phone's machine sends to the relay's ports; it has the phone's host, but not its port."""

    def setUp(self) -> None:
        """Agree on the phone's ports."""
        super().setUp()
        self.agree(self.rtp.at, self.rtcp.at)

    def send(self, phone: Phone, packet: bytes) -> None:
        """Send to the RTP port and have it taken or dropped."""
        phone.send(packet, self.relay.port)
        self.pump()

    def assertHears(self, phone: Phone) -> None:
        """Assert that the phone hears the peer."""
        self.peer.deliver(self.relay.flow, b"peer")
        self.assertEqual(phone.hears()[0], b"peer")

    def test_first(self) -> None:
        """Who comes before the phone is dropped and counted, and hears nothing."""
        self.send(self.other, b"noise")
        self.send(self.rtp, b"voice")
        self.assertEqual(self.peer.log, [(40, b"voice")])
        self.assertEqual(self.journal.counts["media.stranger"], 1)
        self.assertHears(self.rtp)
        self.assertTrue(self.other.is_silent())

    def test_during(self) -> None:
        """Who comes in the middle of a call is dropped, though the phone was silent for minutes."""
        self.send(self.rtp, b"voice")
        self.reactor.advance(600)
        self.send(self.other, b"noise")
        self.send(self.rtp, b"more voice")
        self.assertEqual(self.peer.log, [(40, b"voice"), (40, b"more voice")])
        self.assertHears(self.rtp)
        self.assertTrue(self.other.is_silent())

    def test_after(self) -> None:
        """Who comes when the line is closed reaches nothing."""
        self.send(self.rtp, b"voice")
        self.relay.close()
        self.other.send(b"noise", self.relay.port)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.peer.log, [(40, b"voice")])

    def test_phone_uses_another_port(self) -> None:
        """A phone that sends from another port than its SDP says is taken after 2 s, and heard there."""
        self.send(self.other, b"too early")
        self.reactor.advance(2)
        self.send(self.other, b"voice")
        self.assertEqual(self.peer.log, [(40, b"voice")])
        self.assertHears(self.other)

    def test_only_one_latches(self) -> None:
        """When one has latched, a second is dropped."""
        second = self.phone()
        self.reactor.advance(2)
        self.send(self.other, b"voice")
        self.send(second, b"noise")
        self.assertEqual(self.peer.log, [(40, b"voice")])
        self.assertHears(self.other)
        self.assertTrue(second.is_silent())

    def test_phone_takes_over(self) -> None:
        """A stranger that latched during a long ringing loses its place to the phone's first packet."""
        self.reactor.advance(30)
        self.send(self.other, b"noise")
        self.assertHears(self.other)
        self.send(self.rtp, b"voice")
        self.assertHears(self.rtp)
        self.send(self.other, b"noise")
        self.assertEqual(self.peer.log, [(40, b"noise"), (40, b"voice")])
        self.assertTrue(self.other.is_silent())

    def test_ports_latch_separately(self) -> None:
        """RTP being locked says nothing of RTCP, which latches for itself."""
        self.send(self.rtp, b"voice")
        self.reactor.advance(2)
        self.other.send(b"report", self.relay.port + 1)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"voice"), (41, b"report")])
        self.peer.deliver(self.relay.flow + 1, b"report")
        self.assertEqual(self.other.hears(), (b"report", self.relay.port + 1))
        self.assertHears(self.rtp)

    def test_another_host(self) -> None:
        """Another host than the phone signals from never latches."""
        elsewhere = Phone("127.0.0.2")
        self.addCleanup(elsewhere.socket.close)
        self.reactor.advance(60)
        elsewhere.socket.sendto(b"noise", (HOST, self.relay.port))
        self.pump()
        self.assertEqual(self.peer.log, [])
        self.assertEqual(self.relay.strangers, 1)


class MediaPortTests(RelayCase):
    """What the reactor asks of a port."""

    def setUp(self) -> None:
        """Agree on the phone's ports."""
        super().setUp()
        self.agree(self.rtp.at, self.rtcp.at)

    def test_one_at_a_time(self) -> None:
        """Of a flood at one port a packet is taken at each turn, so that other ports have theirs."""
        for _ in range(3):
            self.rtp.send(b"flood", self.relay.port)
        self.rtcp.send(b"report", self.relay.port + 1)
        self.turn()
        self.assertEqual(sorted(self.peer.log), [(40, b"flood"), (41, b"report")])
        self.turn()
        self.assertEqual(self.peer.log[2:], [(40, b"flood")])

    def turn(self) -> None:
        """Let the reactor see that something has come."""
        (ears,) = self.reactor.getReaders()
        select.select([ears], [], [], 10)
        ears.doRead()

    def test_nothing_there(self) -> None:
        """A port that is told in vain waits on."""
        cast(Any, self.relay._rtp).doRead()
        self.assertEqual(self.peer.log, [])

    def test_closed_by_a_packet(self) -> None:
        """A relay may be closed while it passes a packet on."""
        self.rtp.send(b"one", self.relay.port)
        self.rtp.send(b"two", self.relay.port)
        port = cast(Any, self.relay._rtp)
        port._cast = lambda flow, packet: self.relay.close()
        select.select([port], [], [], 10)
        port.doRead()
        self.assertEqual(self.relay.from_phone, 1)
        self.assertEqual(port.fileno(), -1)


class Listener(DatagramProtocol):
    """A phone in this process: fires with the first packet that it hears."""

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Take a packet."""
        self.heard.callback(datagram)


class ReactorTests(TestCase):
    """A relay in the reactor that Twisted runs."""

    async def test_phone_to_phone(self) -> None:
        """A packet passes from one phone through two relays whose peers are joined to the other phone, and back."""
        relays = MediaRelays(cast(Any, reactor), MediaSettings(), Journal())
        self.addCleanup(relays.close)
        peers = FakePeer(), FakePeer()
        first, second = (relays.open(cast(IPeer, peer), HOST, HOST) for peer in peers)
        for here, there in (peers, peers[::-1]):
            here.joined = there
        phones = Listener(), Listener()
        for phone, relay, far in zip(phones, (first, second), (second, first), strict=True):
            port = cast(Any, reactor).listenUDP(0, phone, interface=HOST)
            self.addCleanup(port.stopListening)
            relay.to_phone(HostPort(HOST, port.getHost().port), None)
            relay.to_peer(far.flow, None)
            relay.commit()
        cast(Any, phones[0].transport).write(b"question", (HOST, first.port))
        self.assertEqual(await phones[1].heard, b"question")
        cast(Any, phones[1].transport).write(b"answer", (HOST, second.port))
        self.assertEqual(await phones[0].heard, b"answer")
