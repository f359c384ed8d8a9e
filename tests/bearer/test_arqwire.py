"""Tests for p2pship.bearer.arqwire: the segments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.arqwire import (
    MOST_RANGES,
    Ack,
    BadSegment,
    Data,
    Probe,
    Probed,
    ack_segment,
    data_segment,
    parse,
    probe_segment,
    probed_segment,
)

numbers = st.integers(0, 2**32 - 1)
offsets = st.integers(0, 2**63)


@st.composite
def acks(draw: st.DrawFn) -> Ack:
    """Return any acknowledgement that may be sent."""
    taken = draw(offsets)
    edges = sorted(draw(st.sets(st.integers(1, 2**32 - 1), max_size=2 * MOST_RANGES)))
    ranges = tuple((taken + start, taken + end) for start, end in zip(edges[::2], edges[1::2], strict=False))
    return Ack(draw(numbers), taken, taken + draw(st.integers(0, 2**32)), ranges)


class SegmentTests(TestCase):
    """Segments to octets and back."""

    @given(numbers, offsets, st.binary(max_size=50))
    def test_data(self, number: int, offset: int, octets: bytes) -> None:
        """Data segments are read as they were written."""
        self.assertEqual(parse(data_segment(number, offset, octets)), Data(number, offset, octets))

    @given(acks())
    def test_acks(self, ack: Ack) -> None:
        """Acknowledgements are read as they were written."""
        self.assertEqual(parse(ack_segment(ack)), ack)

    @given(numbers, st.integers(5, 1500))
    def test_probes(self, number: int, size: int) -> None:
        """A probe has the size that it should have; so has its answer."""
        self.assertEqual(len(probe_segment(number, size)), size)
        self.assertEqual(parse(probe_segment(number, size)), Probe(number))
        self.assertEqual(parse(probed_segment(number)), Probed(number))

    def test_vectors(self) -> None:
        """The octets are those that the reference page shows."""
        self.assertEqual(data_segment(7, 300, b"ab").hex(), "0100000007000000000000012c6162")
        self.assertEqual(
            ack_segment(Ack(7, 300, 262_444, ((310, 320), (330, 331)))).hex(),
            "0200000007000000000000012c000000000004012c020000000a000000140000001e0000001f",
        )
        self.assertEqual(probe_segment(9, 8).hex(), "0300000009000000")
        self.assertEqual(probed_segment(9).hex(), "0400000009")

    def test_truncated(self) -> None:
        """A segment whose header is cut is refused, and so is an acknowledgement of any other length."""
        ack = ack_segment(Ack(1, 2, 3, ((5, 6),)))
        for whole, header in ((data_segment(1, 2, b"x"), 13), (ack, len(ack)), (probed_segment(1), 5)):
            for length in range(header):
                self.assertRaises(BadSegment, parse, whole[:length])
        self.assertRaises(BadSegment, parse, ack + b"\0")
        self.assertRaises(BadSegment, parse, probed_segment(1) + b"\0")

    def test_nonsense(self) -> None:
        """Acknowledgements whose parts contradict each other are refused."""
        for wrong in (
            Ack(1, 100, 99),
            Ack(1, 100, 200, ((100, 110),)),
            Ack(1, 100, 200, ((120, 110),)),
            Ack(1, 100, 200, ((110, 120), (120, 130))),
            Ack(1, 100, 200, ((130, 140), (110, 120))),
            Ack(1, 0, 2**32, tuple((2 * at + 1, 2 * at + 2) for at in range(MOST_RANGES + 1))),
        ):
            self.assertRaises(BadSegment, parse, ack_segment(wrong))

    @given(st.binary(max_size=60))
    def test_garbage(self, octets: bytes) -> None:
        """Anything is a segment or is refused as none."""
        try:
            parse(octets)
        except BadSegment:
            return
        self.assertIn(octets[0], (1, 2, 3, 4))
