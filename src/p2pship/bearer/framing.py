"""How frames and datagrams follow each other on a byte stream: each behind four octets of kind and length.

The page ``docs/reference/stream-framing.md`` draws it. A bearer puts records only on a stream that is protected
already, or has each followed by its MAC (:mod:`p2pship.bearer.channel`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

from p2pship.bearer.channel import MAC_SIZE, RecordOpener
from p2pship.errors import LocalError, RemoteError

LARGEST_FRAME = 65_600
"Octets of a frame or datagram: the overlay's largest payload, 65,536, and room for its header."

HEADER_SIZE = 4
"Octets before each frame or datagram."

_HEADER = struct.Struct(">I")


class BadStream(RemoteError):
    """What came on the stream is not frames and datagrams: there is no way to find the next one."""


class Kind(IntEnum):
    """What a record carries; the numbers go over the wire."""

    FRAME = 1
    "sent with ``send``"
    DATAGRAM = 2
    "sent with ``cast``"


_FRAME = Kind.FRAME << 24
_DATAGRAM = Kind.DATAGRAM << 24
_LENGTH = 0xFFFFFF


def frame_record(frame: bytes) -> bytes:
    """Return a frame as it goes over the stream.

    :raises LocalError: if it is longer than 65,600 octets.
    """
    return _HEADER.pack(_FRAME | _checked(len(frame))) + frame


def datagram_record(datagram: bytes) -> bytes:
    """Return a datagram as it goes over the stream.

    :raises LocalError: if it is longer than 65,600 octets.
    """
    return _HEADER.pack(_DATAGRAM | _checked(len(datagram))) + datagram


def _checked(length: int) -> int:
    if length > LARGEST_FRAME:
        raise LocalError(f"a frame or datagram of {length} octets is too long: the most is {LARGEST_FRAME}")
    return length


class RecordReader:
    """Takes a stream's octets in pieces of any size and gives back the frames and datagrams.

    A length above ``limit`` is refused as soon as its header is there, so that no more than ``limit`` octets of one
    frame are ever kept. ``limit`` may be changed at any time, and holds for what has not been given back yet.
    """

    def __init__(self, limit: int = LARGEST_FRAME, opener: RecordOpener | None = None) -> None:
        """Read records; with an ``opener``, each is followed by a MAC that it checks."""
        self.limit = limit
        "the most octets of a frame or datagram that is taken"
        self._opener = opener
        self._trailer = MAC_SIZE if opener is not None else 0
        self._buffer: bytes | bytearray = b""
        self._at = 0

    @property
    def waiting(self) -> int:
        """How many octets were received and not given back."""
        return len(self._buffer) - self._at

    def receive(self, data: bytes) -> None:
        """Take the next octets of the stream."""
        if not self.waiting:
            self._buffer, self._at = data, 0
            return
        if self._at or isinstance(self._buffer, bytes):
            self._buffer, self._at = bytearray(self._buffer[self._at :]), 0
        self._buffer += data  # a bytearray grows in place: a frame that comes octet by octet costs no more

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Give back each :class:`Kind` and body that is complete, one at a time.

        Whoever stops in the middle gets the rest by asking again.

        :raises BadStream: if a kind is unknown or a length above ``limit``; the stream is then of no more use.
        :raises Forged: if a MAC is not valid; nor is it then.
        """
        while self.waiting >= HEADER_SIZE:
            (word,) = _HEADER.unpack_from(self._buffer, self._at)
            kind, length = word >> 24, word & _LENGTH
            if kind not in (1, 2):
                raise BadStream(f"there is no record of kind {kind}")
            if length > self.limit:
                raise BadStream(f"a record of {length} octets is too long: the most now is {self.limit}")
            start, end = self._at + HEADER_SIZE, self._at + HEADER_SIZE + length
            if len(self._buffer) < end + self._trailer:
                return
            if self._opener is not None:
                mac = bytes(self._buffer[end : end + self._trailer])
                self._opener.check(bytes(self._buffer[self._at : end]), mac)
            self._at = end + self._trailer
            yield kind, bytes(self._buffer[start:end])
