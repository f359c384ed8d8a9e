"""Sealed items: papers encrypted so that only who knows the name can find or read them.

In open mode, all keys come from the canonical AOR by HKDF-SHA256 (RFC 5869): extracted with a salt of our own, then
expanded for each day (UTC) into the lookup key under which the item is kept and the key that encrypts it. Neither tells
the other, nor the name, to those who cannot guess the name; those who can guess it, can look.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from p2pship.errors import BadPapers, LocalError
from p2pship.identity.record import LONGEST_RECORD
from p2pship.identity.statement import read_statement

LONGEST_ITEM = 960
"Octets: a DHT holds a thousand with its own framing (BEP 44), and a LAN question of 1,000 is never outgrown."

ITEM_VERSION = 1
DAY = 24 * 3600
KEYS_REMEMBERED = 16
"Keys of a name and a day that are kept, for as many searches at once; to make one costs some microseconds, to keep one a kilobyte."

_SALT = b"p2pship open mode v1"
_HEADER = struct.Struct("!B32s12s")
"Version, publication key, nonce."
_TAG_LENGTH = 16
_STATEMENT_LENGTH = struct.Struct("!H")
_REFERENCE = struct.Struct("!Q32s")
_SHORTEST_ITEM = _HEADER.size + _TAG_LENGTH + _STATEMENT_LENGTH.size


@dataclass(frozen=True, slots=True)
class StatementReference:
    """Which statement a record goes with, when the item had no room for it: the hello brings it."""

    version: int
    sha256: bytes
    "over the signed statement"


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """What a sealed item held; nothing of it has been verified, but that who sealed it knew the name."""

    publication_key: bytes
    "the Ed25519 key under which it was published, 32 octets"
    record: bytes
    "the signed record"
    statement: bytes | None
    "the signed statement; None if there was no room"
    reference: StatementReference | None
    "which statement; None if it is there itself"


def day_of(now: float) -> int:
    """Return the number of the day (UTC) since 1970 that a Unix time is in."""
    return int(now // DAY)


@lru_cache(maxsize=KEYS_REMEMBERED)
def lookup_key(aor: str, day: int) -> bytes:
    """Return the 32 octets under which a canonical AOR's items are published on a day."""
    return _derived(aor, b"lookup key", day)


def seal(
    aor: str,
    day: int,
    publication_key: bytes,
    statement: bytes,
    record: bytes,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return the item, at most 960 octets, that holds a device's papers for one day's slot.

    If there is no room for both, it holds the record and which statement it goes with.

    :raises LocalError: if the record alone is too long.
    """
    room = LONGEST_ITEM - _SHORTEST_ITEM
    if len(record) > LONGEST_RECORD:
        raise LocalError(f"a record of {len(record)} octets is longer than {LONGEST_RECORD}")
    fits = len(statement) + len(record) <= room
    first = _STATEMENT_LENGTH.pack(len(statement)) + statement if fits else _referring(statement)
    nonce = random(12)
    bound = _bound(lookup_key(aor, day), publication_key)
    sealed = _cipher(aor, day).encrypt(nonce, first + record, bound)
    return _HEADER.pack(ITEM_VERSION, publication_key, nonce) + sealed


def open_item(aor: str, day: int, item: bytes) -> OpenedItem:
    """Open an item that was found under the lookup key of a canonical AOR on a day.

    :raises BadPapers: if it is of another version, too long, or was not sealed for that name, day and publication key.
    """
    if not _SHORTEST_ITEM <= len(item) <= LONGEST_ITEM:
        raise BadPapers(f"a sealed item has {_SHORTEST_ITEM} to {LONGEST_ITEM} octets, not {len(item)}")
    version, publication_key, nonce = _HEADER.unpack_from(item)
    if version != ITEM_VERSION:
        raise BadPapers(f"the sealed item is of version {version}; this node reads {ITEM_VERSION}")
    bound = _bound(lookup_key(aor, day), publication_key)
    try:
        content = _cipher(aor, day).decrypt(nonce, item[_HEADER.size :], bound)
    except InvalidTag:
        raise BadPapers("the item was not sealed for this name, day and publication key") from None
    return _opened(publication_key, content)


def _opened(publication_key: bytes, content: bytes) -> OpenedItem:
    (length,) = _STATEMENT_LENGTH.unpack_from(content)
    rest = content[_STATEMENT_LENGTH.size :]
    if length > len(rest) or (not length and len(rest) < _REFERENCE.size):
        raise BadPapers("what the sealed item holds is cut short")
    if length:
        return OpenedItem(publication_key, rest[length:], rest[:length], None)
    reference = StatementReference(*_REFERENCE.unpack_from(rest))
    return OpenedItem(publication_key, rest[_REFERENCE.size :], None, reference)


def _referring(statement: bytes) -> bytes:
    version = read_statement(statement).version
    return _STATEMENT_LENGTH.pack(0) + _REFERENCE.pack(version, hashlib.sha256(statement).digest())


def _bound(lookup: bytes, publication_key: bytes) -> bytes:
    """Return what the item is bound to, so that nobody can move it to another slot."""
    return bytes([ITEM_VERSION]) + lookup + publication_key


@lru_cache(maxsize=KEYS_REMEMBERED)
def _cipher(aor: str, day: int) -> AESGCM:
    return AESGCM(_derived(aor, b"sealing key", day))


def _derived(aor: str, purpose: bytes, day: int) -> bytes:
    info = purpose + b"\0" + day.to_bytes(4, "big")
    return HKDF(hashes.SHA256(), 32, _SALT, info).derive(aor.encode("utf-8"))
