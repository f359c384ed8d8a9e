"""Tests of the certificate of a person."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.identity.certificate import BadCertificate, PersonalCertificate, read_certificate, self_signed
from p2pship.identity.validity import SKEW
from tests.identity.example import AOR, IDENTITY_KEY, KEY, NOW


def certificate(*names: x509.GeneralName) -> bytes:
    """Return a certificate with these names in subjectAltName, or without one."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AOR)])
    dates = datetime.fromtimestamp(NOW, UTC), datetime.fromtimestamp(NOW + 100, UTC)
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), 1, *dates)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


class SelfSignedTests(TestCase):
    """The certificate that a node makes."""

    def setUp(self) -> None:
        self.der = self_signed(KEY, AOR, NOW)
        self.certificate = x509.load_der_x509_certificate(self.der)

    def test_read(self) -> None:
        """It names the person and the key, and holds since the clocks that are slow."""
        self.assertEqual(read_certificate(self.der), PersonalCertificate(AOR, IDENTITY_KEY, NOW - SKEW))

    def test_signed(self) -> None:
        """It is signed with its own key, and is not one that may sign others."""
        self.certificate.verify_directly_issued_by(self.certificate)
        constraints = self.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((constraints.value.ca, constraints.critical), (False, True))

    def test_no_end(self) -> None:
        """It has the date that says that there is none (RFC 5280 §4.1.2.5)."""
        self.assertEqual(self.certificate.not_valid_after_utc, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        self.assertIn(b"99991231235959Z", self.der)

    def test_long_name(self) -> None:
        """A name longer than a common name may be, escaped, or at an IPv6 address, is in it whole."""
        for aor in ("a" * 242 + "@example.com", "%C3%BC@example.com", "a@[2001:db8::1]"):
            self.assertEqual(read_certificate(self_signed(KEY, aor, NOW)).aor, aor)

    def test_serials(self) -> None:
        """No two have the same serial number (RFC 5280 §4.1.2.2)."""
        other = x509.load_der_x509_certificate(self_signed(KEY, AOR, NOW))
        self.assertNotEqual(other.serial_number, self.certificate.serial_number)


class ReadCertificateTests(TestCase):
    """Whom a certificate names."""

    def test_among_others(self) -> None:
        """The SIP URI is found among names of other kinds, and made canonical."""
        names = (
            x509.DNSName("example.com"),
            x509.RFC822Name(AOR),
            x509.UniformResourceIdentifier("https://x/"),
        )
        der = certificate(*names, x509.UniformResourceIdentifier("SIP:alice@EXAMPLE.com"))
        self.assertEqual(read_certificate(der).aor, AOR)

    def test_nobody(self) -> None:
        """One that names nobody, two people or what is no name is refused; a common name does not count."""
        uri = x509.UniformResourceIdentifier
        cases = (
            certificate(),
            certificate(x509.DNSName("example.com")),
            certificate(uri("sip:example.com")),
            certificate(uri(f"sip:{AOR}"), uri("sip:bob@example.com")),
            # what no peer would believe
            certificate(uri(f"sip:{AOR}"), uri(f"sips:{AOR}")),
            certificate(uri(f"sip:{AOR};user=phone")),
        )
        for der in cases:
            self.assertRaises(BadCertificate, read_certificate, der)

    def test_truncated(self) -> None:
        """A certificate that is cut short anywhere is refused."""
        der = self_signed(KEY, AOR, NOW)
        for end in range(len(der)):
            self.assertRaises(BadCertificate, read_certificate, der[:end])

    def test_garbled(self) -> None:
        """One with any one octet changed is read or refused, never worse."""
        good = self_signed(KEY, AOR, NOW)
        for at in range(len(good)):
            for flip in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF):
                der = bytearray(good)
                der[at] ^= flip
                try:
                    read = read_certificate(bytes(der))
                except BadCertificate:
                    continue
                self.assertIn("@", read.aor)

    @given(st.binary(max_size=100))
    def test_garbage(self, der: bytes) -> None:
        """Garbage is refused."""
        self.assertRaises(BadCertificate, read_certificate, der)
