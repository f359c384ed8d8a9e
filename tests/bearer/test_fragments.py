"""Tests for p2pship.bearer.fragments."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.fragments import (
    HEADER_SIZE,
    LARGEST_PART,
    MOST_PARTS,
    MOST_UNFINISHED,
    BadPart,
    Cutter,
    Parts,
)


class FragmentTests(TestCase):
    """Datagrams in parts."""

    @given(st.integers(1, 65_600), st.integers(1200, 1500), st.randoms())
    def test_round_trip(self, size: int, room: int, random: Random) -> None:
        """What was cut is put together again, in whatever order and however often its parts come."""
        datagram = random.randbytes(size)
        parts = Cutter().cut(datagram, room)
        self.assertLessEqual(max(map(len, parts)), room)
        self.assertEqual(len(parts), -(-size // (room - HEADER_SIZE)), "as few as possible")
        random.shuffle(parts)
        together = Parts()
        for part in parts[:-1]:
            self.assertIsNone(together.add(part))
            self.assertIsNone(together.add(part))
        self.assertEqual(together.add(parts[-1]), datagram)

    def test_two(self) -> None:
        """A packet that is a little too large goes in two even parts."""
        self.assertEqual([len(part) for part in Cutter().cut(bytes(1400), 1223)], [704, 704])

    def test_lost_parts(self) -> None:
        """Datagrams that never become whole are forgotten, eldest first, and counted."""
        cutter, together = Cutter(), Parts()
        whole = 0
        for number in range(100):
            parts = cutter.cut(bytes(2000), 1223)
            together.add(parts[0])
            if number % 10 == 0:
                whole += together.add(parts[1]) is not None
        self.assertEqual((whole, together.lost), (10, 90 - MOST_UNFINISHED))

    def test_same_number(self) -> None:
        """When the numbers have come round, nothing of the old datagram gets into the new one that has its number."""
        cutter, together = Cutter(), Parts()
        together.add(cutter.cut(b"old" * 1000, 1223)[0])
        for _ in range(0xFFFF):
            for part in cutter.cut(b"between" * 200, 1223):
                whole = together.add(part)
            self.assertEqual(whole, b"between" * 200)
        first, *rest = cutter.cut(b"new" * 1000, 1223)
        self.assertEqual([together.add(part) for part in rest], [None] * len(rest))
        self.assertEqual(together.add(first), b"new" * 1000)

    def test_bounded(self) -> None:
        """Whatever comes, little is kept."""
        random, together = Random(1), Parts()
        for _ in range(5000):
            part = random.randbytes(3) + bytes([random.randrange(MOST_PARTS + 1)]) + bytes(LARGEST_PART - 4)
            try:
                together.add(part)
            except BadPart:
                continue
        self.assertLessEqual(len(together._unfinished), MOST_UNFINISHED)
        for number in range(500, 0, -1):  # each of which seems to have been sent before the others
            together.add(number.to_bytes(2, "big") + b"\0\2half")
            self.assertLessEqual(len(together._unfinished), MOST_UNFINISHED)

    def test_nonsense(self) -> None:
        """Parts that cannot be are refused."""
        together = Parts()
        together.add(b"\0\1\0\2half")
        for wrong in (
            b"",
            b"\0\1\0\2",
            b"\0\1\2\2x",
            b"\0\1\0\0x",
            b"\0\1\0\3x",
            b"\0\2\0\x41x",
            bytes(1501),
        ):
            self.assertRaises(BadPart, together.add, wrong)
        self.assertEqual(together.add(b"\0\1\1\2half"), b"halfhalf")
        for index in range(47):
            self.assertIsNone(together.add(bytes([0, 9, index, 48]) + bytes(1496)))
        self.assertRaises(BadPart, together.add, bytes([0, 9, 47, 48]) + bytes(1496))
