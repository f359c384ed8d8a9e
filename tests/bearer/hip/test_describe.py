"""Tests of packets in words, and of the table that reads every parameter."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.describe import DECODERS, describe, describe_parameter
from p2pship.bearer.hip.eddsaidentity import EdDSAIdentity
from p2pship.bearer.hip.numbers import Algorithm, EdDSACurve, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, Parameter, parse
from p2pship.bearer.hip.parameters import HostID
from tests.bearer.hip.captures import ALL, control
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

    def test_eddsa(self) -> None:
        """A Host Identity of EdDSA is shown, though we do not use it; one of another length is not valid."""
        identity = EdDSAIdentity(EdDSACurve.ED25519, bytes(range(32)))
        shown = in_words(ParameterType.HOST_ID, HostID(Algorithm.EDDSA, identity.encode()).encode())
        self.assertTrue(shown.startswith("HOST_ID: EDDSA on ED25519, 36 octets 0001"), shown)
        short = HostID(Algorithm.EDDSA, identity.encode()[:-1]).encode()
        self.assertIn("not valid", in_words(ParameterType.HOST_ID, short))

    def test_i1(self) -> None:
        """A packet without parameters is one line."""
        self.assertEqual(describe(parse(Builder(PacketType.I1, SENDER, RECEIVER).octets())).count("\n"), 0)
