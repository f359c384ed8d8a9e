"""Tests of CERT: how it is read, and which chains are believed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.certparameter import (
    LONGEST_CHAIN,
    BadCertificate,
    CertificateParameter,
    Chain,
    grouped,
    verified,
)
from p2pship.bearer.hip.hostidentity import HostIdentity, OwnHostIdentity
from p2pship.bearer.hip.numbers import CertificateType, NotifyType
from p2pship.bearer.hip.packet import BadPacket
from tests.bearer.hip.captures import FOLDER
from tests.bearer.hip.hosts import BEGIN, identity
from tests.scale import SEED, scaled

NOW = datetime.fromtimestamp(BEGIN, UTC)
ROOT, MIDDLE = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
SHA384 = hashes.SHA384()


def spki(key: Any) -> bytes:
    """Return the public key of a private one."""
    octets: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return octets


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    key: bytes,
    subject: str,
    by: Any,
    issuer: str,
    *,
    authority: bool | None = None,
    below: int | None = None,
    about: tuple[str, ...] = (),
    said_by: tuple[str, ...] = (),
    begins: int = -1,
    ends: int = 1,
    hash_: Any = SHA384,
    extension: x509.ExtensionType | None = None,
) -> bytes:
    """Return a certificate in DER; ``begins`` and ``ends`` are days from now."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(load_der_public_key(key))  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=ends))
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(authority, below), critical=True)
    for kind, hosts in ((x509.SubjectAlternativeName, about), (x509.IssuerAlternativeName, said_by)):
        if hosts:
            addresses = [x509.IPAddress(ip_address(host)) for host in hosts]
            builder = builder.add_extension(kind(addresses), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(by, hash_).public_bytes(Encoding.DER)


def group(*certificates: bytes, type_: int = CertificateType.X509_V3) -> list[CertificateParameter]:
    """Return certificates as a group of CERTs."""
    total = len(certificates)
    return [CertificateParameter(1, total, at, type_, each) for at, each in enumerate(certificates, 1)]


class CertificateTests(TestCase):
    """Chains about one Host Identity."""

    def setUp(self) -> None:
        self.own = identity("P-256")
        self.identity = HostIdentity(self.own.host_id)
        self.hit = str(ip_address(self.own.hit))

    def host(self, **kwargs: Any) -> bytes:
        """Return a certificate about the host, by the middle one."""
        return certificate(self.own.key, "host", MIDDLE, "middle", **{"about": (self.hit,), **kwargs})

    def middle(self, **kwargs: Any) -> bytes:
        return certificate(spki(MIDDLE), "middle", ROOT, "root", **{"authority": True, **kwargs})

    def root(self, **kwargs: Any) -> bytes:
        return certificate(spki(ROOT), "root", ROOT, "root", **{"authority": True, **kwargs})

    def verified(self, *certificates: bytes, anchors: tuple[bytes, ...] = ()) -> Chain:
        return verified(group(*certificates), self.identity, BEGIN, anchors)

    def assert_refused(
        self, *certificates: bytes, anchors: tuple[bytes, ...] = (), number: int | None = None
    ) -> None:
        """Assert that a chain is refused, for the certificate of a number."""
        error = self.assertRaises(BadCertificate, self.verified, *certificates, anchors=anchors)
        self.assertEqual(error.notify, NotifyType.INVALID_CERTIFICATE)
        if number is not None:
            self.assertEqual(error.data, bytes([1, number]))

    def test_chain(self) -> None:
        """A chain up to a root says who has signed the last one; whether that is believed is not asked here."""
        chain = self.verified(self.host(ends=5), self.middle(ends=3), self.root(ends=9))
        self.assertEqual((chain.subject, chain.issuer, chain.signer), ("CN=host", "CN=root", spki(ROOT)))
        self.assertEqual(chain.until, NOW + timedelta(days=3))

    def test_anchor(self) -> None:
        """The root may be left out if its key is known."""
        chain = self.verified(self.host(), self.middle(), anchors=(spki(MIDDLE), spki(ROOT)))
        self.assertEqual(chain.signer, spki(ROOT))
        self.assertEqual(self.verified(self.host(), anchors=(spki(MIDDLE),)).signer, spki(MIDDLE))
        self.assert_refused(self.host(), self.middle(), number=2)
        self.assert_refused(self.host(), self.middle(), anchors=(spki(MIDDLE), b"no key"), number=2)

    def test_rsa(self) -> None:
        """Certificates may be signed by RSA."""
        key = rsa.generate_private_key(65537, 2048)
        host = certificate(self.own.key, "host", key, "root", hash_=hashes.SHA256())
        root = certificate(spki(key), "root", key, "root", authority=True, hash_=hashes.SHA256())
        self.assertEqual(self.verified(host, root).signer, spki(key))

    def test_self(self) -> None:
        """A host may have signed its own, which proves nothing else."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = OwnHostIdentity(key)
        hit = str(ip_address(own.hit))
        alone = certificate(own.key, "me", key, "me", about=(hit,), said_by=(hit,))
        chain = verified(group(alone), HostIdentity(own.host_id), BEGIN, ())
        self.assertEqual(chain.signer, own.key)

    def test_another_host(self) -> None:
        """A certificate about another key or another HIT says nothing of this one."""
        other = certificate(spki(ROOT), "host", MIDDLE, "middle", about=(self.hit,))
        self.assert_refused(other, self.middle(), self.root(), number=1)
        wrong = self.host(about=("2001:22::1",))
        self.assert_refused(wrong, self.middle(), self.root(), number=1)
        self.assert_refused(self.middle(), self.root(), number=1)

    def test_names(self) -> None:
        """It may have other addresses, several HITs, or none: a managed authority knows nothing of HITs (RFC 8002 §3)."""
        for about in ((), ("192.0.2.1", "2001:db8::1"), (self.hit, "2001:22::1"), ("192.0.2.1", self.hit)):
            self.verified(self.host(about=about), self.middle(), self.root())

    def test_issuer_hit(self) -> None:
        """If the issuer's HIT is said, it is the one of the key that has signed."""
        hit = str(ip_address(OwnHostIdentity(MIDDLE).hit))
        self.verified(self.host(said_by=(hit,)), self.middle(), self.root())
        self.assert_refused(self.host(said_by=(self.hit,)), self.middle(), self.root(), number=1)
        self.assert_refused(self.host(said_by=(self.hit,)), anchors=(spki(MIDDLE),), number=1)

    def test_order(self) -> None:
        """Each is signed by the next, which may sign, and has its name."""
        host, middle, root = self.host(), self.middle(), self.root()
        self.assert_refused(host, root, middle)
        self.assert_refused(middle, host, root)
        self.assert_refused(host, root, number=1)
        self.assert_refused(host, self.middle(authority=False), root, number=1)
        self.assert_refused(host, self.middle(authority=None), root, number=1)
        forged = certificate(self.own.key, "host", ROOT, "middle")
        self.assert_refused(forged, middle, root, number=1)
        misnamed = certificate(self.own.key, "host", MIDDLE, "another")
        self.assert_refused(misnamed, middle, root, number=1)

    def test_time(self) -> None:
        """Each is valid now."""
        for times in ({"ends": -1, "begins": -2}, {"begins": 1, "ends": 2}):
            self.assert_refused(self.host(**times), self.middle(), self.root(), number=1)
            self.assert_refused(self.host(), self.middle(**times), self.root(), number=2)
            self.assert_refused(self.host(), self.middle(), self.root(**times), number=3)

    def test_kind(self) -> None:
        """Weak hashes and critical extensions that we do not understand are not taken."""
        self.assert_refused(self.host(hash_=hashes.SHA224()), self.middle(), self.root(), number=1)
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
        self.assert_refused(self.host(extension=unknown), self.middle(), self.root(), number=1)
        limits = x509.NameConstraints([x509.DNSName("example.com")], None)
        self.assert_refused(self.host(), self.middle(extension=limits), self.root(), number=2)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        self.assert_refused(self.host(extension=purpose), self.middle(), self.root(), number=1)

    def test_authorities(self) -> None:
        """An authority has no more authorities below it than it says, and its key is for signing certificates."""
        host = self.host()
        self.verified(host, self.middle(below=0), self.root(below=1))
        self.assert_refused(host, self.middle(), self.root(below=0), number=2)
        for is_for in (True, False):
            usage = x509.KeyUsage(True, False, False, False, False, is_for, False, False, False)
            if is_for:
                self.verified(host, self.middle(extension=usage), self.root())
            else:
                self.assert_refused(host, self.middle(extension=usage), self.root(), number=1)

    def test_elsewhere(self) -> None:
        """What would have to be fetched is not: nobody has us open an address of theirs."""
        for type_ in (0, 2, *set(CertificateType) - {CertificateType.X509_V3}):
            chain = group(self.host(), self.middle(), self.root(), type_=type_)
            self.assertRaises(BadCertificate, verified, chain, self.identity, BEGIN, ())

    def test_whole(self) -> None:
        """A group that is not complete, empty or too long is not looked at."""
        chain = group(self.host(), self.middle(), self.root())
        for wrong in (chain[:2], chain[:0], group(*[self.root()] * (LONGEST_CHAIN + 1))):
            self.assertRaises(BadCertificate, verified, wrong, self.identity, BEGIN, ())

    def test_altered(self) -> None:
        """A certificate with any octet changed is refused, with BadCertificate and nothing else."""
        host = self.host()
        for at in range(len(host)):
            altered = host[:at] + bytes([host[at] ^ 1]) + host[at + 1 :]
            if at != self.unused_bits(host):
                self.assert_refused(altered, anchors=(spki(MIDDLE),))

    def unused_bits(self, host: bytes) -> int:
        """Return where a certificate says that its signature ends with a whole octet, which changes nothing."""
        return host.rindex(b"\0" + x509.load_der_x509_certificate(host).signature)

    def test_very_altered(self) -> None:
        """So is one with several octets changed."""
        dice, host = random.Random(SEED), self.host()
        for _ in range(scaled(1_500, 300_000)):
            altered = bytearray(host)
            for _ in range(dice.randint(1, 4)):
                altered[dice.randrange(len(host))] = dice.choice(
                    (0, 1, 2, 0x30, 0x80, 0xFF, dice.randrange(256))
                )
            altered[self.unused_bits(host)] = 0
            if altered != host:
                self.assert_refused(bytes(altered), anchors=(spki(MIDDLE),))

    def test_truncated(self) -> None:
        """So is one that is cut off anywhere."""
        host = self.host()
        for size in range(len(host)):
            self.assert_refused(host[:size], anchors=(spki(MIDDLE),))

    @given(st.binary(max_size=100))
    def test_garbage(self, octets: bytes) -> None:
        """And garbage."""
        chain = [CertificateParameter(0, 1, 1, CertificateType.X509_V3, octets)]
        own = HostIdentity(identity("P-256").host_id)
        self.assertRaises(BadCertificate, verified, chain, own, BEGIN, ())

    def test_example(self) -> None:
        """The example of RFC 8002, Appendix A, is read; its HITs are made up, and not those of its key."""
        found = x509.load_pem_x509_certificate((FOLDER / "certificate.pem").read_bytes())
        der, key = found.public_bytes(Encoding.DER), found.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        numbers = key.public_numbers()
        host_id = identity("P-256").host_id._replace(
            algorithm=5, identity=b"\3\1\0\1" + numbers.n.to_bytes(256, "big")
        )
        when = found.not_valid_before_utc.timestamp() + 1
        error = self.assertRaises(BadCertificate, verified, group(der), HostIdentity(host_id), when, ())
        self.assertIn("another HIT", str(error))
        self.assertRaises(BadCertificate, verified, group(der), HostIdentity(host_id), when - 2, ())

    def test_unused_key(self) -> None:
        """An issuer whose key is of a kind without HITs may not say that it has one."""
        pem = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
        key = load_pem_public_key(pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.assert_refused(self.host(said_by=(self.hit,)), anchors=(key,))


class GroupTests(TestCase):
    """CERTs of one packet (RFC 8002 §2)."""

    def cert(self, group: int, total: int, number: int) -> CertificateParameter:
        return CertificateParameter(group, total, number, 1, b"")

    def test_groups(self) -> None:
        """They are by group; one group may go on in the next packet."""
        one, two = self.cert(1, 1, 1), (self.cert(4, 3, 2), self.cert(4, 3, 3))
        self.assertEqual(grouped([one, *two]), {1: (one,), 4: two})
        self.assertEqual(grouped([]), {})

    def test_wrong(self) -> None:
        """Groups and numbers ascend, a group has one size, and no two groups are incomplete."""
        for wrong in (
            [(2, 1, 1), (1, 1, 1)],
            [(1, 2, 2), (1, 2, 1)],
            [(1, 2, 1), (1, 2, 1)],
            [(1, 2, 1), (2, 1, 1), (1, 2, 2)],
            [(1, 2, 1), (1, 3, 2)],
            [(1, 2, 1), (2, 2, 1)],
        ):
            self.assertRaises(BadCertificate, grouped, [self.cert(*each) for each in wrong])

    def test_numbers(self) -> None:
        """A number is from 1 up to the size of its group."""
        for octets in (b"\0\0\0\1", b"\0\1\0\1", b"\0\1\2\1", b"\0\0\1\1", b"", b"\0\1\1"):
            self.assertRaises(BadPacket, CertificateParameter.decode, octets)
        self.assertEqual(CertificateParameter.decode(b"\7\2\1\1der").certificate, b"der")
