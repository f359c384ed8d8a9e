"""Tests of the parameters of registrations and rendezvous servers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.numbers import RegistrationFailure, RegistrationType
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.registration import (
    Registration,
    RegistrationFailed,
    RegistrationInfo,
    decode_from,
    decode_via,
    encode_hosts,
    lifetime_of,
    seconds_of,
)

RENDEZVOUS, RELAY = RegistrationType.RENDEZVOUS, RegistrationType.RELAY_UDP_HIP


class LifetimeTests(TestCase):
    """Lifetimes in one octet (RFC 8003 §4.1)."""

    def test_values(self) -> None:
        """2^((n - 64) / 8) seconds, from 4 ms to 178 days, and 0 for the end of a registration."""
        self.assertEqual([seconds_of(each) for each in (0, 64, 72, 120)], [0.0, 1.0, 2.0, 128.0])
        self.assertAlmostEqual(seconds_of(1), 0.00426, 5)
        self.assertEqual(int(seconds_of(255) / 86400), 178)

    def test_back(self) -> None:
        """Every octet is found again from its seconds."""
        self.assertEqual([lifetime_of(seconds_of(each)) for each in range(256)], list(range(256)))

    @given(st.floats(0, 1e12))
    def test_never_longer(self, seconds: float) -> None:
        """What is said is never longer than what is meant, but by the shortest lifetime there is, nor shorter by a tenth."""
        said = seconds_of(lifetime_of(seconds))
        self.assertLessEqual(said, max(seconds * 1.000001, seconds_of(1) if seconds else 0))
        self.assertGreaterEqual(said, min(seconds * 0.91, seconds_of(255)))


class RegistrationTests(TestCase):
    """The octets of RFC 8003 §4.2 to §4.5."""

    def test_layouts(self) -> None:
        """Each field is where its figure has it."""
        for value, octets in (
            (RegistrationInfo(100, 120, (RENDEZVOUS, RELAY)), "64 78 01 02"),
            (Registration(120, (RENDEZVOUS,)), "78 01"),
            (Registration(0, (RENDEZVOUS,)), "00 01"),
            (RegistrationFailed(RegistrationFailure.UNKNOWN_CA, (RENDEZVOUS, RELAY)), "08 01 02"),
        ):
            self.assertEqual(value.encode(), bytes.fromhex(octets))
            self.assertEqual(type(value).decode(bytes.fromhex(octets)), value)

    def test_nothing(self) -> None:
        """A registrar may have nothing to offer any more; nobody registers for nothing."""
        self.assertEqual(RegistrationInfo.decode(b"\1\2").types, ())
        self.assertRaises(BadPacket, RegistrationInfo.decode, b"\1")
        for kind in (Registration, RegistrationFailed):
            for contents in (b"", b"\1"):
                self.assertRaises(BadPacket, kind.decode, contents)


class RendezvousTests(TestCase):
    """FROM and VIA_RVS (RFC 8004 §4.2.2, §4.2.3)."""

    def test_addresses(self) -> None:
        """Addresses of IPv4 are mapped into IPv6; a packet came from one, and may have passed several servers."""
        octets = bytes.fromhex("00000000000000000000ffffc0000201")
        self.assertEqual((encode_hosts(["192.0.2.1"]), decode_from(octets)), (octets, "192.0.2.1"))
        via = ("192.0.2.1", "2001:db8::1")
        self.assertEqual(decode_via(encode_hosts(via)), via)

    def test_sizes(self) -> None:
        """Anything but whole addresses is refused."""
        for size in (0, 1, 15, 17, 31):
            self.assertRaises(BadPacket, decode_via, bytes(size))
            self.assertRaises(BadPacket, decode_from, bytes(size))
        self.assertRaises(BadPacket, decode_from, bytes(32))
