"""Octets wrapped under a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM seals (docs/reference/keys-at-rest.md)."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from p2pship.errors import LocalError

COST = 15
"""log2 of scrypt's N: with r = 8 it takes 32 MiB. With p = 3 that is what OWASP's cheat sheet asks of a password; a quarter of
a second at the start of a node."""

BLOCKS = 8
"r: kibibytes of each block, times eight."

LANES = 3
"p: times that the whole is done."

COSTLIEST = 20
"log2 of N that is still tried: 1 GiB. A file from elsewhere must not take the whole memory."

MOST_LANES = 16

_VERSION = 1
_HEADER = struct.Struct("!BBBB16s12s")  # version, log2 N, r, p, salt, nonce
_KEY_LENGTH = 32
_TAG_LENGTH = 16


class WrongPassphrase(LocalError):
    """The passphrase is not the right one, or what it protects was altered."""


def wrap(passphrase: bytes, purpose: str, data: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Return ``data`` so that only who knows the passphrase can read it; it opens for the same purpose only."""
    header = _HEADER.pack(_VERSION, COST, BLOCKS, LANES, random(16), random(12))
    return header + _cipher(passphrase, header).encrypt(header[-12:], data, _bound(header, purpose))


def unwrap(passphrase: bytes, purpose: str, wrapped: bytes) -> bytes:
    """Return what was wrapped.

    :raises WrongPassphrase: if the passphrase or purpose is another, or anything of it was altered.
    """
    header, sealed = wrapped[: _HEADER.size], wrapped[_HEADER.size :]
    if not _is_bearable(header) or len(sealed) < _TAG_LENGTH:
        raise WrongPassphrase("what the passphrase protects is not of a form that can be opened")
    try:
        return _cipher(passphrase, header).decrypt(header[-12:], sealed, _bound(header, purpose))
    except InvalidTag:
        raise WrongPassphrase from None


def _is_bearable(header: bytes) -> bool:
    """Tell whether the work that a header asks for may be done; it may be anybody's."""
    if len(header) < _HEADER.size:
        return False
    version, cost, blocks, lanes, _, _ = _HEADER.unpack(header)
    bearable: bool = 1 <= cost <= COSTLIEST and blocks == BLOCKS and 1 <= lanes <= MOST_LANES
    return bearable and version == _VERSION


def _cipher(passphrase: bytes, header: bytes) -> AESGCM:
    _, cost, blocks, lanes, salt, _ = _HEADER.unpack(header)
    return AESGCM(Scrypt(salt, _KEY_LENGTH, 1 << cost, blocks, lanes).derive(passphrase))


def _bound(header: bytes, purpose: str) -> bytes:
    return header + purpose.encode("utf-8")
