"""Host Identities: their spelling in HOST_ID, their HITs and their signatures (RFC 7401 §5.2.9, §5.2.14, §6.4.2).

ECDSA signs with SHA-384 on either curve, as the HIT suite has it, and sends r ‖ s at the curve's width; RSA signs with
PSS, SHA-256 and a salt of 32 octets, and takes any salt, because RFC 7401 says nothing of its length.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from p2pship.bearer.hip.numbers import Algorithm, NotifyType
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.parameters import HostID, Signature
from p2pship.identity.hit import RSA_BITS, RSA_EXPONENT_BITS, hit_of_host_identity, host_identity
from p2pship.identity.keys import BadKey

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

IDENTITIES_REMEMBERED = 256
"Host Identities kept ready to verify with: reading one costs a good part of a verification."

LONGEST_EXPONENT = RSA_EXPONENT_BITS // 8
"Octets of an RSA exponent."

_CURVES: dict[int, ec.EllipticCurve] = {1: ec.SECP256R1(), 2: ec.SECP384R1()}
"By the number of the curve (RFC 7401 §5.2.9)."
_WIDTHS = {"secp256r1": 32, "secp384r1": 48}
_SHA384 = ec.ECDSA(hashes.SHA384())
_SHA256 = hashes.SHA256()
_PSS = padding.PSS(padding.MGF1(_SHA256), 32)
_ANY_PSS = padding.PSS(padding.MGF1(_SHA256), padding.PSS.AUTO)


class HostIdentity:
    """Somebody's Host Identity."""

    def __init__(self, host_id: HostID) -> None:
        """Read a HOST_ID.

        :raises BadPacket: if it is of a kind that we do not use, or is no key.
        """
        self.host_id = host_id
        public = _public_key(host_id.algorithm, host_id.identity)
        self.hit = hit_of_host_identity(host_id.algorithm, host_id.identity)
        "of the Host Identity as it is spelled"
        self.key = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        "the same as DER SubjectPublicKeyInfo"

    def verify(self, signature: Signature, octets: bytes) -> None:
        """Check a signature.

        :raises BadPacket: if it is not by this identity.
        """
        try:
            if signature.algorithm != self.host_id.algorithm:
                raise InvalidSignature
            public = _public_key(self.host_id.algorithm, self.host_id.identity)
            _verify(public, signature.signature, octets)
        except InvalidSignature:
            raise BadPacket("the signature is not valid", NotifyType.AUTHENTICATION_FAILED) from None


def hit_in(contents: bytes) -> bytes:
    """Return the HIT of the Host Identity in the contents of a HOST_ID: a hash, so that who sends another one costs no more than that.

    :raises BadPacket: if there is none.
    """
    host_id = HostID.decode(contents)
    try:
        return hit_of_host_identity(host_id.algorithm, host_id.identity)
    except BadKey:
        raise _unused(host_id.algorithm) from None


@lru_cache(maxsize=IDENTITIES_REMEMBERED)
def read_host_identity(contents: bytes) -> HostIdentity:
    """Return the Host Identity in the contents of a HOST_ID.

    :raises BadPacket: if there is none that can be used.
    """
    return HostIdentity(HostID.decode(contents))


class OwnHostIdentity:
    """One of our own Host Identities."""

    def __init__(self, private_key: PrivateKey) -> None:
        """Take a key pair: P-256, P-384 or RSA of 2048 bits and more."""
        self._private_key = private_key
        public = private_key.public_key()
        self.key = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        "the DER SubjectPublicKeyInfo"
        algorithm, encoded = host_identity(self.key)
        self.hit = hit_of_host_identity(algorithm, encoded)
        self.host_id = HostID(algorithm, encoded)
        self.secret = _secret(private_key)
        "32 octets that nobody else knows, always the same"

    def sign(self, octets: bytes) -> bytes:
        """Return the contents of HIP_SIGNATURE for what it covers."""
        return Signature(self.host_id.algorithm, _sign(self._private_key, octets)).encode()


def _secret(key: PrivateKey) -> bytes:
    octets = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return hashlib.sha256(b"p2pship HIP secret" + octets).digest()


def _sign(key: PrivateKey, octets: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, _PSS, _SHA256)
    width = _WIDTHS[key.curve.name]
    r, s = decode_dss_signature(key.sign(octets, _SHA384))
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def _verify(key: PublicKey, signature: bytes, octets: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, octets, _ANY_PSS, _SHA256)
        return
    width = _WIDTHS[key.curve.name]
    if len(signature) != 2 * width:
        raise InvalidSignature
    r, s = int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big")
    key.verify(encode_dss_signature(r, s), octets, _SHA384)


@lru_cache(maxsize=IDENTITIES_REMEMBERED)
def _public_key(algorithm: int, encoded: bytes) -> PublicKey:
    """Return a public key ready to verify with; whoever has a Host Identity keeps only its octets, as a key takes 2 kB."""
    try:
        if algorithm == Algorithm.ECDSA:
            return _elliptic(encoded)
        if algorithm == Algorithm.RSA:
            return _rsa(encoded)
    except ValueError:
        raise BadPacket("the Host Identity is no public key", NotifyType.INVALID_HIT) from None
    raise _unused(algorithm)


def _unused(algorithm: int) -> BadPacket:
    return BadPacket(
        f"Host Identities of algorithm {algorithm} are not used", NotifyType.UNSUPPORTED_HIT_SUITE
    )


def _elliptic(encoded: bytes) -> ec.EllipticCurvePublicKey:
    curve = _CURVES.get(int.from_bytes(encoded[:2], "big"))
    if curve is None:
        raise ValueError("there is no such curve")
    point = encoded[2:]
    if (
        len(point) == 2 * _WIDTHS[curve.name]
    ):  # RFC 6090 may be read so as well; all known programs send the 04
        point = b"\x04" + point
    if point[:1] != b"\x04":
        raise ValueError("the point is in another form")
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)


def _rsa(encoded: bytes) -> rsa.RSAPublicKey:
    """Read length of exponent, exponent, modulus (RFC 3110 §2)."""
    length, start = encoded[0], 1
    if not length:
        length, start = int.from_bytes(encoded[1:3], "big"), 3
    exponent, modulus = encoded[start : start + length], encoded[start + length :]
    if not 0 < len(exponent) <= LONGEST_EXPONENT or len(modulus) * 8 > RSA_BITS.stop:
        raise ValueError("it is of another size")
    key = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")).public_key()
    if key.key_size not in RSA_BITS or not modulus[-1] & 1:
        raise ValueError("it is too short or too long")
    return key
