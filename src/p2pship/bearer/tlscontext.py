"""What TLS is made to do here: version 1.3 only, both sides prove a device key, and nothing else is looked at."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from p2pship.errors import LocalError
from p2pship.identity.hit import host_identity
from p2pship.identity.keys import BadKey

ALPN = b"p2pship/1"
"What both sides have to say that they speak (RFC 7301): TLS made for another purpose is never taken for a link."

SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "p2pship")])
"The same in every certificate: it is sent encrypted, but a stranger may ask for it, and shall learn no name."

LONG_AGO = datetime.datetime(2000, 1, 1)
NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59)
"What RFC 5280 §4.1.2.5 has for a certificate without a well-defined end."


def key_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate's key, a DER SubjectPublicKeyInfo in its one canonical encoding.

    :raises BadKey: if it is none that a device can have.
    """
    try:
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(f"the key of the certificate cannot be read: {error}") from None
    host_identity(key)  # refuses keys that no device can have
    return key


def proven_key(connection: SSL.Connection) -> bytes:
    """Return the key that the other side proved in a handshake that has completed.

    :raises BadKey: if it proved none that a device can have, or speaks something else than p2pship.
    """
    if connection.get_alpn_proto_negotiated() != ALPN:
        raise BadKey(f"the other side does not speak {ALPN.decode()}")
    try:
        certificate = connection.get_peer_certificate(as_cryptography=True)
    except (ValueError, x509.InvalidVersion) as error:
        raise BadKey(f"the certificate cannot be read: {error}") from None
    if certificate is None:
        raise BadKey("the other side has no certificate")
    return key_of(certificate)


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class TLSContext:
    """Makes the TLS connections of one device, for both roles.

    The certificate is only the envelope of the key: made anew at each start, never kept. OpenSSL checks the proof of
    possession (CertificateVerify, RFC 8446 §4.4.3); whose key it is and whether the person lists it, others check.
    Sessions are not resumed, because a resumed one proves no key; so there is no early data either, which could be
    replayed (RFC 8446 §8). No server name is sent.
    """

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        """Make the context of a device.

        :raises LocalError: if no device can have that key.
        """
        certificate = _certificate(private_key)
        try:
            self.key = key_of(certificate)
        except BadKey as error:
            raise LocalError(str(error)) from None
        self._context = _context(certificate, private_key)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def _certificate(private_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    builder = x509.CertificateBuilder(issuer_name=SUBJECT, subject_name=SUBJECT)
    builder = builder.public_key(private_key.public_key()).serial_number(1)
    return builder.not_valid_before(LONG_AGO).not_valid_after(NEVER).sign(private_key, SHA256())


def _context(certificate: x509.Certificate, private_key: ec.EllipticCurvePrivateKey) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.use_certificate(certificate)
    context.use_privatekey(private_key)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
    context.set_alpn_protos([ALPN])
    context.set_alpn_select_callback(_select)
    return context


def _verify(_connection: SSL.Connection, certificate: X509, _error: int, depth: int, _ok: int) -> bool:
    """Take a key before it has to prove anything; it would be of no use later if that takes long.

    What has signed a certificate comes first, at a greater depth. No chain is taken: OpenSSL would check every signature of it, of ten
    authorities with keys that are made to be slow, for any stranger.
    """
    if depth > 0:
        return False
    try:
        key_of(certificate.to_cryptography())
    except (BadKey, ValueError, x509.InvalidVersion):
        return False
    return True


def _select(_connection: SSL.Connection, offered: list[bytes]) -> bytes:
    if ALPN in offered:
        return ALPN
    # An exception is how pyOpenSSL is told to send no_application_protocol, as RFC 7301 §3.2 demands.
    raise SSL.Error([("SSL routines", "", "no application protocol")])
