"""Tests of the UDP port towards phones: how much it reads at a time."""

from __future__ import annotations

import socket

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SkipTest, TestCase

from p2pship import datagrams
from p2pship.sip.datagram_port import DatagramPort
from tests.sip.phone_sockets import HOST, reactor


class Taker(DatagramProtocol):
    """Takes datagrams; fails with those that say so."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Take a datagram."""
        self.taken.append(datagram)
        if datagram == b"bad":
            raise ZeroDivisionError


class DatagramPortTests(TestCase):
    """A port, and somebody who sends to it."""

    def setUp(self) -> None:
        self.taker = Taker()
        self.port = DatagramPort(0, self.taker, HOST, 65_535, reactor)
        self.port.startListening()
        self.addCleanup(self.port.stopListening)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)
        self.sender.connect((HOST, self.port.getHost().port))

    def test_empty_datagrams(self) -> None:
        """Of a flood, be it of empty datagrams, only so many are read before the reactor looks at other sockets."""
        self.patch(datagrams, "MOST_READ", 20)
        for _ in range(30):
            self.sender.send(b"")
        self.port.doRead()
        self.assertEqual(self.taker.taken, [b""] * 20)
        self.port.doRead()
        self.assertEqual(len(self.taker.taken), 30)

    def test_one_that_fails(self) -> None:
        """One datagram that makes our code fail is logged, and the next one is read."""
        self.sender.send(b"bad")
        self.sender.send(b"good")
        self.port.doRead()
        self.assertEqual(self.taker.taken, [b"bad", b"good"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_both_families(self) -> None:
        """Who listens on all addresses of IPv6 hears IPv4, and answers it."""
        try:
            both = DatagramPort(0, taker := Taker(), "::", 65_535, reactor)
            both.startListening()
        except CannotListenError:
            raise SkipTest("there is no IPv6 here") from None
        self.addCleanup(both.stopListening)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(2)
            sender.connect((HOST, both.getHost().port))
            sender.send(b"question")
            both.doRead()
            both.write(b"answer", sender.getsockname())
            self.assertEqual((taker.taken, sender.recv(100)), ([b"question"], b"answer"))

    def test_largest(self) -> None:
        """The largest datagram is read whole."""
        self.sender.send(bytes(65_507))
        self.port.doRead()
        self.assertEqual(len(self.taker.taken[0]), 65_507)
