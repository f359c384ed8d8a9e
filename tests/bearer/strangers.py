"""Clients that do what no node does, to try what a TLS bearer lets in."""

from __future__ import annotations

import warnings
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.bearer.tlscontext import ALPN, LONG_AGO, NEVER, SUBJECT


def certificate_for(
    public_key: Any, signer: Any, subject: x509.Name = SUBJECT, issuer: x509.Name = SUBJECT
) -> x509.Certificate:
    """Return a certificate of any key, signed by any other."""
    builder = x509.CertificateBuilder(issuer_name=issuer, subject_name=subject).public_key(public_key)
    return builder.serial_number(1).not_valid_before(LONG_AGO).not_valid_after(NEVER).sign(signer, SHA256())


def context(alpn: bytes = ALPN) -> SSL.Context:
    """Return a client's context that looks at nothing and has no certificate."""
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_verify(SSL.VERIFY_NONE)
    if alpn:
        made.set_alpn_protos([alpn])
    return made


def equipped(private_key: Any, made: SSL.Context | None = None) -> SSL.Context:
    """Return a context that proves a key, as a node's does."""
    made = made or context()
    made.use_certificate(certificate_for(private_key.public_key(), private_key))
    made.use_privatekey(private_key)
    return made


def forged(claimed: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePrivateKey) -> SSL.Context:
    """Return a context that presents a certificate of one key and signs with another.

    OpenSSL compares only the public halves of the two, and an RFC 5915 private key brings its own, which may be a lie.
    """
    octets = signer.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    truth = signer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    lie = claimed.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    made = context()
    made.use_certificate(certificate_for(claimed, signer))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_ASN1, octets.replace(truth, lie)))
    return made


@implementer(IOpenSSLClientConnectionCreator)
class Creator:
    """Makes connections of a context, which may offer to resume a session."""

    def __init__(self, made: SSL.Context, session: SSL.Session | None = None) -> None:
        self._context = made
        self._session = session

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._session is not None:
            connection.set_session(self._session)
        return connection


@implementer(IHandshakeListener)
class Stranger(Protocol):
    """Says something as soon as it may, and writes down what becomes of it."""

    transport: Any

    def __init__(self, says: bytes = b"") -> None:
        self._says = says
        self.heard = b""
        self.completed = False
        self.lost: Failure | None = None

    def connectionMade(self) -> None:
        if self._says:
            self.transport.write(self._says)

    def handshakeCompleted(self) -> None:
        self.completed = True

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class Factory(ClientFactory):
    """Gives a connection its stranger."""

    noisy = False

    def __init__(self, stranger: Stranger) -> None:
        self._stranger = stranger

    def buildProtocol(self, addr: object) -> Stranger:
        return self._stranger


def knock(reactor: Any, port: int, says: bytes = b"") -> Stranger:
    """Connect over TCP alone."""
    stranger = Stranger(says)
    reactor.connectTCP("127.0.0.1", port, Factory(stranger))
    return stranger


def knock_with_tls(
    reactor: Any, port: int, made: SSL.Context, says: bytes = b"", session: SSL.Session | None = None
) -> Stranger:
    """Connect with TLS of one's own making."""
    stranger = Stranger(says)
    factory = TLSMemoryBIOFactory(Creator(made, session), True, Factory(stranger), reactor)
    reactor.connectTCP("127.0.0.1", port, factory)
    return stranger
