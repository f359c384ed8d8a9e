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

COSTLIEST = 17
"""log2 of N that is still tried: 128 MiB. A file from elsewhere must not take the memory of a node that carries calls."""

MOST_WORK = 1 << 19
"N times p that is still tried: five times our own, two seconds."

_VERSION = 1
_PARAMETERS = struct.Struct("!BBBB16s")  # version, log2 N, r, p, salt
_NONCE_LENGTH = 12
_KEY_LENGTH = 32
_TAG_LENGTH = 16


class WrongPassphrase(LocalError):
    """The passphrase is not the right one, or what it protects was altered."""


class PassphraseKey:
    """The key that a passphrase makes with one salt: what it wraps again needs no scrypt."""

    def __init__(self, passphrase: bytes, parameters: bytes) -> None:
        """``parameters`` are what a wrapping begins with, up to the nonce."""
        _, cost, blocks, lanes, salt = _PARAMETERS.unpack(parameters)
        self._parameters = parameters
        self._cipher = AESGCM(Scrypt(salt, _KEY_LENGTH, 1 << cost, blocks, lanes).derive(passphrase))

    @classmethod
    def new(cls, passphrase: bytes, random: Callable[[int], bytes] = os.urandom) -> PassphraseKey:
        """Return the key of a passphrase with a salt of its own."""
        return cls(passphrase, _PARAMETERS.pack(_VERSION, COST, BLOCKS, LANES, random(16)))

    @classmethod
    def of(cls, passphrase: bytes, wrapped: bytes) -> PassphraseKey:
        """Return the key with which something may have been wrapped.

        :raises WrongPassphrase: if it was not, whatever the passphrase, or asks for more work than may be done.
        """
        parameters = wrapped[: _PARAMETERS.size]
        if not _is_bearable(parameters) or len(wrapped) < _PARAMETERS.size + _NONCE_LENGTH + _TAG_LENGTH:
            raise WrongPassphrase("what the passphrase protects is not of a form that can be opened")
        return cls(passphrase, parameters)

    def wrap(self, purpose: str, data: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
        """Return ``data`` so that only who knows the passphrase can read it; it opens for the same purpose only."""
        nonce = random(_NONCE_LENGTH)
        header = self._parameters + nonce
        return header + self._cipher.encrypt(nonce, data, header + purpose.encode("utf-8"))

    def unwrap(self, purpose: str, wrapped: bytes) -> bytes:
        """Return what was wrapped.

        :raises WrongPassphrase: if the passphrase or purpose is another, or anything of it was altered.
        """
        size = _PARAMETERS.size + _NONCE_LENGTH
        header, sealed = wrapped[:size], wrapped[size:]
        try:
            return self._cipher.decrypt(header[-_NONCE_LENGTH:], sealed, header + purpose.encode("utf-8"))
        except InvalidTag:
            raise WrongPassphrase from None


def wrap(passphrase: bytes, purpose: str, data: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Return ``data`` under a passphrase, as :meth:`PassphraseKey.wrap`."""
    return PassphraseKey.new(passphrase, random).wrap(purpose, data, random)


def unwrap(passphrase: bytes, purpose: str, wrapped: bytes) -> bytes:
    """Return what was wrapped under a passphrase; raises as :meth:`PassphraseKey.of` and :meth:`~PassphraseKey.unwrap`."""
    return PassphraseKey.of(passphrase, wrapped).unwrap(purpose, wrapped)


def _is_bearable(parameters: bytes) -> bool:
    """Tell whether the work that something wrapped asks for may be done; it may be anybody's."""
    if len(parameters) < _PARAMETERS.size:
        return False
    version, cost, blocks, lanes, _ = _PARAMETERS.unpack(parameters)
    bearable: bool = 1 <= cost <= COSTLIEST and blocks == BLOCKS and 1 <= lanes << cost <= MOST_WORK
    return bearable and version == _VERSION
