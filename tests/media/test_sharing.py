"""Relays of several answers to one offer, over real sockets: they share the flow, or the ports."""

from __future__ import annotations

from p2pship.errors import LocalError
from p2pship.media.latch import PATIENCE
from p2pship.media.relay import MediaRelay
from tests.media.loopback import Phone, RelayCase


class SharedFlowTests(RelayCase):
    """Our phone offered: two answers, two pairs of ports, one flow."""

    def setUp(self) -> None:
        """Give the phone two answers, of flows 40 and 50."""
        super().setUp()
        self.agree(self.rtp.at, self.rtcp.at)
        self.second = self.relays.open_beside(self.relay, own_ports=True)
        self.second.to_phone(self.rtp.at, self.rtcp.at)
        self.second.to_peer(50, 51)
        self.second.commit()

    def test_each_port_has_its_answer(self) -> None:
        """What the phone sends to one port goes to one answer's flow alone."""
        self.assertEqual(self.second.flow, self.relay.flow)
        self.assertNotEqual(self.second.port, self.relay.port)
        for relay, packet in ((self.relay, b"one"), (self.second, b"two")):
            self.rtp.send(packet, relay.port)
            self.pump()
        self.rtcp.send(b"report", self.second.port + 1)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"one"), (50, b"two"), (51, b"report")])

    def test_heard_once(self) -> None:
        """What comes to the flow goes to the phone once, from the first port; when that is closed, from the other."""
        self.peer.deliver(self.relay.flow, b"both")
        self.assertEqual(self.rtp.hears(), (b"both", self.relay.port))
        self.assertTrue(self.rtp.is_silent())
        self.relay.close()
        self.peer.deliver(self.second.flow, b"the winner")
        self.peer.deliver(self.second.flow + 1, b"report")
        self.assertEqual(self.rtp.hears(), (b"the winner", self.second.port))
        self.assertEqual(self.rtcp.hears(), (b"report", self.second.port + 1))

    def test_second_closes(self) -> None:
        """The first goes on when the second is closed."""
        self.second.close()
        self.peer.deliver(self.relay.flow, b"still")
        self.assertEqual(self.rtp.hears(), (b"still", self.relay.port))

    def test_flow_closes_with_the_last(self) -> None:
        """The flow and all ports are given back in the end, and each packet was counted once."""
        self.peer.deliver(self.relay.flow, b"a")
        self.relay.close()
        self.assertIn(self.second.flow, self.peer.receivers)
        self.peer.deliver(self.second.flow, b"b")
        self.assertEqual(self.relays.packets, 2)
        self.second.close()
        self.assertEqual((self.peer.receivers, self.reactor.getReaders()), ({}, []))
        self.assertEqual((self.relays.count, self.relays.packets), (0, 2))


class SharedPortsTests(RelayCase):
    """The peer offered: two phones behind one proxy were shown the same ports, and each has a flow of its own."""

    def setUp(self) -> None:
        """Let a second phone answer."""
        super().setUp()
        self.agree(self.rtp.at, self.rtcp.at)
        self.rtp2, self.rtcp2 = self.phone(), self.phone()
        self.second = self.relays.open_beside(self.relay, own_ports=False)
        self.show(self.second, self.rtp2, self.rtcp2)

    def show(self, relay: MediaRelay, rtp: Phone, rtcp: Phone) -> None:
        """Say where a phone is."""
        relay.to_phone(rtp.at, rtcp.at)
        relay.to_peer(40, 41)
        relay.commit()

    def test_each_flow_has_its_phone(self) -> None:
        """What comes to one flow goes to one phone, from the port that both were shown."""
        self.assertEqual(self.second.port, self.relay.port)
        for relay, rtp, rtcp in ((self.relay, self.rtp, self.rtcp), (self.second, self.rtp2, self.rtcp2)):
            self.peer.deliver(relay.flow, b"voice")
            self.peer.deliver(relay.flow + 1, b"report")
            self.assertEqual(rtp.hears(), (b"voice", self.relay.port))
            self.assertEqual(rtcp.hears(), (b"report", self.relay.port + 1))
        self.assertTrue(self.rtp.is_silent() and self.rtp2.is_silent())

    def test_both_are_heard(self) -> None:
        """Each phone is known by its address, and a third is still a stranger."""
        for phone, packet in ((self.rtp, b"a"), (self.rtp2, b"b"), (self.other, b"noise"), (self.rtp, b"c")):
            phone.send(packet, self.relay.port)
            self.pump()
        self.assertEqual(self.peer.log, [(40, b"a"), (40, b"b"), (40, b"c")])
        self.assertEqual((self.relay.from_phone, self.second.from_phone), (2, 1))
        self.assertEqual(self.journal.counts["media.stranger"], 1)

    def test_nobody_is_taken_for_the_other(self) -> None:
        """However long the first is silent, it does not latch to the second's address."""
        self.reactor.advance(2 * PATIENCE)
        self.rtp2.send(b"b", self.relay.port)
        self.pump()
        self.assertEqual((self.relay.from_phone, self.second.from_phone), (0, 1))
        self.peer.deliver(self.relay.flow, b"voice")
        self.assertEqual(self.rtp.hears()[0], b"voice")

    def test_first_closes(self) -> None:
        """When the first phone loses, the other keeps the port that it was shown; the first is then a stranger."""
        self.relay.close()
        self.relay.close()
        for phone, packet in ((self.rtp2, b"winner"), (self.rtp, b"loser")):
            phone.send(packet, self.second.port)
            self.pump()
        self.assertEqual(self.peer.log, [(40, b"winner")])
        self.peer.deliver(self.second.flow, b"voice")
        self.assertEqual(self.rtp2.hears(), (b"voice", self.second.port))
        self.second.close()
        self.assertEqual((self.peer.receivers, self.reactor.getReaders()), ({}, []))

    def test_second_closes(self) -> None:
        """When the second loses, the first goes on."""
        self.second.close()
        self.rtp.send(b"winner", self.relay.port)
        self.pump()
        self.rtp2.send(b"loser", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"winner")])

    def test_third_beside_the_second(self) -> None:
        """One more phone may come when the first is gone."""
        self.relay.close()
        third = self.relays.open_beside(self.second, own_ports=False)
        self.show(third, self.other, self.other)
        self.other.send(b"third", third.port)
        self.pump()
        self.assertEqual((third.port, third.from_phone), (self.second.port, 1))

    def test_no_flow_left(self) -> None:
        """A relay that cannot be had leaves the others as they are."""
        self.peer.full = True
        self.assertRaises(LocalError, self.relays.open_beside, self.relay, own_ports=False)
        self.assertRaises(LocalError, self.relays.open, self.peer, "127.0.0.1", "127.0.0.1")
        self.assertEqual(self.relays.count, 2)
        self.rtp.send(b"voice", self.relay.port)
        self.pump()
        self.assertEqual(self.peer.log, [(40, b"voice")])
        self.assertEqual(len(self.ports()), 2)
