"""The parameter ENCRYPTED: other parameters, readable by the two hosts alone (RFC 7401 §5.2.18)."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from p2pship.bearer.hip.numbers import NotifyType
from p2pship.bearer.hip.packet import BadPacket

IV_SIZE = 16
_BLOCK_BITS = 128
_RESERVED = bytes(4)


def encrypt(key: bytes, parameters: bytes, random: Callable[[int], bytes]) -> bytes:
    """Return the contents of ENCRYPTED around parameters, each with its padding; AES-CBC by a key of 16 or 32 octets."""
    iv = random(IV_SIZE)
    padder = PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(parameters) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return _RESERVED + iv + encryptor.update(padded) + encryptor.finalize()


def decrypt(key: bytes, contents: bytes) -> bytes:
    """Return the parameters in an ENCRYPTED.

    :raises BadPacket: if it was not encrypted with this key.
    """
    data = contents[len(_RESERVED) + IV_SIZE :]
    if not data or len(data) % IV_SIZE:
        raise BadPacket(f"ENCRYPTED has {len(contents)} octets", NotifyType.ENCRYPTION_FAILED)
    iv = contents[len(_RESERVED) : len(_RESERVED) + IV_SIZE]
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    try:
        return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise BadPacket("ENCRYPTED cannot be decrypted", NotifyType.ENCRYPTION_FAILED) from None
