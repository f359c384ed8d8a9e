"""What every client of web servers here has: connections that no server can hold or flood, bodies with a limit, reasons in words."""

from __future__ import annotations

from collections.abc import Callable

from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
)
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse
from zope.interface import implementer

from p2pship.errors import RemoteError

MOST_RECEIVED = 262_144
"""Octets taken over one connection since it was last asked, with all headers: of those nobody else limits how many there are, and a
server could send for the whole time."""

WORDS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "connection refused: nothing listens there"),
    (ConnectTimeout, "no connection in time: is the address right, and no firewall in between?"),
    (DNSLookupError, "its name is not found in the DNS"),
    (NoRouteError, "no way leads there: is this machine in a network?"),
    (ConnectionDone, "it hung up without an answer: does it speak HTTP, or HTTPS, as its address says?"),
    (ConnectionLost, "the connection broke"),
)
"What the framework says in words of its own."


class BodyFailed(RemoteError):
    """The body of an answer cannot be had."""


class Connections:
    """The connections that there are."""

    def __init__(self) -> None:
        self._made: set[LimitedConnection] = set()
        self._closed: Deferred[None] | None = None

    def add(self, connection: LimitedConnection) -> None:
        """Hear of one that was made."""
        self._made.add(connection)

    def discard(self, connection: LimitedConnection) -> None:
        """Hear that one is gone."""
        self._made.discard(connection)
        closed = self._closed
        if closed is not None and not self._made:
            self._closed = None
            closed.callback(None)

    def close(self) -> Deferred[None]:
        """End them all at once; fires when they are gone."""
        closed = self._closed = Deferred()
        for connection in tuple(self._made):
            connection.loseConnection()
        if not self._made and not closed.called:
            self._closed = None
            closed.callback(None)
        return closed


@implementer(IStreamClientEndpoint)
class LimitedEndpoint:
    """An endpoint whose connections are known, end when they have brought too much, and do not wait for the other side's goodbye."""

    def __init__(self, endpoint: IStreamClientEndpoint, made: Connections) -> None:
        """``made`` has each connection, for as long as there is one."""
        self._inner = endpoint
        self._made = made

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and fire with the protocol that the factory makes."""
        limited = WrappingFactory(factory)
        limited.protocol, limited.noisy = LimitedConnection, False
        limited.wrappedFactory.noisy = False  # nobody wants to read of each page that it was fetched
        return self._inner.connect(limited).addCallback(self._note)

    def _note(self, made: IProtocol) -> IProtocol:
        assert isinstance(made, LimitedConnection)
        made.keep_in(self._made)
        protocol: IProtocol = made.wrappedProtocol
        return protocol


class LimitedConnection(ProtocolWrapper):
    """A connection that ends when too much has come since something was last sent."""

    _received = 0
    _lost = False
    _forget: Callable[[LimitedConnection], None] | None = None

    def keep_in(self, made: Connections) -> None:
        """Be among these until the connection is gone."""
        if not self._lost:
            made.add(self)
            self._forget = made.discard

    def dataReceived(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MOST_RECEIVED:
            self.loseConnection()
        else:
            super().dataReceived(data)

    def write(self, data: bytes) -> None:
        self._received = 0
        super().write(data)

    def writeSequence(self, data: list[bytes]) -> None:
        self._received = 0
        super().writeSequence(data)

    def loseConnection(self) -> None:
        """End it now: TLS would wait for the other side's goodbye, and a client has said all when it wants to end."""
        self.disconnecting = 1
        self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        if self._forget is not None:
            self._forget(self)
        super().connectionLost(reason)


def read_body(response: IResponse, longest: int) -> Deferred[bytes]:
    """Fire with the body of an answer; fails with BodyFailed if it has more than ``longest`` octets, or is cut off.

    Whoever gives it up has the connection ended.
    """
    body = _Body(longest)
    response.deliverBody(body)
    return body.done


class _Body(Protocol):
    """Collects a body, unless it is too long."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._octets = bytearray()
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > self._longest and not self.done.called:
            self._hang_up()
            self.done.errback(BodyFailed(f"the page is longer than {self._longest} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback(bytes(self._octets))
        else:
            self.done.errback(BodyFailed("the page was cut off"))

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def why(failure: Failure, seconds: float) -> str:
    """Return in words why a server did not answer within ``seconds``."""
    reasons = getattr(failure.value, "reasons", None)
    inner = reasons[0].value if reasons else failure.value
    if isinstance(inner, TimeoutError | CancelledError):
        return f"nothing within {seconds:g} s"
    if isinstance(inner, VerificationError):
        return "its certificate is for another name or address"
    if "certificate verify failed" in str(inner):
        return "its certificate has expired, or is of no authority that is believed here"
    named = next((words for kind, words in WORDS if isinstance(inner, kind)), "")
    return named or str(inner) or type(inner).__name__
