"""The annex: what belongs to somebody's papers and has no room in a sealed item, in pieces that are found by their hash.

An item names each piece by its reference, the first 16 octets of the piece's SHA-256. Anybody who knows the name can put
anything under the key where a piece is looked for; what has not that hash is not it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

PIECE_LENGTH = 896
"Octets of a piece, but the last: with its length, its frame and its seal it fits an item of 960."

REFERENCE_LENGTH = 16
"Octets of a reference: who wants another piece with the same one has 2^128 to try."

MOST_STATEMENT_PIECES = 3
"Pieces of a statement, which has at most 2,560 octets."

MOST_CHAIN_PIECES = 5
"Pieces of a chain of certificates: four with P-256 keys have some 2,200 octets."

MOST_REVOCATION_PIECES = 5
"Pieces of a revocation list: that of a hundred certificates has some 4,000 octets. A longer one comes over HTTPS alone."


@dataclass(frozen=True, slots=True)
class Annex:
    """The references to the pieces of what was left out."""

    statement: tuple[bytes, ...] = ()
    "of the signed statement; none if it is there itself"
    chain: tuple[bytes, ...] = ()
    "of the certificates, DER, end entity first, one after the other; none where nobody vouches"
    revocations: tuple[bytes, ...] = ()
    "of the revocation list, DER; none if there is none"

    @property
    def references(self) -> tuple[bytes, ...]:
        """All of them."""
        return (*self.statement, *self.chain, *self.revocations)


def pieces_of(data: bytes) -> tuple[bytes, ...]:
    """Return the pieces of which ``data`` is put together."""
    return tuple(data[at : at + PIECE_LENGTH] for at in range(0, len(data), PIECE_LENGTH))


def reference_of(piece: bytes) -> bytes:
    """Return the reference to a piece."""
    return hashlib.sha256(piece).digest()[:REFERENCE_LENGTH]


def references_of(data: bytes, most: int) -> tuple[bytes, ...]:
    """Return the references to the pieces of ``data``; none if there are more than ``most``."""
    pieces = pieces_of(data)
    return tuple(map(reference_of, pieces)) if len(pieces) <= most else ()


def by_reference(*parts: bytes) -> dict[bytes, bytes]:
    """Return the pieces of all these parts by their references."""
    return {reference_of(piece): piece for part in parts for piece in pieces_of(part)}


def octets_of(references: Sequence[Sequence[bytes]]) -> int:
    """Return how many octets references take."""
    return REFERENCE_LENGTH * sum(map(len, references))
