"""A web server on loopback with a certificate of a test's own authority."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import ssl
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from p2pship.trust.pages import Endpoint
from p2pship.webclient import CertifiedHosts

KEY = ec.generate_private_key(ec.SECP256R1())


def web_certificate(hosts: Sequence[str], authority: bool = False) -> x509.Certificate:
    """Return a certificate for these hosts, signed by the one key of this file; valid around the real time."""
    now = datetime.now(UTC)
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web root")])
    subject = root if authority else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web")])
    builder = x509.CertificateBuilder(
        root, subject, KEY.public_key(), 7, now - timedelta(days=1), now + timedelta(days=2)
    )
    builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(KEY, hashes.SHA256())


class Answers(Resource):
    """Answers each path as it is told; counts what it was asked."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, bytes] = {}
        self.redirections: dict[str, str] = {}
        self.headers: dict[bytes, bytes] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def render_GET(self, request: Request) -> bytes | int:
        """Answer a request."""
        path = request.path.decode("ascii")
        self.asked.append(path)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        if path in self.silent:
            return NOT_DONE_YET
        if path in self.redirections:
            request.setResponseCode(302)
            request.setHeader(b"Location", self.redirections[path].encode("ascii"))
            return b"moved"
        if path not in self.pages:
            request.setResponseCode(404)
            return b"not here"
        return self.pages[path]


class Gusher(Protocol):
    """Answers whatever it is asked with header lines without end."""

    transport: Any
    factory: Any

    def dataReceived(self, data: bytes) -> None:
        """Begin."""
        self.transport.write(b"HTTP/1.1 200 OK\r\n")
        self.transport.registerProducer(self, streaming=False)

    def resumeProducing(self) -> None:
        """Send more."""
        self.factory.sent += 1_000_000
        self.transport.write((b"X: " + b"x" * 995 + b"\r\n") * 1_000)

    def stopProducing(self) -> None:
        """End: the other side has hung up."""


class GusherFactory(Factory):
    """Counts what the gushers have sent."""

    protocol = Gusher
    noisy = False

    def __init__(self) -> None:
        self.sent = 0


def listen(reactor: object, answers: Answers, hosts: Sequence[str]) -> Any:
    """Serve on a port of loopback that is free, with a certificate for these hosts."""
    return listen_with(reactor, Site(answers), hosts)


def listen_with(
    reactor: object, factory: Any, hosts: Sequence[str], port: int = 0, interface: str = "127.0.0.1"
) -> Any:
    """Serve with a certificate for these hosts; on a port of loopback that is free, if nothing else is said."""
    certificate = web_certificate(hosts).public_bytes(Encoding.PEM)
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    options = ssl.PrivateCertificate.loadPEM(key + certificate).options()
    return reactor.listenSSL(port, factory, options, interface=interface)  # type: ignore[attr-defined]


def endpoint_to(reactor: object, port: int) -> Endpoint:
    """Return what connects to that port whatever the host, and trusts the root of this file alone."""
    root = ssl.Certificate.loadPEM(web_certificate((), authority=True).public_bytes(Encoding.PEM))
    policy = CertifiedHosts(ssl.trustRootFromCertificates([root]))

    def endpoint(host: str) -> IStreamClientEndpoint:
        tls = policy.creatorForNetloc(host.encode("ascii"), 443)
        return wrapClientTLS(tls, TCP4ClientEndpoint(reactor, "127.0.0.1", port))

    return endpoint
