"""Tests for p2pship.bearer.udpway, without sockets."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.carried import Carried
from p2pship.bearer.channel import LAST_COUNTER, DatagramOpener, DatagramSealer
from p2pship.bearer.udpway import UDPWay
from p2pship.bearer.udpwire import ID_SIZE
from p2pship.journal import Journal

KEY = bytes(range(16))
HERE, THERE, GROUP = ("192.0.2.1", 1), ("192.0.2.2", 2), ("224.0.0.1", 3)


class FakePort:
    """Writes down what is sent, or fails as it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []
        self.fails = 0

    def send(self, datagram: bytes, address: Any) -> int:
        if self.fails:
            raise OSError(self.fails, os.strerror(self.fails))
        self.sent.append((datagram, address))
        return len(datagram)


class UDPWayTests(SynchronousTestCase):
    """One way."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = Journal()
        self.ends: list[bool] = []
        self.one, self.other = FakePort(), FakePort()
        self.way = self.make(DatagramSealer(KEY))

    def make(self, sealer: DatagramSealer) -> UDPWay:
        """Return a way from the first port to the first address."""
        port: Any = self.one
        return UDPWay(
            self.clock, self.journal, sealer, b"\1abc", port, HERE, os.urandom, lambda: self.ends.append(True)
        )

    def opened(self, port: FakePort) -> tuple[int, bytes]:
        """Return what the last datagram of a port says."""
        datagram, _address = port.sent[-1]
        self.assertEqual(datagram[:ID_SIZE], b"\1abc")
        return DatagramOpener(KEY).open(datagram[ID_SIZE:])

    def test_put(self) -> None:
        """What is sent is sealed, for the other side's connection id, and goes to its address."""
        self.assertTrue(self.way.put(Carried.MEDIA, b"voice"))
        self.assertEqual(self.opened(self.one), (Carried.MEDIA, b"voice"))
        self.assertEqual(self.one.sent[0][1], HERE)

    def test_not_taken(self) -> None:
        """What the system does not take is counted; what is too large for the path is told, and known from then on."""
        self.way.mtu.wanted(0.0)
        number, room = self.way.mtu.probe(0.0) or (0, 0)
        self.way.mtu.probed(number, 0.0)
        self.assertEqual(self.way.mtu.room, room)
        self.one.fails = errno.ENOBUFS
        self.assertTrue(self.way.put(Carried.MEDIA, bytes(room)))
        self.one.fails = errno.EMSGSIZE
        self.assertTrue(self.way.put(Carried.MEDIA, bytes(self.way.base_room)))
        self.assertEqual((self.journal.counts["udp.unsent"], self.way.mtu.room), (2, room))
        self.assertFalse(self.way.put(Carried.MEDIA, bytes(room)))
        self.assertEqual((self.journal.counts["udp.unsent"], self.way.mtu.room), (2, self.way.base_room))

    def test_worn_out(self) -> None:
        """When the key may seal no more, nothing leaves and the link is told."""
        way = self.make(DatagramSealer(KEY, LAST_COUNTER))
        way.put(Carried.MEDIA, b"last")
        self.assertEqual(self.ends, [])
        way.put(Carried.MEDIA, b"one more")
        self.assertEqual((self.ends, len(self.one.sent)), ([True], 1))

    def test_moves(self) -> None:
        """An address is asked from the port where it was heard; the right reply from there moves the way."""
        other: Any = self.other
        self.way.ask(THERE, other)
        kind, token = self.opened(self.other)
        self.assertEqual((kind, self.other.sent[0][1], self.one.sent), (Carried.QUESTION, THERE, []))
        self.assertFalse(self.way.replied(token, HERE, other))
        self.assertFalse(self.way.replied(token[::-1], THERE, other))
        self.assertEqual(self.way.address, HERE)
        self.assertTrue(self.way.replied(token, THERE, other))
        self.assertEqual((self.way.address, str(self.way.remote)), (THERE, "192.0.2.2:2"))
        self.way.put(Carried.MEDIA, b"voice")
        self.assertEqual(self.other.sent[-1][1], THERE)

    def test_asks_no_group(self) -> None:
        """Nobody is made to ask a whole network, nor one address again and again."""
        other: Any = self.other
        self.way.ask(GROUP, other)
        self.assertEqual(self.other.sent, [])
        self.assertTrue(self.way.may_ask())
        self.way.ask(THERE, other)
        self.assertFalse(self.way.may_ask())
        self.clock.advance(1)
        self.assertTrue(self.way.may_ask())
