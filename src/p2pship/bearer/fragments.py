"""Datagrams that are larger than the path carries, in parts.

Media is cast in single datagrams. One that does not fit would never arrive, so it travels in as many parts as it needs, which
are put together again; if one of them is lost, all of it is, as with fragments of IP.
"""

from __future__ import annotations

import struct

from p2pship.bearer.framing import LARGEST_FRAME
from p2pship.errors import RemoteError

MOST_PARTS = 64
"Parts of one datagram: 65,600 octets in parts that every path carries."

LARGEST_PART = 1500
"Octets of a part with its header: nobody needs larger ones, and 64 of them are what one datagram may make us keep."

MOST_UNFINISHED = 8
"Datagrams that wait for parts: what is overtaken by eight others has lost one. All together hold 0.8 MB at worst."

_AHEAD = 0x8000
"Numbers come round; what seems to be so far back or more was sent later."

_HEADER = struct.Struct(">HBB")

HEADER_SIZE = _HEADER.size
"Octets before each part."


class BadPart(RemoteError):
    """What came is no part of a datagram."""


class Cutter:
    """Cuts datagrams into parts."""

    def __init__(self) -> None:
        self._number = 0

    def cut(self, datagram: bytes, room: int) -> list[bytes]:
        """Return the parts of a datagram, none longer than ``room``, in as few and as even pieces as possible."""
        self._number = (self._number + 1) & 0xFFFF
        count = -(-len(datagram) // (room - HEADER_SIZE))
        step = -(-len(datagram) // count)
        return [
            _HEADER.pack(self._number, index, count) + datagram[index * step : (index + 1) * step]
            for index in range(count)
        ]


class Parts:
    """Puts parts together."""

    def __init__(self) -> None:
        self.lost = 0
        "datagrams of which a part never came"
        self._unfinished: dict[int, list[bytes | None]] = {}

    def add(self, part: bytes) -> bytes | None:
        """Take a part, and return the datagram that it completes, if it does.

        :raises BadPart: if it is none, or does not go with those of the same number.
        """
        if not HEADER_SIZE < len(part) <= LARGEST_PART:
            raise BadPart(f"a part of a datagram has {len(part)} octets")
        number, index, count = _HEADER.unpack_from(part)
        if not index < count <= MOST_PARTS:
            raise BadPart(f"there is no part {index} of {count}")
        pieces = self._unfinished.setdefault(number, [None] * count)
        if len(pieces) != count:
            raise BadPart("two parts differ in how many there are")
        pieces[index] = part[HEADER_SIZE:]
        self._forget_old(number)
        whole = [piece for piece in pieces if piece is not None]
        if len(whole) < count:
            return None
        del self._unfinished[number]
        return _checked(b"".join(whole))

    def _forget_old(self, number: int) -> None:
        """Forget those eight numbers back, lest one mixes with what has its number when that comes round again."""
        old = [other for other in self._unfinished if MOST_UNFINISHED <= (number - other) & 0xFFFF < _AHEAD]
        if not old and len(self._unfinished) > MOST_UNFINISHED:
            old = [next(iter(self._unfinished))]
        for other in old:
            del self._unfinished[other]
            self.lost += 1


def _checked(datagram: bytes) -> bytes:
    if len(datagram) > LARGEST_FRAME:
        raise BadPart(f"a datagram of {len(datagram)} octets is too long")
    return datagram
