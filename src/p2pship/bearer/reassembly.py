"""Puts the octets of a stream back in order, whatever order and pieces they come in."""

from __future__ import annotations

from bisect import bisect_right

from p2pship.bearer.arqwire import MOST_RANGES


class Reassembly:
    """What came beyond the next octet that is missing, as ranges that neither touch nor overlap."""

    def __init__(self) -> None:
        self.taken = 0
        "the offset before which every octet was given back"
        self._starts: list[int] = []
        self._pieces: list[bytearray] = []

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The ranges that are kept: the offsets of the first octet and of the one after the last, ascending."""
        return tuple(
            (start, start + len(piece)) for start, piece in zip(self._starts, self._pieces, strict=True)
        )

    @property
    def kept(self) -> int:
        """Octets that are kept."""
        return sum(map(len, self._pieces))

    def add(self, offset: int, octets: bytes) -> bytes:
        """Take octets of the stream, and return those that are in order now.

        What would make more ranges than an acknowledgement can report is not taken: it will be sent again.
        """
        if offset < self.taken:
            octets, offset = octets[self.taken - offset :], self.taken
        if not octets:
            return b""
        if not self._starts and offset == self.taken:  # nearly always
            self.taken += len(octets)
            return octets
        self._merge(offset, octets)
        return self._in_order()

    def _merge(self, offset: int, octets: bytes) -> None:
        """Insert octets, and join them with every range that they touch."""
        at = bisect_right(self._starts, offset)
        if at and self._end(at - 1) >= offset:
            at -= 1
            new = octets[self._end(at) - offset :]
            if not new:
                return
            self._pieces[at] += new
        elif len(self._starts) >= MOST_RANGES and offset != self.taken:
            return
        else:
            self._starts.insert(at, offset)
            self._pieces.insert(at, bytearray(octets))
        while at + 1 < len(self._starts) and self._starts[at + 1] <= self._end(at):
            following = self._pieces[at + 1]
            self._pieces[at] += following[self._end(at) - self._starts[at + 1] :]
            del self._starts[at + 1], self._pieces[at + 1]

    def _end(self, at: int) -> int:
        return self._starts[at] + len(self._pieces[at])

    def _in_order(self) -> bytes:
        if not self._starts or self._starts[0] > self.taken:
            return b""
        self._starts.pop(0)
        octets = bytes(self._pieces.pop(0))
        self.taken += len(octets)
        return octets
