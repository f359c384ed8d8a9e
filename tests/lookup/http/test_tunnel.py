"""Tests of connections through a proxy, which may answer anything."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import AccumulatingProtocol, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from p2pship.lookup.http.tunnel import LONGEST_HEAD, TunnelEndpoint, TunnelFailed

ADDRESS = IPv4Address("TCP", "192.0.2.1", 3128)
GOOD = b"HTTP/1.1 200 Connection established\r\nServer: x\r\n\r\n"


@implementer(IStreamClientEndpoint)
class ProxyEndpoint:
    """Connects to a proxy that is a test."""

    def __init__(self) -> None:
        self.transport = StringTransport()
        self.protocol: Any = None

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect at once."""
        self.protocol = factory.buildProtocol(ADDRESS)
        self.protocol.makeConnection(self.transport)
        return succeed(self.protocol)


class TunnelTests(SynchronousTestCase):
    """One tunnel."""

    def setUp(self) -> None:
        """Ask for it."""
        self.proxy = ProxyEndpoint()
        self.inner = Factory.forProtocol(AccumulatingProtocol)  # type: ignore[type-var]
        self.inner.protocolConnectionMade = None  # type: ignore[attr-defined]
        self.connecting = TunnelEndpoint(self.proxy, "r.example.com:443").connect(self.inner)

    def test_asked(self) -> None:
        """What is asked is the server's host and port, with the credentials if the proxy wants some."""
        asked = b"CONNECT r.example.com:443 HTTP/1.1\r\nHost: r.example.com:443\r\n"
        self.assertEqual(self.proxy.transport.value(), asked + b"\r\n")
        TunnelEndpoint(self.proxy, "r.example.com:443", b"Basic eA==").connect(self.inner)
        self.assertTrue(
            self.proxy.transport.value().endswith(asked + b"Proxy-Authorization: Basic eA==\r\n\r\n")
        )

    def test_tunnel(self) -> None:
        """When the proxy agrees, what comes and goes is the server's, and so is the end; in whatever pieces it comes."""
        for octet in GOOD + b"hello":
            self.proxy.protocol.dataReceived(bytes((octet,)))
        made = self.successResultOf(self.connecting)
        assert isinstance(made, AccumulatingProtocol)
        self.assertEqual(made.data, b"hello")
        self.assertIs(made.transport, self.proxy.transport)
        self.proxy.protocol.connectionLost()
        self.assertTrue(made.closed)

    def test_at_once(self) -> None:
        """What comes with the answer is not lost."""
        self.proxy.protocol.dataReceived(GOOD + b"hello")
        made = self.successResultOf(self.connecting)
        assert isinstance(made, AccumulatingProtocol)
        self.assertEqual(made.data, b"hello")

    def test_refused(self) -> None:
        """A proxy that refuses, speaks something else or does not come to an end is an error, and hung up."""
        for answer, why in (
            (b"HTTP/1.1 407 Who are you\r\n\r\n", "status 407"),
            (b"HTTP/1.1 20 x\r\n\r\n", "status 20"),
            (b"HTTP/1.1 2000 x\r\n\r\n", "status 200"),
            (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"),
            (b"HTTP/1.1\r\n\r\n", "does not speak HTTP"),
            (b"HTTP/1.1 \xb2\xb2\xb2 x\r\n\r\n", "does not speak HTTP"),
            (b"\r\n\r\n", "does not speak HTTP"),
            (b"x" * (LONGEST_HEAD + 1), "does not end"),
        ):
            self.setUp()
            self.proxy.protocol.dataReceived(answer)
            self.assertIn(why, str(self.failureResultOf(self.connecting, TunnelFailed).value))
            self.assertTrue(self.proxy.transport.disconnected)

    def test_hung_up(self) -> None:
        """A proxy that hangs up without an answer is an error."""
        self.proxy.protocol.connectionLost()
        self.assertIn("hung up", str(self.failureResultOf(self.connecting, TunnelFailed).value))

    def test_given_up(self) -> None:
        """Giving it up hangs up."""
        self.connecting.addErrback(lambda _: None)
        self.connecting.cancel()
        self.assertTrue(self.proxy.transport.disconnected)
        self.proxy.protocol.dataReceived(GOOD)
