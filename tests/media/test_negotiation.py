"""Tests of p2pship.media.relay: addresses and flows that are staged, and those that have taken effect."""

from __future__ import annotations

from tests.media.loopback import RelayCase


class NegotiationTests(RelayCase):
    """What was said takes effect with commit, and not before."""

    def test_nothing_agreed(self) -> None:
        """A relay that was just opened passes nothing."""
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertEqual(self.peer.log, [])
        self.assertEqual(self.relay.strangers, 1)

    def test_early_media(self) -> None:
        """The phone's half may be committed first: the peer is heard, the phone not yet."""
        self.relay.to_phone(self.rtp.at, self.rtcp.at)
        self.relay.commit()
        self.peer.deliver(self.relay.flow, b"ringing tone")
        self.assertEqual(self.rtp.hears()[0], b"ringing tone")
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [])
        self.relay.to_peer(40, 41)
        self.relay.commit()
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"voice")])

    def test_staged_waits(self) -> None:
        """An offer under way changes nothing."""
        self.agree(self.rtp.at, self.rtcp.at)
        self.relay.to_phone(self.other.at, None)
        self.relay.to_peer(60, 61)
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertEqual(self.rtp.hears()[0], b"voice")
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"voice")])

    def test_rollback(self) -> None:
        """A failed re-INVITE is forgotten: the next commit finds what was agreed before."""
        self.agree(self.rtp.at, self.rtcp.at)
        self.relay.to_phone(self.other.at, None)
        self.relay.to_peer(60, 61)
        self.relay.rollback()
        self.relay.commit()
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"voice")])
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertEqual(self.rtp.hears()[0], b"voice")
        self.assertTrue(self.other.is_silent())

    def test_phone_moves(self) -> None:
        """A committed re-INVITE moves the phone: the new address is locked, the old one is a stranger, the ports stay."""
        self.agree(self.rtp.at, self.rtcp.at)
        self.rtp.send(b"old", self.relay.port)
        self.pump()
        port, flow = self.relay.port, self.relay.flow
        moved = self.phone()
        self.agree(moved.at, self.rtcp.at)
        self.assertEqual((self.relay.port, self.relay.flow), (port, flow))
        self.rtp.send(b"late", self.relay.port)
        self.pump()
        moved.send(b"new", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"old"), (40, b"new")])
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertEqual(moved.hears()[0], b"voice")
        self.assertTrue(self.rtp.is_silent())
