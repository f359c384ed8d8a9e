"""How long a connection may take for a request."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.static import Data

from p2pship.lookup.http.server.places import Places
from p2pship.lookup.http.server.site import IDLE, Doorway, QuietSite

PROXY = "10.0.0.1"
PEER = IPv4Address("TCP", "192.0.2.77", 4711)
REQUEST = b"GET /page HTTP/1.1\r\nHost: here\r\n\r\n"


class PatienceTests(SynchronousTestCase):
    """A request has its time, and no octet gives it more."""

    def setUp(self) -> None:
        """Connect."""
        self.clock = Clock()
        root = Resource()
        root.putChild(b"page", Data(b"something", "text/plain"))
        self.channel = QuietSite(root, self.clock).buildProtocol(PEER)
        self.transport = StringTransport(peerAddress=PEER)
        self.channel.makeConnection(self.transport)

    def trickle(self, octets: bytes, seconds: float) -> None:
        """Send octets, one after each so many seconds."""
        for each in octets:
            self.clock.advance(seconds)
            self.channel.dataReceived(bytes([each]))

    def test_trickle(self) -> None:
        """Who sends a request octet by octet has as long as who sends none."""
        self.trickle(REQUEST[:20], IDLE / 21)
        self.assertFalse(self.transport.disconnecting)
        self.trickle(REQUEST[20:22], IDLE / 21)
        self.assertTrue(self.transport.disconnecting)

    def test_body(self) -> None:
        """A body has no more."""
        self.channel.dataReceived(b"PUT /page HTTP/1.1\r\nHost: here\r\nContent-Length: 2000\r\n\r\n")
        self.trickle(bytes(30), IDLE / 29)
        self.assertTrue(self.transport.disconnecting)

    def test_next(self) -> None:
        """The time begins anew when a request has been answered."""
        for _ in range(3):
            self.clock.advance(IDLE - 1)
            self.channel.dataReceived(REQUEST)
        self.assertEqual(self.transport.value().count(b"something"), 3)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(IDLE + 1)
        self.assertTrue(self.transport.disconnecting)

    def test_one_by_one(self) -> None:
        """Of requests that are sent at once the first is answered, and the connection ended; in pieces they may come."""
        self.channel.dataReceived(REQUEST[:9])
        self.channel.dataReceived(REQUEST[9:])
        self.assertFalse(self.transport.disconnecting)
        self.channel.dataReceived(REQUEST * 100)
        self.assertEqual(self.transport.value().count(b"something"), 2)
        self.assertTrue(self.transport.disconnecting)

    def test_not_in_the_log(self) -> None:
        """Whose connection was ended is not written to the log."""
        told = self.logged()
        self.clock.advance(IDLE + 60)
        self.assertTrue(self.transport.disconnecting)
        self.assertNotIn("192.0.2.77", str(told))

    def logged(self) -> list[Any]:
        """Return what is logged from now on."""
        events: list[Any] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        return events


class DoorwayTests(SynchronousTestCase):
    """Who is let in."""

    def test_proxies(self) -> None:
        """A proxy makes as many connections as there are, also one of IPv4 that a socket of IPv6 hears; others so many."""
        doorway = Doorway(ServerFactory(), Places(10, 1), frozenset({PROXY}))
        for host in (PROXY, f"::ffff:{PROXY}", PROXY):
            self.assertIsNotNone(doorway.enter(host))
        self.assertEqual(doorway.enter("192.0.2.1"), "192.0.2.1")
        self.assertIsNone(doorway.enter("::ffff:192.0.2.1"))
        self.assertIsNone(doorway.enter("nobody"))
