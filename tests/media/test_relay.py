"""Media relays over real sockets, with a clock that the tests move."""

from __future__ import annotations

import errno
import resource
import socket
from typing import cast

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.address import HostPort
from p2pship.errors import LocalError
from p2pship.interfaces import IMediaRelay, IMediaRelays, IPeer
from p2pship.media.relay import SHARE, MediaRelays, MediaSettings
from p2pship.testing.programs import free_ports
from tests.bearer.fakes import has_ipv6
from tests.media.loopback import HOST, FakePeer, Phone, RelayCase


class MediaRelayTests(RelayCase):
    """What passes, and where it goes."""

    def setUp(self) -> None:
        """Agree on two ports and two flows."""
        super().setUp()
        self.agree(self.rtp.at, self.rtcp.at)

    def test_interfaces(self) -> None:
        """The relays and each relay keep their contracts."""
        verifyObject(IMediaRelays, self.relays)
        verifyObject(IMediaRelay, self.relay)

    def test_from_phone(self) -> None:
        """What comes to the even port goes to the RTP flow, what comes to the odd one to the RTCP flow, unchanged."""
        self.rtp.send(b"\x80voice", self.relay.port)
        self.pump()
        self.rtcp.send(b"\x81report", self.relay.port + 1)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"\x80voice"), (41, b"\x81report")])

    def test_from_peer(self) -> None:
        """The even flow goes to the phone's RTP address from the even port, the odd one to RTCP from the odd port."""
        self.peer.deliver(self.relay.flow, b"voice")
        self.peer.deliver(self.relay.flow + 1, b"report")
        self.assertEqual(self.rtp.hears(), (b"voice", self.relay.port))
        self.assertEqual(self.rtcp.hears(), (b"report", self.relay.port + 1))

    def test_phone_multiplexes(self) -> None:
        """With one address for both, the phone gets RTCP there too, from the port to which it sends both."""
        self.agree(self.rtp.at, self.rtp.at)
        self.peer.deliver(self.relay.flow + 1, b"report")
        self.assertEqual(self.rtp.hears(), (b"report", self.relay.port))

    def test_phone_multiplexes_to_the_odd_port(self) -> None:
        """A phone that sends from its one port to the RTCP port is still taken for the phone."""
        self.agree(self.rtp.at, self.rtp.at)
        self.rtp.send(b"report", self.relay.port + 1)
        self.pump()
        self.assertEqual(self.peer.log, [(41, b"report")])

    def test_peer_multiplexes(self) -> None:
        """With one flow for both, what comes to the RTCP port goes to the RTP flow."""
        self.relay.to_peer(40, 40)
        self.relay.commit()
        self.rtcp.send(b"report", self.relay.port + 1)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"report")])

    def test_both_multiplex(self) -> None:
        """With rtcp-mux everything takes the RTP port and the RTP flow, in both directions."""
        self.agree(self.rtp.at, self.rtp.at)
        self.relay.to_peer(40, 40)
        self.relay.commit()
        for packet in (b"voice", b"report"):
            self.rtp.send(packet, self.relay.port)
            self.pump()
            self.peer.deliver(self.relay.flow, packet)
            self.assertEqual(self.rtp.hears(), (packet, self.relay.port))
        self.assertEqual(self.peer.log, [(40, b"voice"), (40, b"report")])

    def test_largest_packet(self) -> None:
        """A packet as large as UDP allows is not cut."""
        packet = bytes(65507)
        self.rtp.send(packet, self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, packet)])

    def test_empty_packet(self) -> None:
        """An empty datagram, which some phones send to keep a NAT open, passes as it is."""
        self.rtp.send(b"", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"")])

    def test_phone_refused(self) -> None:
        """With no address nothing goes to the phone, and what it sends from its last address still passes."""
        self.relay.to_phone(None, None)
        self.relay.commit()
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertTrue(self.rtp.is_silent())
        self.rtp.send(b"music on hold", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"music on hold")])

    def test_phone_resumes(self) -> None:
        """After a hold without address the same phone has its place again."""
        self.rtp.send(b"before", self.relay.port)
        self.pump()
        self.agree(None, None)
        self.agree(self.rtp.at, self.rtcp.at)
        self.peer.deliver(self.relay.flow, b"after")
        self.assertEqual(self.rtp.hears()[0], b"after")

    def test_peer_refused(self) -> None:
        """With no flow nothing is cast, and what the peer sends still passes."""
        self.relay.to_peer(None, None)
        self.relay.commit()
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [])
        self.peer.deliver(self.relay.flow, b"announcement")
        self.assertEqual(self.rtp.hears()[0], b"announcement")

    def test_unsent(self) -> None:
        """A packet that the system refuses is counted, and the next one passes."""
        self.peer.deliver(self.relay.flow, bytes(65508))
        self.assertEqual(self.journal.counts["media.unsent"], 1)
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertEqual(self.rtp.hears()[0], b"voice")

    def test_phone_is_gone(self) -> None:
        """Packets to a port that nobody has disturb neither the relay nor the other direction."""
        self.rtcp.socket.close()
        for _ in range(3):
            self.peer.deliver(self.relay.flow + 1, b"report")
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"voice")])

    def test_other_family(self) -> None:
        """An IPv6 address in the SDP of a phone that is served over IPv4 is not sent to."""
        self.agree(HostPort("::1", 4000), HostPort("::1", 4001))
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertEqual(self.journal.counts["media.unsent"], 0)
        self.assertEqual(self.relay.from_peer, 1)

    def test_ipv6(self) -> None:
        """A phone on ::1 is served there."""
        if not has_ipv6():
            self.skipTest("this machine has no IPv6")
        self.relay = self.opened("::1")
        phone, other = self.phone("::1"), self.phone("::1")
        self.agree(phone.at, phone.at)
        phone.send(b"voice", self.relay.port)
        self.pump()
        other.send(b"noise", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"voice")])
        self.peer.deliver(self.relay.flow, b"answer")
        self.assertEqual(phone.hears()[0], b"answer")

    def test_counts(self) -> None:
        """A relay counts each direction and its strangers, and the relays keep the sum of those that have closed."""
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.other.send(b"noise", self.relay.port)
        self.pump()
        for _ in range(2):
            self.peer.deliver(self.relay.flow, b"answer")
        relay = self.relay
        self.assertEqual((relay.from_phone, relay.from_peer, relay.strangers), (1, 2, 1))
        self.assertEqual((self.relays.count, self.relays.packets), (1, 3))
        relay.close()
        self.assertEqual((self.relays.count, self.relays.packets), (0, 3))

    def test_heard_at(self) -> None:
        """It tells when either side was last heard; a stranger does not count."""
        self.assertEqual(self.relay.heard_at, 0.0)
        self.reactor.advance(10)
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.relay.heard_at, 10.0)
        self.reactor.advance(10)
        self.peer.deliver(self.relay.flow, b"answer")
        self.assertEqual(self.relay.heard_at, 20.0)
        self.reactor.advance(10)
        self.other.send(b"noise", self.relay.port)
        self.pump()
        self.assertEqual(self.relay.heard_at, 20.0)

    def test_long_hold(self) -> None:
        """A line that is silent for days is open as before, and no timer waits for it."""
        self.reactor.advance(3 * 86400)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.rtp.send(b"hello again", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"hello again")])


