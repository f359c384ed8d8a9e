"""Tests of Host Identities: how they are spelled, and what is no key."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.hostidentity import HostIdentity, read_host_identity
from p2pship.bearer.hip.numbers import Algorithm, NotifyType
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.parameters import HostID, Signature
from tests.bearer.hip import otherdecoder
from tests.bearer.hip.hosts import KINDS, identity

OWN = identity("RSA-2048")
SIZE = 256


def rsa_identity(exponent: int | bytes, modulus: int | bytes) -> HostID:
    """Return a HOST_ID of an RSA key with these numbers (RFC 3110 §2)."""
    parts = [
        part if isinstance(part, bytes) else part.to_bytes(max(1, (part.bit_length() + 7) // 8), "big")
        for part in (exponent, modulus)
    ]
    size = len(parts[0])
    length = bytes([size]) if 0 < size < 256 else b"\0" + size.to_bytes(2, "big")
    return HostID(Algorithm.RSA, length + parts[0] + parts[1])


def modulus() -> int:
    """Return the modulus of a real key."""
    _, encoded = otherdecoder.identity(OWN.host_id.encode())
    return int.from_bytes(encoded[-SIZE:], "big")


class SignatureTests(TestCase):
    """Signatures by the identities that we use."""

    def test_round_trip(self) -> None:
        """What we sign is valid here and for a second decoder; of anything else it is not."""
        for kind in KINDS:
            own = identity(kind)
            signature = own.sign(b"what is signed")
            their = HostIdentity(own.host_id)
            self.assertEqual((their.hit, their.key), (own.hit, own.key))
            self.assertEqual(otherdecoder.hit(own.host_id.encode()), own.hit)
            their.verify(Signature.decode(signature), b"what is signed")
            otherdecoder.verify(own.host_id.encode(), signature, b"what is signed")
            error = self.assertRaises(BadPacket, their.verify, Signature.decode(signature), b"what is not")
            self.assertEqual(error.notify, NotifyType.AUTHENTICATION_FAILED)

    def test_forms(self) -> None:
        """A signature of another length, of zeros, in another form or for another algorithm is refused."""
        for kind in KINDS:
            own = identity(kind)
            good = Signature.decode(own.sign(b"it"))
            their = HostIdentity(own.host_id)
            for wrong in (
                good._replace(algorithm=Algorithm.DSA),
                good._replace(signature=b""),
                good._replace(signature=good.signature[:-1]),
                good._replace(signature=good.signature + b"\0"),
                good._replace(signature=bytes(len(good.signature))),
                good._replace(signature=b"\xff" * len(good.signature)),
            ):
                self.assertRaises(BadPacket, their.verify, wrong, b"it")

    def test_another_hash(self) -> None:
        """P-256 signs with SHA-384, as the HIT suite has it: a signature with SHA-256 is none."""
        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        point = b"\4" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        their = HostIdentity(HostID(Algorithm.ECDSA, b"\0\1" + point))
        r, s = decode_dss_signature(key.sign(b"it", ec.ECDSA(SHA256())))
        signature = Signature(Algorithm.ECDSA, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        self.assertRaises(BadPacket, their.verify, signature, b"it")


class KeyTests(TestCase):
    """What is a key, and what is none."""

    def assert_refused(self, host_id: HostID) -> None:
        self.assertRaises(BadPacket, read_host_identity, host_id.encode())

    def test_curves(self) -> None:
        """A point without the 04 is read, and has a HIT of its own; one that is not on its curve is refused."""
        for curve, width, kind in ((1, 32, "P-256"), (2, 48, "P-384")):
            encoded = identity(kind).host_id.identity
            bare = HostIdentity(HostID(Algorithm.ECDSA, encoded[:2] + encoded[3:]))
            self.assertEqual(bare.key, identity(kind).key)
            self.assertNotEqual(bare.hit, identity(kind).hit)
            start, x, y = encoded[:2], encoded[3 : 3 + width], encoded[3 + width :]
            for point in (
                b"\4" + x + bytes(width),
                b"\4" + bytes(2 * width),
                b"\4" + b"\xff" * 2 * width,
                b"\4" + y + x,
                b"\2" + x,
                b"\6" + x + y,
                b"\0",
                b"",
                b"\4" + x + y + b"\0",
                b"\4" + x,
            ):
                self.assert_refused(HostID(Algorithm.ECDSA, start + point))
            self.assert_refused(HostID(Algorithm.ECDSA, bytes([0, 3 - curve]) + encoded[2:]))
        for start in (b"", b"\0", b"\0\0", b"\0\3", b"\xff\xff"):
            self.assert_refused(HostID(Algorithm.ECDSA, start + bytes(65)))

    def test_exponents(self) -> None:
        """RSA exponents that make every signature valid, or every verification slow, are refused."""
        for exponent in (0, 1, 2, 4, 65536, modulus(), 1 << 64, (1 << 1000) + 1, b"", bytes(3)):
            self.assert_refused(rsa_identity(exponent, modulus()))
        for exponent in (3, 17, 65537, (1 << 32) + 1):
            HostIdentity(rsa_identity(exponent, modulus()))

    def test_moduli(self) -> None:
        """RSA moduli that are tiny, huge or even are refused."""
        for wrong in (
            0,
            1,
            3,
            1 << 64,
            (1 << 1023) + 1,
            1 << 2047,
            modulus() - 1,
            (1 << 4096) + 1,
            (1 << 8000) + 1,
            b"",
        ):
            self.assert_refused(rsa_identity(65537, wrong))

    def test_odd_modulus(self) -> None:
        """One that is a key only by its size verifies nothing."""
        for odd in ((1 << 2048) - 1, (1 << 2047) + 1, 3 * ((1 << 2047) // 3 | 1)):
            their = HostIdentity(rsa_identity(65537, odd))
            for signature in (bytes(SIZE), b"\0" * (SIZE - 1) + b"\1", b"\xff" * SIZE, b"\7" * SIZE):
                self.assertRaises(BadPacket, their.verify, Signature(Algorithm.RSA, signature), b"it")

    def test_lengths(self) -> None:
        """The length of an exponent is checked, in both of its forms."""
        encoded = OWN.host_id.identity
        for start in (b"\xff", b"\0", b"\0\0", b"\0\0\0", b"\0\xff\xff", b"\0\0\4", b"\4"):
            self.assert_refused(HostID(Algorithm.RSA, start))
            self.assert_refused(HostID(Algorithm.RSA, start + encoded[1:3]))
        long_form = HostID(Algorithm.RSA, b"\0\0" + encoded)
        self.assertEqual(HostIdentity(long_form).key, OWN.key)
        self.assertNotEqual(HostIdentity(long_form).hit, OWN.hit)

    def test_sizes(self) -> None:
        """RSA of 1024 bits is too weak, and of 4096 is taken."""
        weak = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
        self.assert_refused(rsa_identity(weak.e, weak.n))
        HostIdentity(rsa_identity(65537, (1 << 4095) + 1))

    def test_not_used(self) -> None:
        """Other algorithms are refused by name."""
        for algorithm in (Algorithm.DSA, Algorithm.ECDSA_LOW, Algorithm.EDDSA, 0, 4242):
            error = self.assertRaises(BadPacket, HostIdentity, HostID(algorithm, bytes(40)))
            self.assertEqual(error.notify, NotifyType.UNSUPPORTED_HIT_SUITE)

    @given(st.sampled_from([5, 7]), st.binary(min_size=1, max_size=400))
    def test_garbage(self, algorithm: int, encoded: bytes) -> None:
        """Garbage is refused, with BadPacket and nothing else."""
        for start in (b"", b"\0\1\4", b"\0\2\4", b"\3\1\0\1"):
            try:
                their = HostIdentity(HostID(algorithm, start + encoded))
                their.verify(Signature(algorithm, encoded), b"it")
            except BadPacket:
                continue
            self.fail("garbage has signed something")

    def test_altered(self) -> None:
        """A real key with one octet changed is another identity, or none."""
        for kind in KINDS:
            octets = identity(kind).host_id.encode()
            for at in range(len(octets)):
                altered = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
                try:
                    their = read_host_identity(altered)
                    self.assertNotEqual(their.hit, identity(kind).hit)
                    their.verify(Signature.decode(identity(kind).sign(b"it")), b"it")
                except BadPacket:
                    continue
                self.fail(f"{kind} with octet {at} changed is the same")
