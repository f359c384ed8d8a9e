"""Tests of HIP packets: header, parameters, checksums."""

from __future__ import annotations

import random
from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import (
    HEADER_SIZE,
    LARGEST,
    BadPacket,
    BadVersion,
    Builder,
    checksum,
    has_checksum,
    ones_complement,
    padded,
    parse,
    parse_parameters,
    scope,
    tlv,
    with_checksum,
)
from p2pship.errors import LocalError
from tests.bearer.hip import otherdecoder
from tests.bearer.hip.captures import ALL, HIP, captured, control, exchanges
from tests.bearer.hip.encoders import again
from tests.scale import SEED, scaled

SENDER, RECEIVER = (IPv6Address(f"2001:20::{number}").packed for number in (1, 2))
I1 = Builder(PacketType.I1, SENDER, RECEIVER).add(ParameterType.DH_GROUP_LIST, b"\3\4\x08").octets()
"The packet of RFC 7401, Appendix C."

HIPS = [each for name in ALL for each in captured(name) if each.protocol == HIP]

parameters = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=60)), max_size=12).map(
    lambda listed: sorted(listed, key=lambda each: each[0])
)


def built(listed: list[tuple[int, bytes]]) -> bytes:
    """Return a packet with parameters."""
    builder = Builder(PacketType.UPDATE, SENDER, RECEIVER)
    for type_, contents in listed:
        builder.add(type_, contents)
    return builder.octets()


