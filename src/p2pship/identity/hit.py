"""The Host Identity Tag: 16 octets, written as an IPv6 address, that name a Host Identity (RFC 7343, RFC 7401 §3.2)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from ipaddress import IPv6Address

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from p2pship.identity.keys import BadKey

CONTEXT_ID = bytes.fromhex("F0EFF02FBFF43D0FE7930C3C6E6174EA")
"What tells HITs from other uses of ORCHIDs (RFC 7401 §3.2)."

RSA_ALGORITHM = 5
ECDSA_ALGORITHM = 7
"The numbers of HI algorithms (RFC 7401 §5.2.9)."

RSA_SUITE = 1
ECDSA_SUITE = 2
"The numbers of HIT suites (RFC 7401 §5.2.10): SHA-256 with RSA, SHA-384 with ECDSA."

RSA_BITS = range(2048, 4097)
"Sizes of RSA keys: 112 bits of strength are asked for (RFC 7401 §5.2.9), and a HIP packet must hold one."

RSA_EXPONENT_BITS = 64
"An exponent of more bits only makes every verification slow: by a hundred times, if it is as long as the modulus."

HITS_REMEMBERED = 1_024

_PREFIX = 0x2001_0020
"2001:20::/28 (RFC 7343 §2), with room for the suite in the last four bits."
_CURVES = {"secp256r1": 1, "secp384r1": 2}
"The numbers of curves (RFC 7401 §5.2.9)."


@lru_cache(maxsize=HITS_REMEMBERED)
def hit_of(key: bytes) -> bytes:
    """Return the HIT, 16 octets, of a Host Identity given as DER SubjectPublicKeyInfo.

    :raises BadKey: if it is not an ECDSA key on P-256 or P-384, or an RSA key of 2048 to 4096 bits with an exponent of 64 at most.
    """
    return hit_of_host_identity(*host_identity(key))


def hit_of_host_identity(algorithm: int, encoded: bytes) -> bytes:
    """Return the HIT, 16 octets, of a Host Identity field in just this spelling (RFC 7401 §3.2).

    :raises BadKey: if the algorithm is neither RSA nor ECDSA.
    """
    if algorithm == RSA_ALGORITHM:
        return _orchid(RSA_SUITE, hashlib.sha256(CONTEXT_ID + encoded).digest())
    if algorithm == ECDSA_ALGORITHM:
        return _orchid(ECDSA_SUITE, hashlib.sha384(CONTEXT_ID + encoded).digest())
    raise BadKey(f"no HIT can be made of a Host Identity of algorithm {algorithm}")


def host_identity(key: bytes) -> tuple[int, bytes]:
    """Return the HI algorithm and the Host Identity field of a DER SubjectPublicKeyInfo (RFC 7401 §5.2.9).

    :raises BadKey: as :func:`hit_of`.
    """
    try:
        public = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey() from None
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        # RFC 7401 cites RFC 6090 for the point; every implementation sends the form of SEC 1 that begins with 04.
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return ECDSA_ALGORITHM, _CURVES[public.curve.name].to_bytes(2, "big") + point
    if isinstance(public, rsa.RSAPublicKey) and is_quick(public) and public.key_size in RSA_BITS:
        return RSA_ALGORITHM, _rsa_encoding(public.public_numbers())
    raise BadKey()


def is_quick(key: rsa.RSAPublicKey) -> bool:
    """Tell whether verifying with an RSA key takes no longer than it has to."""
    return key.public_numbers().e.bit_length() <= RSA_EXPONENT_BITS


@lru_cache(maxsize=HITS_REMEMBERED)
def format_hit(hit: bytes) -> str:
    """Return a HIT as people and SDP write it: an IPv6 address, in its canonical spelling."""
    return str(IPv6Address(hit))


def _orchid(suite: int, digest: bytes) -> bytes:
    middle = (len(digest) - 12) // 2  # Encode_96 of RFC 7343 §2: the middle 96 bits, not the first ones
    return (_PREFIX | suite).to_bytes(4, "big") + digest[middle : middle + 12]


def _rsa_encoding(numbers: rsa.RSAPublicNumbers) -> bytes:
    """Return length of exponent, exponent, modulus (RFC 3110 §2)."""
    exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    length = bytes([len(exponent)]) if len(exponent) < 256 else b"\0" + len(exponent).to_bytes(2, "big")
    return length + exponent + modulus
