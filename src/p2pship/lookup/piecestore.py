"""Pieces of annexes that were found: many devices of one person refer to the same, in search after search."""

from __future__ import annotations

from collections import OrderedDict

MOST_KEPT = 512
"Pieces kept, 0.5 MB: the certificates of some hundred people."


class PieceStore:
    """Pieces that were found, by reference: their hash says that they are what they were."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, reference: bytes) -> bytes | None:
        """Return a piece, None if it is not kept."""
        return self._pieces.get(reference)

    def keep(self, reference: bytes, piece: bytes) -> None:
        """Keep a piece; the one found longest ago is dropped when there are too many."""
        self._pieces[reference] = piece
        while len(self._pieces) > MOST_KEPT:
            self._pieces.popitem(last=False)
