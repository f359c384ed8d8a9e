"""Tests of annexes: pieces, and the references by which they are found."""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import TestCase

from p2pship.identity.annex import PIECE_LENGTH, Annex, by_reference, pieces_of, reference_of, references_of


class AnnexTests(TestCase):
    """Taking apart and putting together."""

    def test_pieces(self) -> None:
        """Pieces put together are what they were made of, and none is longer than fits."""
        for length in (0, 1, PIECE_LENGTH, PIECE_LENGTH + 1, 5 * PIECE_LENGTH):
            data = bytes(number % 251 for number in range(length))
            pieces = pieces_of(data)
            self.assertEqual(b"".join(pieces), data)
            self.assertTrue(all(0 < len(piece) <= PIECE_LENGTH for piece in pieces))

    def test_reference(self) -> None:
        """A reference is the beginning of the piece's SHA-256."""
        self.assertEqual(reference_of(b"piece"), hashlib.sha256(b"piece").digest()[:16])
        self.assertEqual(by_reference(b"piece", b""), {reference_of(b"piece"): b"piece"})

    def test_too_many(self) -> None:
        """What would need too many pieces has no references: a part alone is worth nothing."""
        self.assertEqual(len(references_of(bytes(2 * PIECE_LENGTH), 2)), 2)
        self.assertEqual(references_of(bytes(2 * PIECE_LENGTH + 1), 2), ())

    def test_all(self) -> None:
        """All references are those of each part, in order."""
        self.assertEqual(Annex((b"a",), (b"b", b"c"), (b"d",)).references, (b"a", b"b", b"c", b"d"))
