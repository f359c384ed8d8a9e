"""Sealed items: papers, and pieces of their annex, encrypted so that only who knows their place can find or read them.

Every item has the same length and form, whatever is in it and for whomever it is (:mod:`p2pship.identity.place`).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from p2pship.errors import BadPapers, LocalError
from p2pship.identity.annex import (
    MOST_CHAIN_PIECES,
    MOST_REVOCATION_PIECES,
    MOST_STATEMENT_PIECES,
    REFERENCE_LENGTH,
    Annex,
    octets_of,
    reference_of,
    references_of,
)
from p2pship.identity.place import Place
from p2pship.identity.record import LONGEST_RECORD

ITEM_LENGTH = 960
"""Octets of every item, so that its length tells nothing: a DHT holds a thousand with its own framing (BEP 44), and a LAN
question of 1,000 is never outgrown."""

ITEM_VERSION = 2

_HEADER = struct.Struct("!B32s12s")
"Version, publication key, nonce."
_TAG_LENGTH = 16
CONTENT_LENGTH = ITEM_LENGTH - _HEADER.size - _TAG_LENGTH
"Octets that are sealed, padding included."

_PAPERS = struct.Struct("!HHBBB")
"Octets of statement and record, and how many references there are to pieces of statement, chain and revocation list."
_PIECE = struct.Struct("!H")

MOST_REFERENCES = (MOST_STATEMENT_PIECES, MOST_CHAIN_PIECES, MOST_REVOCATION_PIECES)

ROOM = CONTENT_LENGTH - _PAPERS.size
"Octets for references, statement and record: the longest record fits with the most references."


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """What a sealed item held; nothing of it has been verified, but that who sealed it knew the place."""

    publication_key: bytes
    "the Ed25519 key under which it was published, 32 octets"
    record: bytes
    "the signed record"
    statement: bytes | None
    "the signed statement; None if there was no room"
    annex: Annex
    "where the rest is"


def seal(
    place: Place,
    day: int,
    publication_key: bytes,
    statement: bytes,
    record: bytes,
    random: Callable[[int], bytes] = os.urandom,
    *,
    chain: bytes = b"",
    revocations: bytes = b"",
) -> bytes:
    """Return the item of 960 octets that holds a device's papers for one day's slot.

    It refers to the pieces of the chain (the certificates, DER, one after the other) and of the revocation list, if they are
    not too many; and to those of the statement if that has no room.

    :raises LocalError: if the record is too long.
    """
    if len(record) > LONGEST_RECORD:
        raise LocalError(f"a record of {len(record)} octets is longer than {LONGEST_RECORD}")
    annex = annex_of(statement, record, chain, revocations)
    inside = b"" if annex.statement else statement
    numbers = (len(each) for each in (annex.statement, annex.chain, annex.revocations))
    head = _PAPERS.pack(len(inside), len(record), *numbers)
    content = head + b"".join(annex.references) + inside + record
    return _sealed(place, day, publication_key, content, random(12), b"")


def annex_of(statement: bytes, record: bytes, chain: bytes, revocations: bytes) -> Annex:
    """Return what an item of these papers refers to."""
    chained = references_of(chain, MOST_CHAIN_PIECES)
    listed = references_of(revocations, MOST_REVOCATION_PIECES) if chained else ()
    if octets_of((chained, listed)) + len(statement) + len(record) <= ROOM:
        return Annex((), chained, listed)
    return Annex(references_of(statement, MOST_STATEMENT_PIECES), chained, listed)


def open_item(place: Place, day: int, item: bytes) -> OpenedItem:
    """Open an item that was found under the lookup key of a place on a day.

    :raises BadPapers: if it is of another version or length, or was not sealed for that place, day and publication key.
    """
    publication_key, content = _opened(place, day, item, b"")
    statement, record, *numbers = _PAPERS.unpack_from(content)
    if any(number > most for number, most in zip(numbers, MOST_REFERENCES, strict=True)):
        raise BadPapers("the sealed item refers to too many pieces")
    at = _PAPERS.size + REFERENCE_LENGTH * sum(numbers)
    if at + statement + record > len(content) or bool(statement) == bool(numbers[0]):
        raise BadPapers("what the sealed item holds is cut short, or not of its form")
    return OpenedItem(
        publication_key,
        content[at + statement : at + statement + record],
        content[at : at + statement] or None,
        _annex(content, numbers),
    )


def _annex(content: bytes, numbers: list[int]) -> Annex:
    parts, at = [], _PAPERS.size
    for number in numbers:
        end = at + REFERENCE_LENGTH * number
        parts.append(tuple(content[one : one + REFERENCE_LENGTH] for one in range(at, end, REFERENCE_LENGTH)))
        at = end
    return Annex(*parts)


def seal_piece(
    place: Place, day: int, publication_key: bytes, piece: bytes, random: Callable[[int], bytes] = os.urandom
) -> bytes:
    """Return the item of 960 octets that holds a piece of an annex.

    :raises LocalError: if it is too long.
    """
    content = _PIECE.pack(len(piece)) + piece
    if len(content) > CONTENT_LENGTH:
        raise LocalError(f"a piece of {len(piece)} octets does not fit")
    return _sealed(place, day, publication_key, content, random(12), reference_of(piece))


def open_piece(place: Place, day: int, reference: bytes, item: bytes) -> bytes:
    """Open an item that was found under the lookup key of a piece.

    :raises BadPapers: as :func:`open_item`, and if it is not the piece that has this reference.
    """
    _, content = _opened(place, day, item, reference)
    (length,) = _PIECE.unpack_from(content)
    piece = content[_PIECE.size : _PIECE.size + length]
    if reference_of(piece) != reference:
        raise BadPapers("the item holds another piece than the one asked for")
    return piece


def _sealed(
    place: Place, day: int, publication_key: bytes, content: bytes, nonce: bytes, piece: bytes
) -> bytes:
    bound = _bound(place.lookup_key(day, piece), publication_key)
    sealed = place.cipher(day, piece).encrypt(nonce, content.ljust(CONTENT_LENGTH, b"\0"), bound)
    return _HEADER.pack(ITEM_VERSION, publication_key, nonce) + sealed


def _opened(place: Place, day: int, item: bytes, piece: bytes) -> tuple[bytes, bytes]:
    """Return the publication key and the content, padding included."""
    if len(item) != ITEM_LENGTH:
        raise BadPapers(f"a sealed item has {ITEM_LENGTH} octets, not {len(item)}")
    version, publication_key, nonce = _HEADER.unpack_from(item)
    if version != ITEM_VERSION:
        raise BadPapers(f"the sealed item is of version {version}; this node reads {ITEM_VERSION}")
    bound = _bound(place.lookup_key(day, piece), publication_key)
    try:
        content = place.cipher(day, piece).decrypt(nonce, item[_HEADER.size :], bound)
    except InvalidTag:
        raise BadPapers("the item was not sealed for this place, day and publication key") from None
    return publication_key, content


def _bound(lookup: bytes, publication_key: bytes) -> bytes:
    """Return what the item is bound to, so that nobody can move it to another slot."""
    return bytes([ITEM_VERSION]) + lookup + publication_key
