"""Tests of the parameters of the base exchange: limits that are not of their form. Their forms are tested with the table in describe."""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.numbers import NotifyType, ParameterType
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.parameters import (
    LISTS,
    MOST_CIPHERS,
    DiffieHellman,
    ESPInfo,
    HostID,
    Notification,
    Puzzle,
    Signature,
    Solution,
    decode_ciphers,
    decode_counter,
    decode_esp_transform,
    decode_hit_suites,
    decode_list,
    encode_counter,
    encode_esp_transform,
    encode_list,
)
from tests.bearer.hip.strategies import VALUES


class LayoutTests(TestCase):
    """The octets of RFC 7401 and RFC 7402, written by hand."""

    def test_layouts(self) -> None:
        """Each field is where its figure has it."""
        for value, octets in (
            (ESPInfo(0x60, 1, 0xABCDEF01), "0000 0060 00000001 abcdef01"),
            (Puzzle(10, 39, 0x1234, b"\xaa" * 20), "0a 27 1234" + "aa" * 20),
            (Solution(10, 0x1234, b"\xaa" * 20, b"\xbb" * 20), "0a 00 1234" + "aa" * 20 + "bb" * 20),
            (DiffieHellman(8, b"\x11\x22\x33"), "08 0003 112233"),
            (HostID(7, b"\1\2\3", 2, b"a@b"), "0003 2003 0007 010203 614062"),
            (Notification(16384, b"x"), "0000 4000 78"),
            (Signature(5, b"sig"), "0005 736967"),
        ):
            self.assertEqual(value.encode(), bytes.fromhex(octets))
            self.assertEqual(type(value).decode(bytes.fromhex(octets)), value)
        self.assertEqual(encode_counter(7), bytes(4) + bytes(7) + b"\7")
        self.assertEqual(encode_esp_transform((8, 13)), bytes.fromhex("0000 0008 000d"))

    def test_reserved(self) -> None:
        """Reserved octets are not looked at."""
        self.assertEqual(ESPInfo.decode(b"\xff\xff" + bytes(10)), ESPInfo(0, 0, 0))
        self.assertEqual(Solution.decode(b"\1\xff\0\0ij").difficulty, 1)
        self.assertEqual(decode_counter(b"\xff" * 4 + bytes(8)), 0)
        self.assertEqual(Notification.decode(b"\xff\xff\0\1").type, 1)
        self.assertEqual(decode_esp_transform(b"\xff\xff\0\x08"), (8,))


class LimitTests(TestCase):
    """What is too short, too long, or does not agree with itself."""

    def test_six(self) -> None:
        """Of more than six ciphers and suites, the first six count (RFC 7401 §5.2.8, RFC 7402 §5.1.2)."""
        many = tuple(range(1, 11))
        self.assertEqual(decode_ciphers(encode_list(ParameterType.HIP_CIPHER, many)), many[:MOST_CIPHERS])
        self.assertEqual(decode_esp_transform(encode_esp_transform(many)), many[:MOST_CIPHERS])

    def test_lists(self) -> None:
        """A list has something in it, and no half numbers."""
        for type_, size in LISTS.items():
            self.assertRaises(BadPacket, decode_list, type_, b"")
            self.assertEqual(decode_list(type_, bytes(3 * size)), (0, 0, 0))
            if size > 1:
                self.assertRaises(BadPacket, decode_list, type_, bytes(3 * size - 1))
        for contents in (b"", b"\0", b"\0\0", b"\0\0\0"):
            self.assertRaises(BadPacket, decode_esp_transform, contents)

    def test_hit_suites(self) -> None:
        """A HIT suite is the higher half of its octet, and the lower half is zero (RFC 7401 §5.2.10)."""
        self.assertEqual(decode_hit_suites(b"\x10\x20\x50"), (1, 2, 5))
        error = self.assertRaises(BadPacket, decode_hit_suites, b"\x10\x21")
        self.assertEqual(error.notify, NotifyType.UNSUPPORTED_HIT_SUITE)

    def test_public_value(self) -> None:
        """A public value is as long as it says, and is there."""
        for contents in (b"\7\0\0", b"\7\0\2a", b"\7\0\1ab", b"\7\0"):
            self.assertRaises(BadPacket, DiffieHellman.decode, contents)

    def test_host_id(self) -> None:
        """So are a Host Identity and its domain."""
        good = HostID(7, b"identity", 1, b"domain").encode()
        for contents in (good[:-1], good + b"a", b"\0\0\0\0\0\7", b"\0\0\x10\1\0\7a"):
            self.assertRaises(BadPacket, HostID.decode, contents)

    def test_puzzle(self) -> None:
        """#I is no longer than any hash, and #J is as long as #I."""
        for contents in (bytes(4), bytes(4 + 49)):
            self.assertRaises(BadPacket, Puzzle.decode, contents)
        for contents in (bytes(4), bytes(4 + 33), bytes(4 + 98)):
            self.assertRaises(BadPacket, Solution.decode, contents)

    def test_lifetimes(self) -> None:
        """Every lifetime of a puzzle is a number of seconds: an octet cannot say one that is none."""
        found = [Puzzle(0, lifetime, 0, b"i").seconds for lifetime in range(256)]
        self.assertEqual((found[32], found[37], found[39]), (1.0, 32.0, 128.0))
        self.assertEqual(found, sorted(found))

    @given(VALUES[ParameterType.ACK])
    def test_acks(self, acks: tuple[int, ...]) -> None:
        """ACK has as many Update IDs as a quarter of its length."""
        self.assertEqual(len(encode_list(ParameterType.ACK, acks)), 4 * len(acks))
