"""Tests of the next hops: where a request to a phone goes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.address import HostPort
from p2pship.interfaces import ISIPHop
from p2pship.sip.hops import LARGEST_PAYLOAD, PeerHop, hop_to_phone
from p2pship.sip.udp import NotSent
from tests.sip.exchange import make_request
from tests.sip.fakes import FakeHop, FakeHops, FakePeer


class HopToPhoneTests(SynchronousTestCase):
    """The hop for a request to a phone."""

    def setUp(self) -> None:
        """A phone has registered over UDP, another over TCP by a connection from port 40000."""
        self.hops = FakeHops()
        self.udp, self.tcp = FakeHop(5070), FakeHop(40_000, "TCP")
        self.hops.connected.add(HostPort("127.0.0.1", 40_000))

    def _hop(self, target: str, registered: FakeHop, *routes: str) -> tuple[str, int | None]:
        hop = hop_to_phone(self.hops, target, routes, registered)
        return hop.transport, None if hop.address is None else hop.address.port

    def test_interface(self) -> None:
        """A peer is a hop as a phone is."""
        self.assertTrue(verifyObject(ISIPHop, PeerHop(FakePeer("a@example.com", "b@example.com"))))

    def test_too_long_for_a_link(self) -> None:
        """A message that grew beyond what a payload carries is not sent, which is no fault of ours."""
        peer = FakePeer("a@example.com", "b@example.com")
        request = make_request("MESSAGE")
        request.body = bytes(LARGEST_PAYLOAD)
        self.assertRaises(NotSent, PeerHop(peer).send, request)
        self.assertEqual(peer.sent, [])

    def test_contact(self) -> None:
        """A phone is where its Contact says, by the transport that it names, or at its first route."""
        self.assertEqual(self._hop("sip:bob@127.0.0.1:5080", self.udp), ("UDP", 5080))
        self.assertEqual(self._hop("sip:bob@127.0.0.1", self.udp), ("UDP", 5060))
        self.assertEqual(self._hop("sip:bob@127.0.0.1:5080;transport=tcp", self.udp), ("TCP", 5080))
        self.assertEqual(self._hop("sip:bob@x.invalid", self.udp, "<sip:127.0.0.1:5090;lr>"), ("UDP", 5090))

    def test_made_up_host(self) -> None:
        """A Contact whose host is no address means where the phone registered from."""
        self.assertEqual(self._hop("sip:bob@x.invalid", self.udp), ("UDP", 5070))
        self.assertEqual(self._hop("sip:bob@x.invalid;transport=tcp", self.tcp), ("TCP", 40_000))

    def test_other_transports(self) -> None:
        """A transport that this node does not speak means where the phone registered from: there it is reached."""
        for transport in ("tls", "TLS", "ws", "sctp"):
            target = f"sip:bob@127.0.0.1:5080;transport={transport}"
            self.assertEqual(self._hop(target, self.udp), ("UDP", 5070))
            self.assertEqual(self._hop(target, self.tcp), ("TCP", 40_000))
        self.assertEqual(self._hop("sip:bob@127.0.0.1:5080;transport=UDP", self.udp), ("UDP", 5080))

    def test_connection(self) -> None:
        """A phone that registered over TCP is reached over that connection."""
        self.assertEqual(self._hop("sip:bob@127.0.0.1:5080;transport=tcp", self.tcp), ("TCP", 40_000))
        self.assertEqual(self._hop("sip:bob@127.0.0.1:5080", self.tcp), ("TCP", 40_000))

    def test_lost_connection(self) -> None:
        """When that connection is gone, a new one is made to its Contact."""
        self.hops.connected.clear()
        self.assertEqual(self._hop("sip:bob@127.0.0.1:5080;transport=tcp", self.tcp), ("TCP", 5080))
        self.assertEqual(self._hop("sip:bob@127.0.0.1:5080", self.tcp), ("TCP", 5080))
