"""Tests of SIP as what rides on peers: each peer in its turn, and its payloads acknowledged when they have been served."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError, PayloadRefused
from p2pship.interfaces import IPeer, ISubprotocol
from p2pship.journal import Journal
from p2pship.sip.intake import Intake
from p2pship.sip.message import BadMessage, Message, Request
from p2pship.sip.subprotocol import SIPSubprotocol
from p2pship.sip.turns import CAPACITY, SHARE
from tests.sip.exchange import make_request
from tests.sip.fakes import FakePeer


class Proxy:
    """Notes what it is handed."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def message_from_peer(self, peer: IPeer, message: Message) -> None:
        """Take a message."""
        assert isinstance(message, Request)
        self.told.append(f"{peer.aor} {message.method}")

    def sent_to(self, peer: IPeer) -> list[str]:
        """Tell what is under way: here that is how much had been told by then."""
        return [str(len(self.told))]

    def peer_lost(self, peer: IPeer, reason: str, sent: list[str]) -> None:
        """Hear of a loss."""
        self.told.append(f"{peer.aor} lost, and {sent[0]} before")


class SubprotocolTests(SynchronousTestCase):
    """Two peers, one of them mad."""

    def setUp(self) -> None:
        self.clock, self.journal, self.proxy = Clock(), Journal(), Proxy()
        self.intake = Intake(self.clock, self.journal)
        proxy: Any = self.proxy
        self.sip = SIPSubprotocol(proxy, self.intake)
        self.mad, self.alice = (FakePeer("bob@example.com", name) for name in ("mad", "alice"))

    def send(self, peer: FakePeer, method: str, octets: int = 0) -> Deferred[bytes]:
        """Let a peer send a request of another device."""
        return self.sip.payload_received(peer, make_request(method).encode() + bytes(octets))

    def test_interface(self) -> None:
        """It is a subprotocol."""
        verifyObject(ISubprotocol, self.sip)

    def test_served(self) -> None:
        """A payload is acknowledged when it has been served; what is no SIP is refused."""
        good, bad = self.send(self.alice, "BYE"), self.sip.payload_received(self.alice, b"garbage")
        self.assertNoResult(good)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(good), b"")
        self.failureResultOf(bad, BadMessage)
        self.assertEqual(self.proxy.told, ["alice BYE"])

    def test_flood(self) -> None:
        """A peer that sends too much is refused before anything is parsed, and another is served as if it were not there."""
        refused = 0
        for _ in range(2_000):
            try:
                self.send(self.mad, "OPTIONS", CAPACITY // SHARE // 500)
            except PayloadRefused:
                refused += 1
        self.assertGreater(refused, 1_000)
        self.send(self.alice, "INVITE")
        self.clock.advance(0)
        self.assertEqual(self.proxy.told[:3], ["mad OPTIONS", "alice INVITE", "mad OPTIONS"])
        self.assertEqual(self.journal.counts["sip.flood"], refused)

    def test_handed_over(self) -> None:
        """What the other half of this node hands over is served in a later turn, in order with what its payloads brought."""
        self.send(self.alice, "INVITE")
        self.sip.handed_over(self.alice, make_request("CANCEL"), 500)
        self.assertEqual(self.proxy.told, [])
        self.clock.advance(0)
        self.assertEqual(self.proxy.told, ["alice INVITE", "alice CANCEL"])

    def test_handed_over_in_a_flood(self) -> None:
        """What is handed over has the same room as what comes over a link: an eighth of all."""
        message = make_request("OPTIONS")
        for _ in range(SHARE):
            self.sip.handed_over(self.mad, message, CAPACITY // SHARE // SHARE // 2)
        self.assertRaises(PayloadRefused, self.sip.handed_over, self.mad, message, CAPACITY // SHARE)
        self.assertEqual(self.journal.counts["sip.flood"], 1)
        self.assertRaises(LocalError, self.sip.handed_over, self.mad, b"octets", 6)

    def test_lost(self) -> None:
        """What a peer sent before it was lost is served before: its CANCEL says why it went."""
        self.send(self.alice, "CANCEL")
        self.sip.peer_lost(self.alice, "it is stopping")
        self.clock.advance(0)
        self.assertEqual(self.proxy.told, ["alice CANCEL", "alice lost, and 0 before"])

    def test_lost_at_the_end(self) -> None:
        """When nothing is served any more, a loss is told at once."""
        self.send(self.alice, "CANCEL")
        self.intake.stop()
        self.sip.peer_lost(self.alice, "it is stopping")
        self.assertEqual(self.proxy.told, ["alice lost, and 0 before"])

    def test_stream(self) -> None:
        """SIP has no streams."""
        stream: Any = None
        self.assertIsNone(self.sip.stream_opened(self.alice, stream))
