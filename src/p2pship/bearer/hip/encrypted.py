"""The parameter ENCRYPTED: other parameters, readable by the two hosts alone (RFC 7401 §5.2.18).

They are in units of 8 octets. The RFC names PKCS5, which always pads, and says that the octets that a block lacks are filled: who reads it so adds
nothing to whole blocks, which all our Host Identities make. We always pad, and take both.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from p2pship.bearer.hip.numbers import NotifyType
from p2pship.bearer.hip.packet import BadPacket

IV_SIZE = 16
_BLOCK_BITS = 128
_RESERVED = bytes(4)
_FILLS = (b"\x10" * 16, b"\x08" * 8)
"What may follow the parameters. As the beginning of one, either would say that it is longer than a packet."


def encrypt(key: bytes, parameters: bytes, random: Callable[[int], bytes]) -> bytes:
    """Return the contents of ENCRYPTED around parameters, each with its padding; AES-CBC by a key of 16 or 32 octets."""
    iv = random(IV_SIZE)
    padder = PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(parameters) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return _RESERVED + iv + encryptor.update(padded) + encryptor.finalize()


def decrypt(key: bytes, contents: bytes) -> bytes:
    """Return the parameters in an ENCRYPTED; with another key, octets that are none.

    :raises BadPacket: if it is not in whole blocks.
    """
    data = contents[len(_RESERVED) + IV_SIZE :]
    if not data or len(data) % IV_SIZE:
        raise BadPacket(f"ENCRYPTED has {len(contents)} octets", NotifyType.ENCRYPTION_FAILED)
    iv = contents[len(_RESERVED) : len(_RESERVED) + IV_SIZE]
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    return next((plain[: -len(fill)] for fill in _FILLS if plain.endswith(fill)), plain)
