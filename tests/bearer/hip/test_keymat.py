"""Tests of the keys of an association."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.keymat import Keymat
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.suites import RHash
from tests.bearer.hip.captures import exchanges
from tests.bearer.hip.recorded import Recorded

SHA256 = RHash("sha256", 32, hashes.SHA256())

HKDF = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
]
"Secret, salt, info and octets of RFC 5869, A.1 and A.2."


class KeymatTests(TestCase):
    """KEYMAT."""

    def test_hkdf(self) -> None:
        """It is HKDF: the salt is #I and #J, the info both HITs, the lesser first."""
        for secret, salt, info, octets in ([bytes.fromhex(each) for each in row] for row in HKDF):
            for cut in range(0, len(info), 5):
                made = Keymat(SHA256, salt[:7], salt[7:], secret, info[:cut], info[cut:])
                if info[:cut] + info[cut:] == min(info[:cut], info[cut:]) + max(info[:cut], info[cut:]):
                    self.assertEqual(made.octets(0, len(octets)), octets)

    def test_exchanges(self) -> None:
        """It is what other programs have derived, with either hash."""
        for each in exchanges():
            packets = [bytes.fromhex(octets) for octets in each["packets"].values()]
            recorded = Recorded("", packets, bytes.fromhex(each["kij"]))
            self.assertEqual(recorded.keymat.octets(0, 288).hex(), each["keymat_288"])

    def test_any_order(self) -> None:
        """Octets are the same whichever are asked for first."""
        one, other = (Keymat(SHA256, b"i", b"j", b"secret", b"a", b"b") for _ in range(2))
        self.assertEqual(one.octets(500, 40) + one.octets(0, 30), other.octets(500, 40) + other.octets(0, 30))

    def test_used_up(self) -> None:
        """There are 255 hashes and no more."""
        made = Keymat(SHA256, b"i", b"j", b"secret", b"a", b"b")
        self.assertEqual(len(made.octets(255 * 32 - 10, 10)), 10)
        self.assertRaises(BadPacket, made.octets, 255 * 32 - 10, 11)

    def test_sides(self) -> None:
        """What one side seals with is what the other opens with."""
        made = Keymat(SHA256, b"i", b"j", b"secret", b"a", b"b")
        greater, lesser = made.draw(0, (16, 32), True), made.draw(0, (16, 32), False)
        self.assertEqual(greater, lesser[::-1])
        self.assertEqual(len({*greater[0], *greater[1]}), 4)
