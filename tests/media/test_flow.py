"""Tests for p2pship.media.flow: who of several relays takes what the peer sends to one flow."""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.interfaces import IPeer
from p2pship.media.flow import Flow
from tests.media.loopback import FakePeer


class Outlet:
    """Keeps what the phone would get."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, packet: bytes) -> None:
        """Keep a packet."""
        self.sent.append(packet)


class Carrier:
    """A relay."""

    def __init__(self) -> None:
        self.outlets = Outlet(), Outlet()

    @property
    def sent(self) -> tuple[list[bytes], list[bytes]]:
        """What went to the phone as RTP and as RTCP."""
        return self.outlets[0].sent, self.outlets[1].sent


class FlowTests(SynchronousTestCase):
    """Two relays at one flow."""

    def setUp(self) -> None:
        self.now = 100.0
        self.peer, self.first, self.second = FakePeer(), Carrier(), Carrier()
        self.flow = Flow(cast(IPeer, self.peer), lambda: self.now, self.first)

    def deliver(self, packet: bytes, report: bool = False) -> None:
        """Let the peer send a packet."""
        self.peer.deliver(self.flow.number + report, packet)

    def test_halves(self) -> None:
        """The even number is RTP, the next RTCP; when the last packet came is known."""
        self.now = 107.0
        self.deliver(b"voice")
        self.deliver(b"report", report=True)
        self.assertEqual(self.first.sent, ([b"voice"], [b"report"]))
        self.assertEqual((self.flow.packets, self.flow.heard_at), (2, 107.0))

    def test_first_takes(self) -> None:
        """Whoever joins gets nothing as long as the first is there, and then all; what the first took is not counted again."""
        self.flow.join(self.second)
        self.deliver(b"one")
        self.assertTrue(self.flow.carries(self.first))
        self.flow.leave(self.first)
        self.deliver(b"two")
        self.assertTrue(self.flow.carries(self.second))
        self.assertEqual((self.first.sent, self.second.sent), (([b"one"], []), ([b"two"], [])))
        self.assertEqual(self.flow.packets, 1)

    def test_other_leaves(self) -> None:
        """That another leaves changes nothing, and with the last the number is given back."""
        self.flow.join(self.second)
        self.flow.leave(self.second)
        self.deliver(b"one")
        self.assertEqual((self.first.sent[0], self.flow.packets), ([b"one"], 1))
        self.flow.leave(self.first)
        self.assertEqual(self.peer.receivers, {})
        self.assertFalse(self.flow.carries(self.first))

    def test_aim(self) -> None:
        """With RTCP on the same port as RTP, both halves leave from there."""
        self.first.outlets = self.first.outlets[0], self.first.outlets[0]
        self.flow.aim()
        self.deliver(b"report", report=True)
        self.assertEqual(self.first.sent[0], [b"report"])

    def test_no_number(self) -> None:
        """A peer without a number left is an error of this node's."""
        self.peer.full = True
        self.assertRaises(LocalError, Flow, cast(IPeer, self.peer), lambda: self.now, self.second)
