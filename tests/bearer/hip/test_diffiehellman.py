"""Tests of Diffie-Hellman keys."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.diffiehellman import (
    LEGACY_GROUPS,
    OFFERED_GROUPS,
    EllipticKeyPair,
    ModularKeyPair,
    new_key_pair,
)
from p2pship.bearer.hip.modp import prime
from p2pship.bearer.hip.numbers import DHGroup, NotifyType
from p2pship.bearer.hip.packet import BadPacket

CURVES = (
    (
        DHGroup.P256,
        ec.SECP256R1(),
        "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
        "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63"
        "56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
        "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180"
        "5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
        "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE",
    ),
    (
        DHGroup.P384,
        ec.SECP384R1(),
        "41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC",
        "E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571"
        "DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C",
        "667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA"
        "9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
        "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746",
    ),
)
"Group, curve, private and public value, the other side's, and the secret: RFC 5903 §8.1, §8.2."

PRIMES = {
    DHGroup.MODP_1536: "64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b",
    DHGroup.MODP_3072: "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c",
}
"SHA-256 of the primes as OpenSSL has them (groups modp_1536 and modp_3072)."


class EllipticTests(TestCase):
    """P-256 and P-384."""

    def test_rfc(self) -> None:
        """Public values and secrets are those of RFC 5903."""
        for group, curve, private, public, their, secret in CURVES:
            pair = EllipticKeyPair(group)
            pair._private_key = ec.derive_private_key(int(private, 16), curve)
            numbers = pair._private_key.public_key().public_numbers()
            width = len(secret) // 2
            self.assertEqual(f"{numbers.x:0{2 * width}X}{numbers.y:0{2 * width}X}", public)
            self.assertEqual(pair.secret(bytes.fromhex(their)).hex().upper(), secret)

    def test_agree(self) -> None:
        """Two sides have the same secret, as long as the curve is wide."""
        for group, width in ((DHGroup.P256, 32), (DHGroup.P384, 48)):
            one, other = new_key_pair(group), new_key_pair(group)
            self.assertEqual((len(one.public), len(one.secret(other.public))), (2 * width, width))
            self.assertEqual(one.secret(other.public), other.secret(one.public))

    def test_wrong(self) -> None:
        """Whatever is no point of the curve is refused, without the reason of a wrong group (RFC 7401 §5.3.2)."""
        for group, _, _, public, *_ in CURVES:
            good = bytes.fromhex(public)
            half = len(good) // 2
            for wrong in (
                b"",
                good[:-1],
                good + b"\0",
                b"\4" + good,
                bytes(len(good)),
                b"\xff" * len(good),
                good[:half] + bytes(half),
                good[half:] + good[:half],
                good[:-1] + bytes([good[-1] ^ 1]),
            ):
                error = self.assertRaises(BadPacket, new_key_pair(group).secret, wrong)
                self.assertEqual(error.notify, NotifyType.INVALID_SYNTAX)

    @given(st.sampled_from(OFFERED_GROUPS), st.binary(min_size=64, max_size=96))
    def test_garbage(self, group: DHGroup, public: bytes) -> None:
        """Garbage is refused with BadPacket and nothing else."""
        self.assertRaises(BadPacket, new_key_pair(group).secret, public)


class ModularTests(TestCase):
    """The older groups."""

    def test_primes(self) -> None:
        """What the formula gives are the primes that everybody has (RFC 3526 §2, §4)."""
        for group, digest in PRIMES.items():
            octets = prime(group).to_bytes(prime(group).bit_length() // 8, "big")
            self.assertEqual(hashlib.sha256(octets).hexdigest(), digest)

    def test_agree(self) -> None:
        """Two sides have the same secret, as long as the prime."""
        for group, width in ((DHGroup.MODP_1536, 192), (DHGroup.MODP_3072, 384)):
            one, other = new_key_pair(group), new_key_pair(group)
            self.assertEqual((len(one.public), len(one.secret(other.public))), (width, width))
            self.assertEqual(one.secret(other.public), other.secret(one.public))

    def test_zeros(self) -> None:
        """A public value may come without the zeros before it, and a secret keeps them."""
        pair = ModularKeyPair(DHGroup.MODP_1536)
        pair._exponent = 1
        self.assertEqual(pair.secret(b"\2"), bytes(191) + b"\2")
        self.assertEqual(pair.secret(bytes(191) + b"\2"), bytes(191) + b"\2")

    def test_wrong(self) -> None:
        """0, 1, the prime less one and what is beyond would give the secret away; they are refused."""
        for group in LEGACY_GROUPS:
            pair, modulus = new_key_pair(group), prime(group)
            width = modulus.bit_length() // 8
            for wrong in (0, 1, modulus - 1, modulus, modulus + 1, (1 << 8 * width) - 1):
                self.assertRaises(BadPacket, pair.secret, wrong.to_bytes(width, "big"))
            self.assertRaises(BadPacket, pair.secret, bytes(width) + b"\2")
            self.assertRaises(BadPacket, pair.secret, b"")
