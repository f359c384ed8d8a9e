"""One descriptor of the reactor for all media ports."""

from __future__ import annotations

import select
import socket
from typing import Any, cast

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.media.ears import TURN, Ears

HOST = "127.0.0.1"


class FakePort:
    """Reads one packet when it is told, and does what the test wants done then."""

    def __init__(self, ears: Ears) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.log: list[bytes] = []
        self.ears = ears
        self.closes: list[FakePort] = []
        self.fails = False
        ears.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.socket.fileno()

    def doRead(self) -> None:
        """Note a packet."""
        self.log.append(self.socket.recv(100))
        if self.fails:
            raise ZeroDivisionError("a fault of this port's")
        for port in self.closes:
            port.close()

    def close(self) -> None:
        """Close as a media port does."""
        self.ears.removeReader(self)
        self.socket.close()


class EarsTests(SynchronousTestCase):
    """Whom they tell, and when they have a descriptor."""

    def setUp(self) -> None:
        """Open two ports."""
        self.reactor = MemoryReactorClock()
        self.ears = Ears(cast(Any, self.reactor))
        self.ports = [FakePort(self.ears) for _ in range(2)]
        for port in self.ports:
            self.addCleanup(port.socket.close)

    def send(self, port: FakePort, packet: bytes = b"voice") -> None:
        """Let a packet come."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.sendto(packet, port.socket.getsockname())

    def turn(self) -> None:
        """Do what the reactor does when something has come."""
        self.assertTrue(select.select([self.ears], [], [], 10)[0])
        self.ears.doRead()

    def test_interface(self) -> None:
        """The reactor may read them."""
        verifyObject(IReadDescriptor, self.ears)
        self.assertEqual(self.ears.logPrefix(), "media ports")

    def test_port_that_fails(self) -> None:
        """A port whose reading fails is told no more, once and for all; the others are told as before."""
        bad, good = self.ports
        bad.fails = True
        for port in self.ports:
            self.send(port)
        self.turn()
        self.send(good)
        self.send(bad)
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((len(bad.log), len(good.log)), (1, 2))
        self.assertEqual(list(self.ears.readers), [good])

    def test_told(self) -> None:
        """Only a port where something has come is told, and again while more waits."""
        self.send(self.ports[0], b"one")
        self.send(self.ports[0], b"two")
        self.turn()
        self.turn()
        self.assertEqual([port.log for port in self.ports], [[b"one", b"two"], []])

    def test_turn(self) -> None:
        """The reactor sees one descriptor however many ports there are, and those that must wait come first next time."""
        self.ports += [FakePort(self.ears) for _ in range(TURN)]
        for port in self.ports:
            self.addCleanup(port.socket.close)
            self.send(port)
            self.send(port)
        self.assertEqual(self.reactor.getReaders(), [self.ears])
        self.turn()
        self.assertEqual(sum(len(port.log) for port in self.ports), TURN)
        self.turn()
        self.assertTrue(all(port.log for port in self.ports))

    def test_closed_by_another(self) -> None:
        """A port that another one's packet closes is not told any more."""
        for port, other in zip(self.ports, reversed(self.ports), strict=True):
            port.closes = [other]
            self.send(port)
        self.turn()
        self.assertEqual(sum(len(port.log) for port in self.ports), 1)

    def test_descriptor(self) -> None:
        """The descriptor is there while a port is; closing a port twice does no harm."""
        self.assertGreaterEqual(self.ears.fileno(), 0)
        for port in (*self.ports, *self.ports):
            port.close()
        self.assertEqual((self.ears.fileno(), self.reactor.getReaders()), (-1, []))
        port = FakePort(self.ears)
        self.addCleanup(port.socket.close)
        self.send(port)
        self.turn()
        self.assertEqual(port.log, [b"voice"])

    def test_reactor_stops(self) -> None:
        """When the reactor lets go of it, ports can still be closed."""
        self.ears.connectionLost(Failure(ConnectionError()))
        self.ears.doRead()
        for port in self.ports:
            port.close()
        self.assertEqual(self.ears.fileno(), -1)
