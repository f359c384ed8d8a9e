"""Tests of packets in words, and of the table that reads every parameter."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.certparameter import CertificateParameter
from p2pship.bearer.hip.describe import DECODERS, describe, describe_parameter
from p2pship.bearer.hip.eddsaidentity import EdDSAIdentity
from p2pship.bearer.hip.locatorset import LocatorField, encode_locators
from p2pship.bearer.hip.numbers import (
    Algorithm,
    CertificateType,
    EdDSACurve,
    LocatorType,
    PacketType,
    ParameterType,
)
from p2pship.bearer.hip.packet import BadPacket, Builder, Parameter, parse
from p2pship.bearer.hip.parameters import ESPInfo, HostID
from tests.bearer.hip.captures import ALL, FOLDER, control
from tests.bearer.hip.encoders import encoded
from tests.bearer.hip.strategies import VALUES

ANY = st.sampled_from(ParameterType)
SENDER, RECEIVER = bytes.fromhex("20010020" + "00" * 11 + "01"), bytes(16)


def in_words(type_: int, contents: bytes) -> str:
    """Return one parameter in words."""
    return describe_parameter(Parameter(type_, contents, 0, 0))


class ParameterTests(TestCase):
    """Every parameter there is."""

    def test_all(self) -> None:
        """Every type has a decoder, and the tests have values for it."""
        self.assertEqual((set(DECODERS), set(VALUES)), ({*ParameterType}, {*ParameterType}))

    @given(st.data(), ANY)
    def test_round_trip(self, data: Any, type_: ParameterType) -> None:
        """What was written is read, and can be said in words."""
        value = data.draw(VALUES[type_])
        contents = encoded(type_, value)
        self.assertEqual(DECODERS[type_](contents), value)
        self.assertTrue(in_words(type_, contents).startswith(type_.name))

    @given(st.data(), ANY)
    def test_truncated(self, data: Any, type_: ParameterType) -> None:
        """What is cut off is refused, or is a shorter value that would be written just so."""
        contents = encoded(type_, data.draw(VALUES[type_]))
        for size in range(len(contents)):
            self.assert_read_or_refused(type_, contents[:size])

    @given(st.binary(max_size=120), ANY)
    def test_garbage(self, contents: bytes, type_: ParameterType) -> None:
        """Garbage is refused with BadPacket and nothing else, or is a value; either can be said in words."""
        self.assert_read_or_refused(type_, contents)
        self.assertIn(type_.name, in_words(type_, contents))

    def assert_read_or_refused(self, type_: ParameterType, contents: bytes) -> None:
        """Assert that contents are refused, or are a value that is the same when it is written and read again."""
        try:
            value = DECODERS[type_](contents)
        except BadPacket:
            return
        self.assertEqual(DECODERS[type_](encoded(type_, value)), value)


class DescribeTests(TestCase):
    """What people read."""

    def test_captures(self) -> None:
        """Every recorded packet is described, a line for each parameter, and nothing in it is not valid."""
        for name in ALL:
            for octets in control(name):
                packet = parse(octets)
                lines = describe(packet).splitlines()
                self.assertEqual(len(lines), 1 + len(packet.parameters))
                self.assertNotIn("not valid", "".join(lines))

    def test_words(self) -> None:
        """Numbers that have names are named."""
        lines = describe(parse(control("raw-ecdsa384-rekey-close")[1])).splitlines()
        self.assertEqual(
            lines[:3],
            [
                "R1 2001:22:ab4d:6116:7ec:f026:9e6f:f085 -> 2001:22:f97c:86c0:d662:bf23:2b7a:af5e, 504 octets",
                "  PUZZLE: difficulty 16, lifetime 37, opaque 12970, random 48 octets cb814c369c21703f4624737942724999…",
                "  DH_GROUP_LIST: P384 P256 MODP-1536",
            ],
        )
        self.assertIn("  HIP_CIPHER: AES-256-CBC AES-128-CBC NULL-ENCRYPT", lines)
        self.assertIn("  HIT_SUITE_LIST: RSA-DSA-SHA256 ECDSA-SHA384 ECDSA-LOW-SHA1", lines)

    def test_unknown(self) -> None:
        """What is not known is said with its number, and whether anybody may ignore it."""
        builder = Builder(77, SENDER, RECEIVER, 1).add(4242, b"ab").add(4243, b"")
        self.assertEqual(
            describe(parse(builder.octets())).splitlines(),
            [
                "77 2001:20::1 -> ::, 56 octets, anonymous",
                "  4242 (not critical, not known): 2 octets 6162",
                "  4243 (critical, not known): 0 octets",
            ],
        )

    def test_not_valid(self) -> None:
        """What is not valid is said, and why."""
        self.assertEqual(in_words(ParameterType.SEQ, b"abc"), "SEQ, not valid: SEQ has 3 octets, not 4")

    def test_empty(self) -> None:
        """A LOCATOR_SET with nothing in it is said to be so."""
        self.assertEqual(in_words(ParameterType.LOCATOR_SET, b""), "LOCATOR_SET: none")

    def test_locators(self) -> None:
        """A locator is an address and what it is for; an SPI is written as other programs do."""
        listed = [
            LocatorField(0, LocatorType.ADDRESS, True, 1800, "192.0.2.1"),
            LocatorField(7, LocatorType.SPI_AND_ADDRESS, False, 60, "2001:db8::1", 0x1000),
            LocatorField(1, LocatorType.TRANSPORT_ADDRESS, False, 60, "192.0.2.1", 5, 10500, 17, 1, 9),
        ]
        self.assertEqual(
            in_words(ParameterType.LOCATOR_SET, encode_locators(listed)),
            "LOCATOR_SET: 192.0.2.1 for BOTH, 1800 s, preferred; 2001:db8::1 for 7, 60 s, SPI 0x00001000; "
            "192.0.2.1 for SIGNALLING, 60 s, protocol 17 port 10500, SERVER-REFLEXIVE of priority 9, SPI 0x00000005",
        )
        self.assertEqual(
            in_words(ParameterType.ESP_INFO, ESPInfo(96, 0, 0x1234).encode()),
            "ESP_INFO: keymat_index 96, old_spi 0x00000000, new_spi 0x00001234",
        )

    def test_eddsa(self) -> None:
        """A Host Identity of EdDSA is shown, though we do not use it; one of another length is not valid."""
        identity = EdDSAIdentity(EdDSACurve.ED25519, bytes(range(32)))
        shown = in_words(ParameterType.HOST_ID, HostID(Algorithm.EDDSA, identity.encode()).encode())
        self.assertTrue(shown.startswith("HOST_ID: EDDSA on ED25519, 36 octets 0001"), shown)
        short = HostID(Algorithm.EDDSA, identity.encode()[:-1]).encode()
        self.assertIn("not valid", in_words(ParameterType.HOST_ID, short))

    def test_certificates(self) -> None:
        """A certificate is shown by its names and times, or as none; nothing in a name spoils a log."""
        pem = (FOLDER / "certificate.pem").read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        shown = in_words(
            ParameterType.CERT, CertificateParameter(1, 2, 1, CertificateType.X509_V3, der).encode()
        )
        name = "'CN=Example issuing host,DC=com,DC=Example'"
        self.assertEqual(shown, f"CERT: group 1, number 1 of 2, {name} by {name}, 2016-02-25 to 2017-02-24")
        other = CertificateParameter(1, 1, 1, CertificateType.X509_V3, b"none").encode()
        self.assertEqual(
            in_words(ParameterType.CERT, other), "CERT: group 1, number 1 of 1, no X.509 certificate"
        )
        elsewhere = CertificateParameter(1, 1, 1, CertificateType.LDAP_URL_X509_V3, b"ldap://").encode()
        self.assertEqual(
            in_words(ParameterType.CERT, elsewhere), "CERT: group 1, number 1 of 1, type 5, 7 octets"
        )
        spoilt = der.replace(b"issuing host", b"\x1b[2J\nnew line")
        words = in_words(ParameterType.CERT, CertificateParameter(1, 1, 1, 1, spoilt).encode())
        self.assertTrue(words.isprintable(), words)

    def test_i1(self) -> None:
        """A packet without parameters is one line."""
        self.assertEqual(describe(parse(Builder(PacketType.I1, SENDER, RECEIVER).octets())).count("\n"), 0)
