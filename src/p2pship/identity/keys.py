"""Key pairs: P-256 that identities and devices sign with, Ed25519 to publish, X25519 to seal.

A public key travels and is compared as its DER SubjectPublicKeyInfo, which for P-256 has exactly one spelling here: a
named curve and an uncompressed point (RFC 5480 §2.1.1, §2.2). Within papers, where each octet counts, it is its
compressed point of 33 octets.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from p2pship.errors import ConfigError, RemoteError
from p2pship.storage.files import read_private, write_file
from p2pship.storage.vault import CannotOpen, Vault

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | X25519PrivateKey

SIGNATURE_LENGTH = 64
"Octets of an ECDSA P-256 signature, r ‖ s (RFC 9053 §2.1)."

KEYS_REMEMBERED = 64
"Public keys kept ready for use, 3 kB each; making one of its octets costs a tenth of a verification."

_P256_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"The SubjectPublicKeyInfo of a P-256 key up to its point of 65 octets."
_P256_LENGTH = len(_P256_PREFIX) + 65
_COMPRESSED_LENGTH = 33
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"Of the group of P-256 (FIPS 186-4, D.1.2.3)."
_ES256 = ec.ECDSA(hashes.SHA256())
_WAY_OUT = "restore it from a backup, or move its folder away to begin with new keys that nobody knows yet"


class BadKey(RemoteError):
    """This is not a public key of a kind that this node can use."""


def new_p256() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key pair."""
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a key pair's public key."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def raw_public(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """Return the 32 octets of a key pair's public key (RFC 8032 §5.1.5, RFC 7748 §6.1)."""
    public: Ed25519PublicKey | X25519PublicKey = key.public_key()
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Sign with ECDSA P-256 and SHA-256: r ‖ s, 64 octets (RFC 9053 §2.1); of the two values of s it is the lower one."""
    r, s = decode_dss_signature(key.sign(data, _ES256))
    return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")


def is_low(signature: bytes) -> bool:
    """Tell whether a signature of 64 octets has the lower value of s.

    Whoever sees a signature (r, s) can make (r, order - s) of it, which is valid as well; nobody can make a lower one of a
    lower one. Where a signature is part of what is agreed on, only the lower one may be taken.
    """
    return 2 * int.from_bytes(signature[32:], "big") < _ORDER


def verify(key: bytes, signature: bytes, data: bytes) -> bool:
    """Tell whether ``signature`` is that of ``data`` by ``key``, a DER SubjectPublicKeyInfo.

    False also if the key is not a P-256 key in its one spelling, or the signature is not 64 octets.
    """
    if len(signature) != SIGNATURE_LENGTH:
        return False
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    try:
        _public_key(key).verify(der, data, _ES256)
    except (InvalidSignature, BadKey):
        return False
    return True


def compressed(key: bytes) -> bytes:
    """Return the compressed point of a P-256 key (SEC 1 §2.3.3), 33 octets.

    :raises BadKey: if the SubjectPublicKeyInfo is of another kind.
    """
    return _public_key(key).public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


@lru_cache(maxsize=KEYS_REMEMBERED)
def expanded(point: bytes) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a compressed P-256 point.

    :raises BadKey: if it is not 33 octets that name a point of the curve.
    """
    return read_point(point).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def compressed_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the compressed point, 33 octets, of a P-256 key pair's public key."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def read_point(point: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of a compressed P-256 point; it is not remembered, as for keys that are used once.

    :raises BadKey: as :func:`expanded`.
    """
    if len(point) != _COMPRESSED_LENGTH:
        raise BadKey(f"a key of {len(point)} octets is not a compressed P-256 point")
    return _point(point)


def to_pem(key: PrivateKey) -> bytes:
    """Return a key pair as PEM (PKCS #8), not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def to_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key pair as DER (PKCS #8), not encrypted: 138 octets in place of the kilobytes that a ready one takes."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def from_der(der: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the key pair of what :func:`to_der` made."""
    key = load_der_private_key(der, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def private_from_der(der: bytes) -> ec.EllipticCurvePrivateKey:
    """Return a P-256 key pair that came from elsewhere.

    :raises BadKey: if it is none.
    """
    try:
        key = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("the private key cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey("the private key is of another kind than P-256")
    return key


def key_file(path: Path, vault: Vault) -> bytes:
    """Return the PEM in a key file, whether it is sealed or not.

    :raises ConfigError: if it cannot be read, may be read by others, or was sealed by another vault.
    """
    try:
        return vault.reveal(path.name, read_private(path))
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read ({error.strerror}); {_WAY_OUT}") from error
    except CannotOpen:
        raise ConfigError(
            f"{path} was altered, or sealed in another state folder than this one; {_WAY_OUT}"
        ) from None


def protect_key_file(path: Path, vault: Vault) -> None:
    """Put a key file into the form that it is to have now: sealed while there is a passphrase.

    :raises ConfigError: as :func:`key_file`.
    :raises OSError: if it cannot be written; the old form stays.
    """
    if not vault.is_protected(path.name, path.read_bytes()):
        write_file(path, vault.protect(path.name, key_file(path, vault)))


def read_p256(path: Path, vault: Vault) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 key pair from a key file.

    :raises ConfigError: if it cannot be read or is not one; the message names the file and the way out.
    """
    return p256_from_pem(path, key_file(path, vault))


def p256_from_pem(path: Path, pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key pair in the PEM of a key file; raises what :func:`read_p256` does."""
    key = _from_pem(path, pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _other_kind(path, "P-256")
    return key


def read_ed25519(path: Path, vault: Vault) -> Ed25519PrivateKey:
    """Read an Ed25519 key pair from a key file, as :func:`read_p256`."""
    key = _from_pem(path, key_file(path, vault))
    if not isinstance(key, Ed25519PrivateKey):
        raise _other_kind(path, "Ed25519")
    return key


def read_x25519(path: Path, vault: Vault) -> X25519PrivateKey:
    """Read an X25519 key pair from a key file, as :func:`read_p256`."""
    key = _from_pem(path, key_file(path, vault))
    if not isinstance(key, X25519PrivateKey):
        raise _other_kind(path, "X25519")
    return key


def _from_pem(path: Path, pem: bytes) -> object:
    try:
        return load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{path} does not hold a private key in PEM that can be used; {_WAY_OUT}"
        ) from error


def _other_kind(path: Path, expected: str) -> ConfigError:
    return ConfigError(f"{path} holds another kind of key than {expected}; {_WAY_OUT}")


@lru_cache(maxsize=KEYS_REMEMBERED)
def _public_key(key: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of a SubjectPublicKeyInfo; here further kinds of key would be told apart."""
    if len(key) != _P256_LENGTH or not key.startswith(_P256_PREFIX):
        raise BadKey()
    return _point(key[len(_P256_PREFIX) :])


def _point(octets: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets)
    except ValueError:
        raise BadKey("these octets are no point of the curve P-256") from None
