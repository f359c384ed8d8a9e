"""Tests for p2pship.bearer.reassembly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.arqwire import MOST_RANGES
from p2pship.bearer.reassembly import Reassembly

STREAM = bytes(range(200))


class ReassemblyTests(TestCase):
    """Pieces of a stream, in any order."""

    @given(st.lists(st.tuples(st.integers(0, 199), st.integers(0, 60)), max_size=40))
    def test_any_pieces(self, pieces: list[tuple[int, int]]) -> None:
        """Whatever pieces come, what is given back is the stream as far as nothing is missing, and the ranges are true."""
        reassembly = Reassembly()
        given_back = b""
        have = [False] * 200
        for at, size in pieces:
            octets = STREAM[at : at + size]
            given_back += reassembly.add(at, octets)
            have[at : at + len(octets)] = [True] * len(octets)
            missing = have.index(False) if False in have else 200
            self.assertEqual((given_back, reassembly.taken), (STREAM[:missing], missing))
            kept = {offset for start, end in reassembly.ranges for offset in range(start, end)}
            self.assertEqual(kept, {offset for offset in range(missing, 200) if have[offset]})
            self.assertEqual(reassembly.kept, len(kept))
            edges = [edge for pair in reassembly.ranges for edge in pair]
            self.assertEqual(edges, sorted(set(edges)), "they neither touch nor overlap")

    def test_most_ranges(self) -> None:
        """No more ranges are kept than can be reported; what fills the first gap is always taken."""
        reassembly = Reassembly()
        for at in range(2, 1000, 2):
            reassembly.add(at, b"x")
        self.assertEqual(len(reassembly.ranges), MOST_RANGES)
        self.assertEqual(reassembly.add(0, b"ab"), b"abx")
        self.assertEqual(len(reassembly.ranges), MOST_RANGES - 1)