class ChecksumTests(TestCase):
    """The checksum of packets that travel as IP protocol 139."""

    def test_rfc(self) -> None:
        """Those of RFC 7401, Appendix C."""
        self.assertEqual(I1.hex()[:16], "3b05012100000000")
        for source, destination, wanted in (
            ("2001:db8::1", "2001:db8::2", 0x1A5E),
            ("192.0.2.1", "192.0.2.2", 0xF1CE),
        ):
            self.assertEqual(checksum(I1, source, destination), wanted)
            sent = with_checksum(I1, source, destination)
            self.assertEqual(sent[4:6], wanted.to_bytes(2, "big"))
            self.assertTrue(has_checksum(sent, source, destination))
            self.assertFalse(has_checksum(I1, source, destination))
            self.assertFalse(has_checksum(sent, source, source))

    def test_rfc_tcp(self) -> None:
        """The one of a TCP segment between two HITs (Appendix C.3)."""
        segment = bytes.fromhex("ffdc001600000001000000005002ffff00000000")
        pseudo = SENDER + RECEIVER + (20).to_bytes(4, "big") + b"\0\0\0\6"
        self.assertEqual(ones_complement(pseudo + segment), 0x6FAA)

    def test_captures(self) -> None:
        """Those that were recorded; in UDP the field is zero."""
        for each in HIPS:
            if each.is_encapsulated:
                self.assertEqual(each.octets[4:6], b"\0\0")
            else:
                self.assertTrue(has_checksum(each.octets, each.source, each.destination))
                self.assertTrue(has_checksum(each.octets + b"behind", each.source, each.destination))

    @given(st.binary(min_size=40, max_size=400).map(lambda octets: octets[: len(octets) // 8 * 8]))
    def test_second_decoder(self, octets: bytes) -> None:
        """They are what adding word by word gives."""
        for host in ("192.0.2.1", "2001:db8::1"):
            packed = (IPv6Address(host).packed if ":" in host else bytes([192, 0, 2, 1]))  # fmt: skip
            self.assertEqual(checksum(octets, host, host), otherdecoder.checksum(octets, packed, packed))

    def test_zeros(self) -> None:
        """The sum of nothing but zeros, and one that is a multiple of 65535, are the two zeros."""
        self.assertEqual((ones_complement(bytes(8)), ones_complement(b"\xff" * 8)), (0xFFFF, 0))

    def test_two_versions(self) -> None:
        """There is none between an address of IPv4 and one of IPv6."""
        self.assertRaises(LocalError, checksum, I1, "192.0.2.1", "2001:db8::1")


class ParseTests(TestCase):
    """Reading a packet."""

    def test_captures(self) -> None:
        """Every recorded packet is built again from what was read of it, octet by octet, but for checksum and padding."""
        for octets in [each.octets for each in HIPS]:
            self.assert_rebuilt(octets)
        for name in ALL:
            self.assertGreater(len(control(name)), 3)
        for each in exchanges():
            for text in each["packets"].values():
                self.assert_rebuilt(bytes.fromhex(text))

    def assert_rebuilt(self, octets: bytes) -> None:
        packet = parse(octets)
        builder = Builder(packet.type, packet.sender, packet.receiver, packet.controls)
        expected = bytearray(octets)
        expected[4:6] = bytes(2)
        for each in packet.parameters:
            builder.add(each.type, again(each.type, each.contents))
            end = each.start + 4 + len(each.contents)
            expected[end : each.end] = bytes(
                each.end - end
            )  # one of the programs pads with what was there before
            if each.type == ParameterType.SOLUTION:  # and copies the lifetime to where a SOLUTION has nothing
                expected[each.start + 5] = 0
        self.assertEqual(builder.octets(), bytes(expected))

    @given(parameters)
    def test_round_trip(self, listed: list[tuple[int, bytes]]) -> None:
        """What was put in is read, and lies where it says."""
        octets = built(listed)
        packet = parse(octets)
        self.assertEqual([(each.type, each.contents) for each in packet.parameters], listed)
        self.assertEqual((packet.type, packet.sender, packet.receiver), (PacketType.UPDATE, SENDER, RECEIVER))
        for each in packet.parameters:
            self.assertEqual(octets[each.start : each.end], tlv(each.type, each.contents))
            self.assertEqual(packet.before(each), scope(octets[: each.start]))

    @given(st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=6))
    def test_order(self, types: list[int]) -> None:
        """Parameters that are not in ascending order are refused; several of one type are not (RFC 7401 §5.2.1)."""
        octets = b"".join(tlv(type_, b"") for type_ in types)
        if types == sorted(types):
            self.assertEqual([each.type for each in parse_parameters(octets)], types)
        else:
            self.assertRaises(BadPacket, parse_parameters, octets)

    def test_rest(self) -> None:
        """Octets that are too few for a parameter are refused: what was encrypted has any length."""
        for size in range(1, 8):
            self.assertRaises(BadPacket, parse_parameters, tlv(1, b"") + bytes(size))

    def test_length(self) -> None:
        """The length of a parameter is the formula of RFC 7401 §5.2.1: with type and length, up to a multiple of eight."""
        for size in range(100):
            self.assertEqual(padded(size), -(-(4 + size) // 8) * 8)

    def test_truncated(self) -> None:
        """A packet that is cut off anywhere is refused."""
        for octets in {I1, *(each.octets for each in HIPS[:4])}:
            for size in range(len(octets)):
                self.assertRaises(BadPacket, parse, octets[:size])

    def test_behind(self) -> None:
        """What is behind a packet is left out (RFC 7401 §5.1)."""
        self.assertEqual(parse(I1 + b"and more"), parse(I1))
        self.assertEqual(parse(b"\x11" + I1[1:] + b"and more").raw, b"\x11" + I1[1:])

    def test_too_short(self) -> None:
        """A header that says to be shorter than a header is refused."""
        for units in range(4):
            self.assertRaises(BadPacket, parse, I1[:1] + bytes([units]) + I1[2:])

    def test_reserved(self) -> None:
        """Bits that are reserved, or there for SHIM6, and padding are not looked at (RFC 7401 §5.1, §5.2.1)."""
        octets = bytearray(I1)
        octets[2] |= 0x80
        octets[3] ^= 0x0F
        octets[6] = 0xFF
        octets[-1] = 0xFF
        packet = parse(bytes(octets))
        self.assertEqual((packet.type, packet.parameters), (PacketType.I1, parse(I1).parameters))

    def test_version(self) -> None:
        """Another version is told from anything else that is wrong."""
        for version in (0, 1, 3, 15):
            self.assertRaises(BadVersion, parse, I1[:3] + bytes([version << 4 | 1]) + I1[4:])

    def test_length_of_parameter(self) -> None:
        """A parameter that says to be longer than the packet is refused."""
        for length in (5, 100, 0xFFFF):
            self.assertRaises(BadPacket, parse, I1[:42] + length.to_bytes(2, "big") + I1[44:])

    @given(st.binary(max_size=200))
    def test_garbage(self, octets: bytes) -> None:
        """Garbage is refused, with or without a header before it."""
        header = I1[:1] + bytes([(HEADER_SIZE + len(octets)) // 8 - 1]) + I1[2:HEADER_SIZE]
        for each in (octets, header + octets):
            try:
                parse(each)
            except BadPacket:
                continue

    def test_altered(self) -> None:
        """Recorded packets with some octets changed are refused, or are packets."""
        dice = random.Random(SEED)
        for _ in range(scaled(3_000, 1_000_000)):
            octets = bytearray(dice.choice(HIPS).octets)
            for _ in range(dice.randint(1, 4)):
                octets[dice.randrange(min(len(octets), 120))] = dice.choice((0, 1, 255, dice.randrange(256)))
            try:
                packet = parse(bytes(octets))
            except BadPacket:
                continue
            self.assertEqual(packet.parameters[-1].end if packet.parameters else HEADER_SIZE, len(packet.raw))


class BuilderTests(TestCase):
    """Making a packet."""

    def test_order(self) -> None:
        """We never make one out of order."""
        builder = Builder(PacketType.I1, SENDER, RECEIVER).add(ParameterType.SEQ, bytes(4))
        self.assertRaises(LocalError, builder.add, ParameterType.PUZZLE, b"")

    def test_size(self) -> None:
        """The largest is the largest that its length can say, and none is larger."""
        builder = Builder(PacketType.I1, SENDER, RECEIVER).add(ParameterType.CERT, bytes(2004))
        self.assertEqual((len(builder.octets()), builder.octets()[1]), (LARGEST, 255))
        self.assertRaises(LocalError, builder.add, ParameterType.CERT, b"")

    def test_need(self) -> None:
        """What is not there is None, or refused where it is needed."""
        packet = parse(I1)
        self.assertEqual(packet.find(ParameterType.SEQ), None)
        self.assertEqual(packet.need(ParameterType.DH_GROUP_LIST), b"\3\4\x08")
        self.assertEqual(list(packet.all(ParameterType.DH_GROUP_LIST)), [b"\3\4\x08"])
        self.assertRaises(BadPacket, packet.need, ParameterType.SEQ)
