"""What every client of web servers here has: connections that no server can hold or flood, bodies with a limit, reasons in words."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity.hazmat import DNS_ID, IPAddress_ID, ServiceID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
)
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.web.client import BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.iweb import IPolicyForHTTPS, IResponse
from zope.interface import implementer

from p2pship.errors import RemoteError

MOST_RECEIVED = 262_144
"""Octets taken over one connection since it was last asked, with all headers: of those nobody else limits how many there are, and a
server could send for the whole time."""

WORDS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "connection refused: nothing listens there"),
    (ConnectTimeout, "no connection in time: is the address right, and no firewall in between?"),
    (DNSLookupError, "its name is not found in the DNS, or leads nowhere that is asked from here"),
    (NoRouteError, "no way leads there: is this machine in a network?"),
    (ConnectionDone, "it hung up without an answer: does it speak HTTP, or HTTPS, as its address says?"),
    (ConnectionLost, "the connection broke"),
)
"What the framework says in words of its own."


NOT_BELIEVED = {
    SSL.X509VerificationCodes.ERR_CERT_NOT_YET_VALID: "is not valid yet",
    SSL.X509VerificationCodes.ERR_CERT_HAS_EXPIRED: "has expired",
    SSL.X509VerificationCodes.ERR_INVALID_PURPOSE: "is not for a server",
}
"What OpenSSL finds wrong with a certificate."

NO_AUTHORITY = "is of no authority that is believed here"

_NO_TLS = "it does not speak HTTPS: should its address begin with http://, or have another port?"
_OLD_TLS = "it does not speak TLS 1.2 or 1.3"

TLS_WORDS = {
    "wrong version number": _NO_TLS,
    "packet length too long": _NO_TLS,
    "unsupported protocol": _OLD_TLS,
    "tlsv1 alert protocol version": _OLD_TLS,
    "tlsv13 alert certificate required": "it wants a certificate of whoever asks",
}
"What else OpenSSL says in words of its own."


class NotCertified(RemoteError):
    """The server does not prove that it is the one that was meant."""


@implementer(IPolicyForHTTPS)
class CertifiedHosts:
    """Believes a server whose certificate is of a trusted authority, and names the server's host."""

    def __init__(self, authorities: object | None = None) -> None:
        """``authorities`` are an IOpenSSLTrustRoot; None: the operating system's."""
        self._policy = BrowserLikePolicyForHTTPS(authorities)

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        """Return what makes TLS connections to a host: a name, or an IP address without brackets."""
        made: IOpenSSLClientConnectionCreator = self._policy.creatorForNetloc(hostname, port)
        return _CertifiedHost(made, hostname.decode("ascii"))


@implementer(IOpenSSLClientConnectionCreator)
class _CertifiedHost:
    """Makes connections that fail unless the certificate names the host (RFC 9525 §6), whatever else is wrong with it.

    Twisted 26 lets one pass that names nobody, as its check does not expect the error that this gives.
    """

    def __init__(self, inner: IOpenSSLClientConnectionCreator, host: str) -> None:
        self._inner = inner
        is_address = isIPAddress(host) or isIPv6Address(host)
        self._service: ServiceID = IPAddress_ID(host) if is_address else DNS_ID(host)

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return a new connection."""
        connection: SSL.Connection = self._inner.clientConnectionForTLS(protocol)
        waiting = ref(protocol)

        def verify(_: SSL.Connection, certificate: X509, error: int, depth: int, good: int) -> bool:
            wrong = self._wrong(certificate, depth) if good else NOT_BELIEVED.get(error, NO_AUTHORITY)
            told = waiting()
            if wrong and told is not None:
                told.failVerification(Failure(NotCertified(f"its certificate {wrong}")))
            return not wrong

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def _wrong(self, certificate: X509, depth: int) -> str:
        if depth:  # it is an authority's
            return ""
        try:
            verify_service_identity(extract_patterns(certificate), [self._service], [])
        except Exception:  # noqa: BLE001 (whatever it is: it does not name the host)
            return "is for another name or address"
        return ""


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
    if isinstance(inner, SSL.Error):
        return _tls_words(inner)
    named = next((words for kind, words in WORDS if isinstance(inner, kind)), "")
    if not named and reasons and not isinstance(inner, RemoteError | OSError):
        return "what it answers is no HTTP"
    return named or str(inner) or type(inner).__name__


def _tls_words(error: SSL.Error) -> str:
    reasons = error.args[0] if error.args else ()
    if not isinstance(reasons, list) or not reasons:  # the system's, not OpenSSL's
        return "the connection broke"
    reason = str(reasons[-1][-1])
    return TLS_WORDS.get(reason, f"TLS fails: {reason}")
