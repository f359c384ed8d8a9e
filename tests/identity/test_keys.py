"""Tests of key pairs and signatures."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.errors import ConfigError
from p2pship.identity import keys
from p2pship.storage.vault import Vault
from tests.identity.example import DEVICE, IDENTITY_KEY, KEY

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"Of the group of P-256."


class SignatureTests(TestCase):
    """Signing and verifying."""

    def test_verifies(self) -> None:
        """A signature of 64 octets holds for its key and data, and for no other."""
        signature = keys.sign(KEY, b"data")
        self.assertEqual(len(signature), 64)
        self.assertTrue(keys.verify(IDENTITY_KEY, signature, b"data"))
        self.assertFalse(keys.verify(IDENTITY_KEY, signature, b"Data"))
        self.assertFalse(keys.verify(DEVICE.key, signature, b"data"))

    def test_low(self) -> None:
        """Of the two signatures that are as good as each other only the lower one is made; the other is known as such."""
        for number in range(20):
            signature = keys.sign(KEY, b"%d" % number)
            self.assertTrue(keys.is_low(signature))
            other = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
            self.assertTrue(keys.verify(IDENTITY_KEY, other, b"%d" % number))
            self.assertFalse(keys.is_low(other))

    def test_same_as_der(self) -> None:
        """The 64 octets are r and s: in DER, the library takes them."""
        signature = keys.sign(KEY, b"data")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        KEY.public_key().verify(encode_dss_signature(r, s), b"data", ec.ECDSA(hashes.SHA256()))

    def test_other_lengths(self) -> None:
        """A signature of any other length is none, nor is one in DER."""
        signature = keys.sign(KEY, b"data")
        der = KEY.sign(b"data", ec.ECDSA(hashes.SHA256()))
        for other in (b"", signature[:-1], signature + b"\0", b"\0" + signature, der):
            self.assertFalse(keys.verify(IDENTITY_KEY, other, b"data"))

    def test_out_of_range(self) -> None:
        """r and s of zero, of the order or above are refused."""
        signature = keys.sign(KEY, b"data")
        for number in (0, ORDER, ORDER + 1, 2**256 - 1):
            octets = number.to_bytes(32, "big")
            self.assertFalse(keys.verify(IDENTITY_KEY, octets + signature[32:], b"data"))
            self.assertFalse(keys.verify(IDENTITY_KEY, signature[:32] + octets, b"data"))

    def test_other_kinds(self) -> None:
        """Only P-256 keys verify for now; the others are refused, not guessed at."""
        others = (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048))
        for other in others:
            spki = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            self.assertFalse(keys.verify(spki, bytes(64), b"data"))

    def test_one_spelling(self) -> None:
        """A key spelt otherwise than in its one way verifies nothing: keys are compared whole."""
        signature = keys.sign(KEY, b"data")
        compressed_spki = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
        compressed_spki += keys.compressed(IDENTITY_KEY)
        off_curve = IDENTITY_KEY[:-1] + bytes([IDENTITY_KEY[-1] ^ 1])
        for other in (b"", IDENTITY_KEY[:-1], IDENTITY_KEY + b"\0", compressed_spki, off_curve):
            self.assertFalse(keys.verify(other, signature, b"data"))

    @given(st.binary(max_size=100), st.binary(max_size=70))
    def test_garbage(self, key: bytes, signature: bytes) -> None:
        """Garbage is refused, without an exception."""
        self.assertFalse(keys.verify(key, signature, b"data"))
        self.assertFalse(keys.verify(IDENTITY_KEY, signature, b"data"))


class CompressedTests(TestCase):
    """Keys as papers hold them."""

    def test_round_trip(self) -> None:
        """A key comes back from its 33 octets."""
        for key in (keys.spki(keys.new_p256()) for _ in range(8)):
            self.assertEqual(keys.expanded(keys.compressed(key)), key)

    def test_refused(self) -> None:
        """Other lengths, other forms and what is no point of the curve are refused."""
        good = keys.compressed(IDENTITY_KEY)
        for bad in (b"", good[:-1], good + b"\0", b"\x04" + good[1:], b"\x02" + b"\xff" * 32, IDENTITY_KEY):
            self.assertRaises(keys.BadKey, keys.expanded, bad)
        self.assertRaises(keys.BadKey, keys.compressed, b"not a key")


class PointTests(TestCase):
    """Keys that are used once."""

    def test_round_trip(self) -> None:
        """The compressed point of a key pair is read as its public key."""
        pair = keys.new_p256()
        point = keys.compressed_point(pair)
        self.assertEqual((len(point), keys.read_point(point)), (33, pair.public_key()))
        self.assertEqual(keys.compressed(keys.spki(pair)), point)

    def test_refused(self) -> None:
        """What is no compressed point of the curve is refused: an invalid one would give away the other key."""
        whole = keys.spki(keys.new_p256())[-65:]
        for bad in (b"", bytes(33), b"\2" + b"\xff" * 32, b"\0", whole, whole[:33]):
            self.assertRaises(keys.BadKey, keys.read_point, bad)


class PEMTests(TestCase):
    """Key files."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.touch(0o600)
        self.vault = Vault.open(Path(self.mktemp()))

    def refusal(self, pem: bytes) -> str:
        """Return why a file with these contents is not read as a P-256 key."""
        self.path.write_bytes(pem)
        return str(self.assertRaises(ConfigError, keys.read_p256, self.path, self.vault))

    def test_der(self) -> None:
        """A key pair comes back from its DER."""
        self.assertEqual(keys.spki(keys.from_der(keys.to_der(KEY))), IDENTITY_KEY)

    def test_round_trip(self) -> None:
        """Each kind of key comes back from its file."""
        self.path.write_bytes(keys.to_pem(KEY))
        self.assertEqual(keys.spki(keys.read_p256(self.path, self.vault)), IDENTITY_KEY)
        self.path.write_bytes(keys.to_pem(DEVICE.publication_private_key))
        self.assertEqual(keys.raw_public(keys.read_ed25519(self.path, self.vault)), DEVICE.publication_key)
        self.path.write_bytes(keys.to_pem(DEVICE.sealing_private_key))
        self.assertEqual(keys.raw_public(keys.read_x25519(self.path, self.vault)), DEVICE.sealing_key)

    def test_way_out(self) -> None:
        """A file that cannot be used is named with the way out."""
        encrypted = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        p384 = ec.generate_private_key(ec.SECP384R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        cases = (
            b"",
            b"garbage",
            keys.to_pem(KEY)[:-60],
            encrypted,
            p384,
            keys.to_pem(Ed25519PrivateKey.generate()),
        )
        for pem in cases:
            message = self.refusal(pem)
            self.assertIn(str(self.path), message)
            self.assertIn("backup", message)

    def test_wrong_kind(self) -> None:
        """A key of another kind is not taken for one of this."""
        self.path.write_bytes(keys.to_pem(X25519PrivateKey.generate()))
        self.assertRaises(ConfigError, keys.read_ed25519, self.path, self.vault)
        self.path.write_bytes(keys.to_pem(KEY))
        self.assertRaises(ConfigError, keys.read_x25519, self.path, self.vault)

    def test_missing(self) -> None:
        """A missing file is said to be missing."""
        self.path.unlink()
        error = self.assertRaises(ConfigError, keys.read_p256, self.path, self.vault)
        self.assertIn("No such file", str(error))
