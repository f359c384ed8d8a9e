"""Tests of reading the original's identities.xml."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.legacy import LONGEST_FILE, BadIdentities, OldIdentities, read_identities
from tests.identity.authority import name
from tests.identity.example import NOW


def certificate(key: Any, common_name: str) -> str:
    """Return a self-signed certificate in PEM."""
    begin = datetime.fromtimestamp(NOW, UTC)
    subject = name(common_name)
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), 1, begin, begin + timedelta(days=365)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


MADE_BY_OPENSSL = Path(__file__).parents[1] / "vectors" / "original-certificate.pem"
"openssl req -x509 -newkey rsa:1024 -sha1 -set_serial 0 -subj '/CN=Old Alice <sip:alice@old.example.com>'"

WEAK: Any = rsa.generate_private_key(65537, 1024)
STRONG: Any = rsa.generate_private_key(65537, 2048)


def pem(key: Any) -> str:
    """Return a private key in the PEM that the original wrote."""
    octets: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return octets.decode()


FILE = f"""<?xml version="1.0"?>
<p2pship-ident>
  <identities>
    <identity>
      <sip-aor>alice@Example.com</sip-aor><username>Alice &amp; all</username>
      <private-key>{pem(WEAK)}</private-key><certificate>{certificate(WEAK, "alice@example.com")}</certificate>
      <buddies>
        <buddy><sip-aor>bob@example.com</sip-aor><name>Bob</name><relationship>friend</relationship></buddy>
        <buddy><sip-aor>nobody</sip-aor><name>?</name></buddy>
        <buddy><sip-aor>a%00b@example.com</sip-aor><name>?</name></buddy>
      </buddies>
    </identity>
    <identity><sip-aor>alice@work.example</sip-aor><private-key>{pem(STRONG)}</private-key></identity>
    <identity><sip-aor>alice@home.example</sip-aor></identity>
  </identities>
  <trusted-ca>
    <ca><name>Family</name><certificate>{certificate(WEAK, "Family")}</certificate></ca>
    <ca><name>Broken</name><certificate>none</certificate></ca>
  </trusted-ca>
  <contacts>
    <contact><sip-aor>bob@example.com</sip-aor><name>Bob the friend</name></contact>
    <contact><sip-aor>sip:carol@example.com</sip-aor><name>Carol\x7f</name></contact>
    <contact><sip-aor>alice@work.example</sip-aor><name>Me</name></contact>
  </contacts>
</p2pship-ident>"""


class ReadIdentitiesTests(SynchronousTestCase):
    """A whole file, and files that are none."""

    def setUp(self) -> None:
        self.read: OldIdentities = read_identities(FILE.encode())

    def test_identities(self) -> None:
        """Names come over, each with what is weak about its key."""
        found = [(one.aor, one.name, one.weakness) for one in self.read.identities]
        self.assertEqual(
            [each[0] for each in found], ["alice@example.com", "alice@work.example", "alice@home.example"]
        )
        self.assertEqual(found[0][1], "Alice & all")
        self.assertIn("1024 bits", found[0][2])
        self.assertEqual(found[1][2], "")
        self.assertIn("cannot be read", found[2][2])

    def test_no_keys(self) -> None:
        """No private key of it is in what was read."""
        self.assertNotIn("PRIVATE", repr(self.read))

    def test_authorities(self) -> None:
        """CAs come over with what is weak about them."""
        (authority,) = self.read.authorities
        self.assertEqual(authority.name, "Family")
        self.assertIn("1024", authority.weakness)
        x509.load_der_x509_certificate(authority.certificate)

    def test_as_the_original_made_them(self) -> None:
        """A certificate of RSA-1024 with SHA-1 and the serial number 0 is told of in full, without a word of a library's."""
        ca = f"<ca><name>Old</name><certificate>{MADE_BY_OPENSSL.read_text('ascii')}</certificate></ca>"
        file = f"<p2pship-ident><trusted-ca>{ca}</trusted-ca></p2pship-ident>"
        (authority,) = read_identities(file.encode()).authorities
        self.assertIn("1024", authority.weakness)
        self.assertIn("SHA1", authority.weakness)
        self.assertEqual(self.flushWarnings(), [])

    def test_contacts(self) -> None:
        """Contacts and buddies come over once each, without oneself; what was written by hand counts."""
        found = [(one.aor, one.name) for one in self.read.contacts]
        self.assertEqual(found, [("bob@example.com", "Bob the friend"), ("carol@example.com", "Carol?")])

    def test_skipped(self) -> None:
        """What cannot be read is said: no address, a NUL in a name, a certificate that is none."""
        self.assertEqual(len(self.read.skipped), 3)
        for part, word in zip(self.read.skipped, ("Broken", "nobody", "cannot be seen"), strict=True):
            self.assertIn(word, part)

    def test_refused(self) -> None:
        """What is no such file is refused, entities and document types among it, and what is too long unread."""
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><p2pship-ident>&b;</p2pship-ident>'
        thief = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><p2pship-ident>&a;</p2pship-ident>'
        bad = (
            "",
            "garbage",
            "<a/>",
            "<p2pship-ident>",
            bomb,
            thief,
            '<?xml version="1.0" encoding="x"?><a/>',
        )
        for text in bad:
            self.assertRaises(BadIdentities, read_identities, text.encode())
        self.assertRaises(BadIdentities, read_identities, bytes(LONGEST_FILE + 1))

    def test_cut_short(self) -> None:
        """Cut short anywhere it is refused."""
        data = FILE.encode()
        for end in range(0, len(data) - 1, 61):
            self.assertRaises(BadIdentities, read_identities, data[:end])
