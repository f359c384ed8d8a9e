"""The receiving half of :mod:`p2pship.bearer.arq`: segments become frames, and what has come is acknowledged."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from p2pship.bearer.arqwire import Ack, BadSegment, Data, ack_segment
from p2pship.bearer.framing import LARGEST_FRAME
from p2pship.bearer.reassembly import Reassembly

FIRST_WINDOW = 8192
"""Octets of the stream that may be sent until the other side releases more: a hello fits, and it is all that a stranger can make
us keep. Both sides know it."""

WINDOW = 262_144
"Octets that may come ahead of one that is missing: 2.6 MB/s with a round trip of 0.1 s, and what one link makes us keep."

END = 0xFFFF_FFFF
"The length that says that no more frames follow."

_LENGTH = struct.Struct(">I")


class FrameTooLong(BadSegment):
    """The other side sends a frame that is longer than we take: the stream is of no more use."""


def frame_record(frame: bytes) -> bytes:
    """Return a frame as it stands in the stream."""
    return _LENGTH.pack(len(frame)) + frame


END_RECORD = _LENGTH.pack(END)
"What stands in the stream after the last frame."


class ArqReceiver:
    """Takes data segments and gives back frames."""

    def __init__(self) -> None:
        self.limit = LARGEST_FRAME
        "the most octets of a frame that is taken"
        self.ack_due = False
        "whether something came that was not acknowledged"
        self.ended = False
        "whether the other side has said that no more frames follow"
        self.repeated = 0
        "segments that brought nothing new"
        self._stream = Reassembly()
        self._newest = 0
        self._window_end = FIRST_WINDOW
        self._released = False
        self._buffer = bytearray()
        self._at = 0

    def release(self) -> None:
        """Let the other side send as much as it likes: what is given back is used at once from now on."""
        self._released = True
        self._window_end = self._stream.taken + WINDOW
        self.ack_due = True

    @property
    def kept(self) -> int:
        """Octets that were received and not given back."""
        return len(self._buffer) - self._at + self._stream.kept

    def received(self, data: Data) -> None:
        """Take a segment.

        :raises BadSegment: if it is beyond what was allowed.
        """
        if data.offset + len(data.octets) > self._window_end:
            raise BadSegment("a segment has octets beyond the window")
        self.ack_due = True
        self._newest = max(self._newest, data.number)
        if data.octets and data.offset + len(data.octets) <= self._stream.taken:
            self.repeated += 1
        self._buffer += self._stream.add(data.offset, data.octets)
        if self._released:
            self._window_end = self._stream.taken + WINDOW

    def frames(self) -> Iterator[bytes]:
        """Give back the frames that are complete and in order now; ``limit`` holds for those not given back yet.

        Whoever stops in the middle gets the rest by asking again.

        :raises FrameTooLong: if a frame is longer than ``limit``.
        """
        while not self.ended and len(self._buffer) - self._at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, self._at)
            if length == END:
                self.ended = True
                break
            if length > self.limit:
                raise FrameTooLong(f"a frame of {length} octets is too long: the most now is {self.limit}")
            start = self._at + _LENGTH.size
            if len(self._buffer) < start + length:
                break
            self._at = start + length
            yield bytes(self._buffer[start : self._at])
        del self._buffer[: self._at]
        self._at = 0

    def ack(self) -> bytes:
        """Return a segment that says all that has come."""
        self.ack_due = False
        return ack_segment(Ack(self._newest, self._stream.taken, self._window_end, self._stream.ranges))
