"""Tests for p2pship.bearer.tlscontext."""

from __future__ import annotations

import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship.bearer.tlscontext import ALPN, TLSContext, key_of
from p2pship.errors import LocalError
from p2pship.identity.keys import BadKey
from tests.bearer import strangers
from tests.bearer.fakes import device

NOBODY: Any = None
"The protocol that a connection is made for, which is not looked at."

SIGNER = ec.generate_private_key(ec.SECP256R1())


class KeyTests(TestCase):
    """Which keys a device can have."""

    def test_taken(self) -> None:
        """P-256, P-384 and RSA-2048 are, and the key comes out as it is known elsewhere."""
        for curve in (ec.SECP256R1(), ec.SECP384R1()):
            key = ec.generate_private_key(curve).public_key()
            self.assertTrue(key_of(strangers.certificate_for(key, SIGNER)))
        self.assertTrue(
            key_of(strangers.certificate_for(rsa.generate_private_key(65537, 2048).public_key(), SIGNER))
        )
        alice = device("alice")
        certificate = strangers.certificate_for(alice.private_key.public_key(), SIGNER)
        self.assertEqual(key_of(certificate), alice.key)

    def test_refused(self) -> None:
        """Others are not."""
        for key in (
            ec.generate_private_key(ec.SECP521R1()).public_key(),
            rsa.generate_private_key(65537, 1024).public_key(),
            ed25519.Ed25519PrivateKey.generate().public_key(),
        ):
            self.assertRaises(BadKey, key_of, strangers.certificate_for(key, SIGNER))

    def test_garbage(self) -> None:
        """A key that is none is refused, not stumbled over."""
        alice = device("alice")
        certificate = strangers.certificate_for(alice.private_key.public_key(), SIGNER)
        octets = certificate.public_bytes(Encoding.DER)
        point = alice.key[-64:]
        broken = octets.replace(point, b"\xff" * 64)
        self.assertNotEqual(broken, octets)
        self.assertRaises(BadKey, key_of, x509.load_der_x509_certificate(broken))


class ContextTests(TestCase):
    """What TLS is made to do."""

    def setUp(self) -> None:
        self.context = TLSContext(device("bob").private_key)

    def test_interfaces(self) -> None:
        """It makes connections for both roles."""
        verifyObject(IOpenSSLClientConnectionCreator, self.context)
        verifyObject(IOpenSSLServerConnectionCreator, self.context)
        self.assertEqual(self.context.key, device("bob").key)

    def test_bad_own_key(self) -> None:
        """A device with a key that others would refuse is told at once."""
        self.assertRaises(LocalError, TLSContext, ec.generate_private_key(ec.SECP521R1()))

    def test_no_names(self) -> None:
        """Two devices' certificates differ in nothing but the key and what it signed."""
        subjects = set()
        for name in ("alice", "bob"):
            server = TLSContext(device(name).private_key).serverConnectionForTLS(NOBODY)
            certificate = server.get_certificate(as_cryptography=True)
            assert certificate is not None
            subjects.add((certificate.subject, certificate.issuer, certificate.serial_number))
            self.assertEqual(len(certificate.extensions), 0)
        self.assertEqual(len(subjects), 1)

    def test_no_resumption(self) -> None:
        """A session that a client kept is not resumed; another server, with OpenSSL's own settings, would."""
        client = self.resuming_client()
        ours = self.context.serverConnectionForTLS
        self.assertEqual(self.visits(client, lambda: ours(NOBODY)), [False, False])
        ordinary = strangers.equipped(SIGNER, SSL.Context(SSL.TLS_SERVER_METHOD))
        ordinary.set_session_id(b"ordinary")
        self.assertEqual(self.visits(client, lambda: SSL.Connection(ordinary, None)), [False, True])

    def resuming_client(self) -> ssl.SSLContext:
        """Return the standard library's client, which can resume sessions, with a certificate."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(SIGNER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            certificate = strangers.certificate_for(SIGNER.public_key(), SIGNER)
            file.write(certificate.public_bytes(Encoding.PEM))
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        made.load_cert_chain(path)
        made.set_alpn_protocols([ALPN.decode()])
        return made

    def visits(self, client: ssl.SSLContext, server: Any) -> list[bool]:
        """Connect twice, the second time offering the first session; tell each time whether one was resumed."""
        first = self.visit(client, server(), None)
        second = self.visit(client, server(), first.session)
        return [bool(first.session_reused), bool(second.session_reused)]

    def visit(self, client: ssl.SSLContext, server: SSL.Connection, session: Any) -> ssl.SSLObject:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        visitor = client.wrap_bio(incoming, outgoing, session=session)
        server.set_accept_state()
        for _ in range(4):
            self.step(visitor.do_handshake)
            self.step(lambda: visitor.read(1))
            if outgoing.pending:
                server.bio_write(outgoing.read())
            self.step(server.do_handshake)
            self.step(lambda: incoming.write(server.bio_read(65_536)))
        self.assertEqual(visitor.version(), "TLSv1.3")
        return visitor

    def step(self, act: Any) -> None:
        """Do what may have to wait for the other side."""
        try:
            act()
        except (SSL.WantReadError, ssl.SSLWantReadError):
            return
