"""Tests of what the clients of web servers share; what servers do to them is in the tests of those clients."""

from __future__ import annotations

from typing import Any, cast

from OpenSSL.SSL import Error, SysCallError
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed, ResponseNeverReceived
from zope.interface import implementer

from p2pship.webclient import MOST_RECEIVED, BodyFailed, Connections, LimitedEndpoint, read_body, why


class Collecting(Protocol):
    """Keeps what comes."""

    data = b""
    lost = False

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that it is over."""
        self.lost = True


@implementer(IStreamClientEndpoint)
class StringEndpoint:
    """Connects to a string."""

    def __init__(self) -> None:
        self.transport = StringTransport()
        self.outer: Any = None

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect at once."""
        self.outer = factory.buildProtocol(self.transport.getPeer())
        self.outer.makeConnection(self.transport)
        return succeed(self.outer)


class LimitedConnectionTests(SynchronousTestCase):
    """A connection."""

    def setUp(self) -> None:
        """Connect."""
        self.endpoint, self.made = StringEndpoint(), Connections()
        connecting = LimitedEndpoint(self.endpoint, self.made).connect(Factory.forProtocol(Collecting))
        inner = self.successResultOf(connecting)
        assert isinstance(inner, Collecting)
        self.inner = inner

    def test_limit(self) -> None:
        """Each time something is sent as much may come; more ends the connection, and is not passed on."""
        transport: Any = self.inner.transport
        for send in (lambda: transport.write(b"x"), lambda: transport.writeSequence([b"x", b"y"])):
            send()
            self.endpoint.outer.dataReceived(bytes(MOST_RECEIVED))
            self.assertFalse(self.endpoint.transport.disconnected)
        self.assertEqual(self.endpoint.transport.value(), b"xxy")
        self.endpoint.outer.dataReceived(b"x")
        self.assertTrue(self.endpoint.transport.disconnected)
        self.assertEqual(len(self.inner.data), 2 * MOST_RECEIVED)

    def test_closed(self) -> None:
        """Closing ends every connection, and is done when all are gone; without any it is done at once."""
        closing = self.made.close()
        self.assertTrue(self.endpoint.transport.disconnected)
        self.assertNoResult(closing)
        self.endpoint.outer.connectionLost(Failure(connectionDone.value))
        self.successResultOf(closing)
        self.assertTrue(self.inner.lost)
        self.successResultOf(self.made.close())


class _Response:
    """An answer whose body comes when a test says."""

    def deliverBody(self, protocol: Protocol) -> None:
        """Begin."""
        self.transport = StringTransport()
        self.body = protocol
        protocol.makeConnection(self.transport)


class BodyTests(SynchronousTestCase):
    """The body of an answer."""

    def setUp(self) -> None:
        """Ask for one of ten octets at most."""
        self.response = cast(Any, _Response())
        self.reading = read_body(self.response, 10)

    def test_whole(self) -> None:
        """It is what came, if it came to its end."""
        for part in (b"hello", b"world"):
            self.response.body.dataReceived(part)
        self.response.body.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(self.reading), b"helloworld")

    def test_cut_off(self) -> None:
        """One that did not has failed."""
        self.response.body.connectionLost(Failure(connectionDone.value))
        self.failureResultOf(self.reading, BodyFailed)

    def test_too_long(self) -> None:
        """One that is too long has failed at once, and the connection ends."""
        self.response.body.dataReceived(bytes(11))
        self.failureResultOf(self.reading, BodyFailed)
        self.assertTrue(self.response.transport.disconnecting)
        self.response.body.dataReceived(bytes(11))
        self.response.body.connectionLost(Failure(ResponseDone()))

    def test_given_up(self) -> None:
        """Giving it up ends the connection."""
        self.reading.addErrback(lambda _: None)
        self.reading.cancel()
        self.assertTrue(self.response.transport.disconnecting)


class WhyTests(SynchronousTestCase):
    """Reasons in words."""

    def test_words(self) -> None:
        """The innermost reason counts, and what has no words of its own is called by its name."""
        refused = Failure(ConnectionRefusedError())
        for failure, words in (
            (Failure(TimeoutError()), "nothing within 2.5 s"),
            (refused, "refused"),
            (Failure(ResponseFailed([refused])), "refused"),
            (Failure(ValueError()), "ValueError"),
            (Failure(ConnectTimeout()), "no connection in time"),
            (
                Failure(DNSLookupError("no results")),
                "its name is not found in the DNS, or leads nowhere that is asked from here",
            ),
            (Failure(ResponseNeverReceived([Failure(connectionDone.value)])), "does it speak HTTP, or HTTPS"),
            (Failure(ResponseFailed([Failure(ValueError("-1"))])), "what it answers is no HTTP"),
            (Failure(ResponseFailed([Failure(BodyFailed("too long"))])), "too long"),
            (Failure(Error([("SSL routines", "", "wrong version number")])), "it does not speak HTTPS"),
            (Failure(Error([("SSL routines", "", "bad signature")])), "TLS fails: bad signature"),
            (Failure(SysCallError(-1, "Unexpected EOF")), "the connection broke"),
        ):
            self.assertIn(words, why(failure, 2.5))