class MediaRelaysTests(RelayCase):
    """How ports and flows are given out and taken back."""

    def narrow(self, port: int, pairs: int) -> MediaRelays:
        """Make relays with so many pairs of ports."""
        settings = MediaSettings(first_port=port, last_port=port + 2 * pairs - 1)
        relays = MediaRelays(self.reactor, settings, self.journal)
        self.addCleanup(relays.close)
        return relays

    def test_ports(self) -> None:
        """Each relay has an even port of the range, and the next; both are taken from everybody else."""
        self.assertEqual(self.relay.port % 2, 0)
        self.assertIn(self.relay.port, range(16384, 32767))
        for port in (self.relay.port, self.relay.port + 1):
            error = self.assertRaises(OSError, Phone, HOST, port)
            self.assertEqual(error.errno, errno.EADDRINUSE)

    def test_ports_rest(self) -> None:
        """A pair that was given back is not the next one given out."""
        port = self.relay.port
        self.relay.close()
        self.assertNotEqual(self.opened().port, port)

    def test_random_start(self) -> None:
        """The first pair is where the random octets point."""
        settings = MediaSettings(first_port=free_ports(6), last_port=65535)
        relays = MediaRelays(self.reactor, settings, self.journal, lambda count: bytes(count - 1) + b"\2")
        self.addCleanup(relays.close)
        opened = relays.open(cast(IPeer, self.peer), HOST, HOST)
        self.assertEqual(opened.port, settings.first_port + 4)

    def test_taken_port_is_passed_over(self) -> None:
        """A pair of which somebody has the odd port is not given out, and its even port is not kept either."""
        first = free_ports(6)
        squatter = Phone(HOST, first + 1)
        self.addCleanup(squatter.socket.close)
        relays = self.narrow(first, 2)
        relay = relays.open(cast(IPeer, self.peer), HOST, HOST)
        self.assertEqual(relay.port, first + 2)
        Phone(HOST, first).socket.close()

    def test_no_port_left(self) -> None:
        """When the range is used up the error says so; a pair given back is given out again."""
        relays = self.narrow(free_ports(6), 2)
        first, _ = (relays.open(cast(IPeer, self.peer), HOST, HOST) for _ in range(2))
        error = self.assertRaises(LocalError, relays.open, self.peer, HOST, HOST)
        self.assertIn("is taken", str(error))
        first.close()
        self.assertEqual(relays.open(cast(IPeer, self.peer), HOST, HOST).port, first.port)

    def test_no_descriptor_left(self) -> None:
        """When no file can be opened the error says what to do, and nothing stays open."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        one_more = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        free = one_more.fileno()
        one_more.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
        error = self.assertRaises(LocalError, self.opened)
        self.assertIn("ulimit", str(error))
        self.assertEqual(self.relays.count, 1)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(len(self.peer.receivers), 1)
        self.opened()

    def test_most(self) -> None:
        """There are no more relays than leave half of the descriptors to others."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * SHARE, limits[1]))
        relays = self.narrow(16384, 100)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for name in "ab":
            relays.open(cast(IPeer, FakePeer(name)), HOST, HOST)
        error = self.assertRaises(LocalError, relays.open, FakePeer("c"), HOST, HOST)
        self.assertIn("ulimit", str(error))

    def test_not_our_address(self) -> None:
        """An address of another machine is refused with its name."""
        self.assertIn("192.0.2.1", str(self.assertRaises(LocalError, self.opened, "192.0.2.1")))

    def test_no_flow_left(self) -> None:
        """When the peer has no flow number left the ports are given back."""
        self.peer.full = True
        readers = list(self.reactor.getReaders())
        self.assertRaises(LocalError, self.opened)
        self.assertEqual(self.reactor.getReaders(), readers)
        self.assertEqual(self.relays.count, 1)

    def test_close(self) -> None:
        """Closing gives back both ports and the flow, and may be repeated; the relay then does nothing."""
        port = self.relay.port
        self.agree(self.rtp.at, self.rtcp.at)
        receiver = self.peer.receivers[self.relay.flow]
        for _ in range(2):
            self.relay.close()
        self.assertEqual(self.peer.receivers, {})
        self.assertEqual(self.reactor.getReaders(), [])
        for number in (port, port + 1):
            Phone(HOST, number).socket.close()
        receiver(2, b"late")
        self.relay.commit()
        self.assertTrue(self.rtp.is_silent())

    def test_close_all(self) -> None:
        """Closing the relays closes each of them."""
        self.opened()
        self.relays.close()
        self.assertEqual(self.relays.count, 0)
        self.assertEqual(self.reactor.getReaders(), [])


class MediaSettingsTests(SynchronousTestCase):
    """Which ranges can be configured."""

    def test_default(self) -> None:
        """The default range has 8,192 pairs."""
        self.assertEqual(len(MediaSettings().pairs), 8192)

    def test_odd_ends(self) -> None:
        """A range with odd ends gives the pairs that fit inside."""
        self.assertEqual(list(MediaSettings(first_port=20001, last_port=20006).pairs), [20002, 20004])

    def test_too_small(self) -> None:
        """A range without room for a pair is refused."""
        for first, last in ((20000, 20000), (20001, 20002), (30000, 20000)):
            self.assertRaises(ValueError, MediaSettings, first_port=first, last_port=last)
