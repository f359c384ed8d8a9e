"""Places: where items are kept, and what opens them; who knows the name, or has the pair secret, knows both.

All keys of a place come from one secret by HKDF-SHA256 (RFC 5869), each day (UTC) others. The secret is extracted from the
canonical AOR for the *open* place of a person, which everybody can find who knows the name; and from a pair secret and
both names, in order, for the place where one person publishes for one friend. None of the keys tells another one, nor
the name.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

DAY = 24 * 3600

KEYS_REMEMBERED = 64
"""Keys of a place and a day that are kept, for as many searches at once; to make one costs some microseconds, to keep one a
kilobyte."""

_OPEN_SALT = b"p2pship open mode v1"
_FRIEND_SALT = b"p2pship friend mode v1"


def day_of(now: float) -> int:
    """Return the number of the day (UTC) since 1970 that a Unix time is in."""
    return int(now // DAY)


class Place:
    """One place; two of the same secret are alike."""

    __slots__ = ("_secret", "open")

    def __init__(self, secret: bytes, is_open: bool) -> None:
        self._secret = secret
        self.open = is_open
        "whether everybody who knows the name knows it"

    @classmethod
    def of_name(cls, aor: str) -> Place:
        """Return the open place of a canonical AOR."""
        return cls(hmac.digest(_OPEN_SALT, aor.encode("utf-8"), "sha256"), is_open=True)

    @classmethod
    def between(cls, secret: bytes, publisher: str, reader: str) -> Place:
        """Return where a canonical AOR publishes for another one with which it has a pair secret of 32 octets.

        What the other one publishes is elsewhere, so that neither direction can be sent back as the other.
        """
        names = publisher.encode("utf-8") + b"\0" + reader.encode("utf-8")
        return cls(hmac.digest(_FRIEND_SALT, secret + names, "sha256"), is_open=False)

    def lookup_key(self, day: int, piece: bytes = b"") -> bytes:
        """Return the 32 octets under which items are published on a day, or one piece of an annex by its reference."""
        return _derived(self._secret, b"lookup key", day, piece)

    def cipher(self, day: int, piece: bytes = b"") -> AESGCM:
        """Return what seals and opens the items of a day, or one piece of an annex by its reference."""
        return _cipher(self._secret, day, piece)

    def publication_key(self, day: int, device: bytes, piece: bytes = b"") -> bytes:
        """Return the Ed25519 key under which a device, that has the publication key ``device``, publishes here.

        In an open place it is that key. Elsewhere it is another one in each slot, so that nobody else can tell which slots
        are of one device; the friend can make it, too, and with it replace what only the friend reads.
        """
        if self.open:
            return device
        return _pseudonym(self._secret, day, device + piece).public_key().public_bytes_raw()

    def publication_private_key(
        self, day: int, device: Ed25519PrivateKey, piece: bytes = b""
    ) -> Ed25519PrivateKey:
        """Return the private key to :meth:`publication_key`, given the one to ``device``."""
        if self.open:
            return device
        return _pseudonym(self._secret, day, device.public_key().public_bytes_raw() + piece)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self._secret)


@lru_cache(maxsize=KEYS_REMEMBERED)
def _cipher(secret: bytes, day: int, piece: bytes) -> AESGCM:
    return AESGCM(_derived(secret, b"sealing key", day, piece))


@lru_cache(maxsize=KEYS_REMEMBERED)
def _derived(secret: bytes, purpose: bytes, day: int, more: bytes) -> bytes:
    info = purpose + b"\0" + day.to_bytes(4, "big") + more
    return HKDFExpand(hashes.SHA256(), 32, info).derive(secret)


@lru_cache(maxsize=KEYS_REMEMBERED)
def _pseudonym(secret: bytes, day: int, more: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_derived(secret, b"publication key", day, more))
