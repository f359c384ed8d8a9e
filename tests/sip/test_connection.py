"""Tests of one TCP connection with a phone: what it does as time passes."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.journal import Journal
from p2pship.sip.connection import CLOSE_AFTER, MAX_UNREAD, MAX_UNSERVED, PATIENCE, Connection
from p2pship.sip.message import BadMessage
from tests.sip.exchange import received_request

REQUEST = received_request("OPTIONS", "SIP/2.0/TCP x.example.com").encode()


class Owner:
    """Who keeps the connection; notes what it is told."""

    def __init__(self) -> None:
        self.clock: Any = Clock()
        self.journal = Journal()
        self.told: list[str] = []
        self.busy = False
        "whether nothing is served for now"

    def made(self, connection: Connection) -> None:
        """Note it."""
        self.told.append("made")

    def retired(self, connection: Connection) -> None:
        """Note it."""
        self.told.append("retired")

    def lost(self, connection: Connection) -> None:
        """Note it."""
        self.told.append("lost")

    def received(self, connection: Connection, data: bytes) -> None:
        """Note it."""
        self.told.append("received")
        if not self.busy:
            connection.served(len(data))

    def broken(self, connection: Connection, error: BadMessage) -> None:
        """Note it."""
        self.told.append("broken")


class SocketTransport(StringTransport):
    """A transport with the options of a TCP socket."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed anyway."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing can be lost anyway."""


class ConnectionTests(SynchronousTestCase):
    """Patience and limits."""

    def setUp(self) -> None:
        self.owner = Owner()
        self.connect(dialled=False)

    def connect(self, dialled: bool) -> None:
        """Make a connection."""
        self.connection = Connection(self.owner, dialled)
        self.transport = SocketTransport()
        self.connection.makeConnection(self.transport)

    def assert_open(self) -> None:
        """The connection goes on."""
        self.assertFalse(self.transport.disconnecting)

    def assert_closed(self) -> None:
        """The connection was closed, and ends even if the other side does nothing."""
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.disconnected)
        self.owner.clock.advance(CLOSE_AFTER)
        self.assertTrue(self.transport.disconnected)

    def test_interface(self) -> None:
        """It tells the transport how full it is."""
        verifyObject(IPushProducer, self.connection)

    def test_first_message(self) -> None:
        """Who sends no whole message within 30 s is cut off; keep-alives are none, nor is half a message."""
        self.owner.clock.advance(PATIENCE / 2)
        self.connection.dataReceived(b"\r\n\r\n")
        self.connection.dataReceived(REQUEST[:-1])
        self.owner.clock.advance(PATIENCE / 2)
        self.assert_closed()
        self.assertEqual(self.owner.journal.counts["sip.tcp_slow"], 1)

    def test_silence_after_a_message(self) -> None:
        """Who has sent one may be silent for ever."""
        self.connection.dataReceived(REQUEST)
        self.owner.clock.advance(10 * PATIENCE)
        self.assert_open()
        self.assertEqual(self.owner.clock.getDelayedCalls(), [])

    def test_half_a_message(self) -> None:
        """A message that has begun must be whole within 30 s."""
        self.connection.dataReceived(REQUEST)
        self.owner.clock.advance(100)
        self.connection.dataReceived(REQUEST[:50])
        self.owner.clock.advance(PATIENCE - 1)
        self.connection.dataReceived(REQUEST[50:60])
        self.assert_open()
        self.owner.clock.advance(1)
        self.assert_closed()

    def test_each_message_has_its_time(self) -> None:
        """The next message that has begun has 30 s of its own."""
        self.connection.dataReceived(REQUEST[:50])
        for _ in range(5):
            self.owner.clock.advance(PATIENCE - 1)
            self.connection.dataReceived(REQUEST[50:] + REQUEST[:50])
        self.assert_open()
        self.assertEqual(self.owner.told.count("received"), 5)

    def test_dialled(self) -> None:
        """From a connection that this node made nothing needs to come."""
        self.connect(dialled=True)
        self.connection.dataReceived(b"\r\n")
        self.owner.clock.advance(10 * PATIENCE)
        self.assert_open()

    def test_broken(self) -> None:
        """What is not SIP is told, and ends the connection; it is used no more from then on."""
        self.connection.dataReceived(REQUEST + b"nonsense\r\n")
        self.assertEqual(self.owner.told, ["made", "received", "broken", "retired"])
        self.assert_closed()

    def test_waits(self) -> None:
        """While too much waits to be served nothing is read; reading goes on when half of it has been."""
        self.owner.busy = True
        count = MAX_UNSERVED // len(REQUEST) + 1
        self.connection.dataReceived(REQUEST * (count - 1))
        self.assertEqual(self.transport.producerState, "producing")
        self.connection.dataReceived(REQUEST)
        self.assertEqual(self.transport.producerState, "paused")
        self.connection.served(len(REQUEST) * (count // 2))
        self.assertEqual(self.transport.producerState, "paused")
        self.connection.served(len(REQUEST))
        self.assertEqual(self.transport.producerState, "producing")

    def test_broken_while_it_waits(self) -> None:
        """What came before the garbage is served before the connection is closed, so that it can be answered."""
        self.owner.busy = True
        self.connection.dataReceived(REQUEST + b"nonsense\r\n")
        self.assertEqual(self.owner.told, ["made", "received", "broken"])
        self.assertEqual(self.transport.producerState, "paused")
        self.assert_open()
        self.connection.served(len(REQUEST))
        self.assert_closed()

    def test_lost_while_it_waits(self) -> None:
        """When it is gone before all is served, nothing happens to it any more."""
        self.owner.busy = True
        self.connection.dataReceived(REQUEST * (MAX_UNSERVED // len(REQUEST) + 1) + b"nonsense\r\n")
        self.connection.connectionLost()
        self.connection.served(len(REQUEST) * (MAX_UNSERVED // len(REQUEST) + 1))
        self.assertEqual(self.owner.told[-1], "lost")
        self.assertEqual(self.owner.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """When it is gone, nothing is left to do."""
        self.connection.connectionLost()
        self.assertEqual(self.owner.told, ["made", "lost"])
        self.assertEqual(self.owner.clock.getDelayedCalls(), [])

    def test_unread(self) -> None:
        """Only so much may wait once the transport is full; when it has room again, counting begins anew."""
        self.connection.pauseProducing()
        self.assertTrue(self.connection.write(bytes(MAX_UNREAD)))
        self.connection.resumeProducing()
        self.assertTrue(self.connection.write(bytes(10)))
        self.connection.pauseProducing()
        self.assertTrue(self.connection.write(bytes(MAX_UNREAD)))
        self.connection.pauseProducing()
        self.assertFalse(self.connection.write(b"x"))
        self.assertTrue(self.transport.disconnected)
        self.assertEqual(self.owner.journal.counts["sip.tcp_unread"], 1)
