"""Tests of LOCATOR_SET."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.locatorset import (
    MOST_LOCATORS,
    LocatorField,
    decode_locators,
    encode_locators,
    for_data,
    unsupported,
)
from p2pship.bearer.hip.numbers import CandidateKind, LocatorType, ParameterType, TrafficType
from p2pship.bearer.hip.packet import BadPacket, parse
from tests.bearer.hip.captures import control

PLAIN = LocatorField(0, LocatorType.ADDRESS, True, 1800, "192.0.2.1")
WITH_SPI = LocatorField(2, LocatorType.SPI_AND_ADDRESS, False, 1800, "2001:db8::1", 0x1000)
TRANSPORT = LocatorField(1, LocatorType.TRANSPORT_ADDRESS, False, 60, "192.0.2.1", 5, 10500, 17, 3, 0x7E)


class LocatorSetTests(TestCase):
    """Where a host can be reached."""

    def test_layouts(self) -> None:
        """Each type is as its figure has it (RFC 8046 §4, RFC 9028 §5.7)."""
        mapped = "00" * 10 + "ffff" + "c0000201"
        for locator, octets in (
            (PLAIN, "00 00 04 01 00000708" + mapped),
            (WITH_SPI, "02 01 05 00 00000708 00001000 20010db8" + "00" * 11 + "01"),
            (TRANSPORT, "01 02 07 00 0000003c 2904 11 03 0000007e 00000005" + mapped),
        ):
            self.assertEqual(encode_locators([locator]), bytes.fromhex(octets))
            self.assertEqual(decode_locators(bytes.fromhex(octets)), (locator,))
        self.assertEqual(TRANSPORT.kind, CandidateKind.RELAYED)

    def test_captured(self) -> None:
        """What another program has sent as it moved."""
        moved = next(
            contents
            for octets in control("udp-mobility")
            if (contents := parse(octets).find(ParameterType.LOCATOR_SET)) is not None
        )
        first, second = decode_locators(moved)
        self.assertEqual((first.host, first.preferred, first.lifetime), ("10.99.0.11", True, 1800))
        self.assertEqual((second.preferred, second.spi), (False, first.spi))
        self.assertEqual(encode_locators([first, second]), moved)

    def test_unknown_types(self) -> None:
        """A locator of a type that nobody knows is passed over, by its length; those of known types have theirs."""
        unknown = bytes([0, 9, 3, 0]) + bytes(4 + 12)
        self.assertEqual(
            decode_locators(encode_locators([PLAIN]) + unknown + encode_locators([WITH_SPI])),
            (PLAIN, WITH_SPI),
        )
        preferred = unknown[:3] + b"\1" + unknown[4:]
        for octets, told in ((unknown, b""), (preferred, preferred)):
            self.assertEqual(unsupported(encode_locators([PLAIN]) + octets), told)
        for units in (0, 3, 5, 255):
            self.assertRaises(BadPacket, decode_locators, bytes([0, 0, units, 0]) + bytes(4 + 4 * units))

    def test_none(self) -> None:
        """There may be none at all: then no address is good any more (RFC 8046 §4)."""
        self.assertEqual(decode_locators(b""), ())

    def test_many(self) -> None:
        """No more than sixteen are looked at."""
        self.assertEqual(len(decode_locators(encode_locators([PLAIN] * 70))), MOST_LOCATORS)

    def test_truncated(self) -> None:
        """A set that is cut off within a locator is refused."""
        octets = encode_locators([PLAIN, WITH_SPI, TRANSPORT])
        whole = {0, 24, 24 + 28}
        for size in set(range(len(octets))) - whole:
            self.assertRaises(BadPacket, decode_locators, octets[:size])

    def test_for_data(self) -> None:
        """Data goes to locators for both kinds of traffic, that last at all (RFC 8046 §4)."""
        self.assertTrue(for_data(PLAIN))
        self.assertFalse(for_data(PLAIN._replace(lifetime=0)))
        self.assertFalse(for_data(PLAIN._replace(traffic=TrafficType.SIGNALLING)))
