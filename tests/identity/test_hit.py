"""Tests of the Host Identity Tag."""

from __future__ import annotations

import json
from ipaddress import IPv6Address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import TestCase

from p2pship.identity.hit import (
    ECDSA_ALGORITHM,
    RSA_ALGORITHM,
    format_hit,
    hit_of,
    host_identity,
    is_quick,
)
from p2pship.identity.keys import BadKey

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "hit.json").read_text("utf-8"))
CURVES = {b"\0\1": ec.SECP256R1(), b"\0\2": ec.SECP384R1()}


def key_of(encoded: bytes) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a Host Identity as HIP encodes it."""
    if encoded[:2] in CURVES:
        public = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[encoded[:2]], encoded[2:])
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    end = 1 + encoded[0]
    exponent, modulus = (int.from_bytes(part, "big") for part in (encoded[1:end], encoded[end:]))
    numbers = rsa.RSAPublicNumbers(exponent, modulus)
    return numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def slow_rsa(exponent: int = (1 << 2047) | 1) -> rsa.RSAPublicKey:
    """Return an RSA key of 2048 bits with which verifying takes long; nobody has the private half."""
    return rsa.RSAPublicNumbers(exponent, (1 << 2048) - 1).public_key()


class HITTests(TestCase):
    """The HIT that a Host Identity has."""

    def test_vectors(self) -> None:
        """Every Host Identity of the vectors has the HIT that is recorded with it."""
        for vector in VECTORS:
            hit = hit_of(key_of(bytes.fromhex(vector["host_identity"])))
            self.assertEqual(hit, IPv6Address(vector["hit"]).packed, vector["name"])

    def test_host_identity(self) -> None:
        """The Host Identity field is octet for octet that of the vectors, with the algorithm's number."""
        for vector in VECTORS:
            encoded = bytes.fromhex(vector["host_identity"])
            algorithm = ECDSA_ALGORITHM if encoded[:2] in CURVES else RSA_ALGORITHM
            self.assertEqual(host_identity(key_of(encoded)), (algorithm, encoded), vector["name"])

    def test_format(self) -> None:
        """A HIT is written as an IPv6 address in its canonical spelling."""
        self.assertEqual(format_hit(IPv6Address("2001:0022:f482::b6").packed), "2001:22:f482::b6")

    def test_quick(self) -> None:
        """An RSA key with a long exponent is made to be slow."""
        for exponent, quick in ((3, True), (65537, True), ((1 << 64) - 1, True), ((1 << 64) + 1, False)):
            self.assertIs(is_quick(slow_rsa(exponent)), quick)

    def test_other_keys(self) -> None:
        """A kind of key that has no HIT here is refused as the other side's error, as is what is no key."""
        ed25519 = Ed25519PrivateKey.generate().public_key()
        other_curve = ec.generate_private_key(ec.SECP521R1()).public_key()
        spkis = [
            key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for key in (ed25519, other_curve, slow_rsa())
        ]
        for spki in (*spkis, b"", b"garbage"):
            self.assertRaises(BadKey, hit_of, spki)
