"""The segments in which :mod:`p2pship.bearer.arq` carries a byte stream over datagrams.

The page ``docs/reference/arq.md`` draws them. Nothing here authenticates: whoever carries a segment protects it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from p2pship.errors import RemoteError

MOST_RANGES = 64
"""Ranges in one acknowledgement: 512 octets, so that it fits the smallest datagram whatever the path. A receiver keeps no more
ranges than it can report."""

HIGHEST_NUMBER = 0xFFFF_FFFF
"The last transmission number: 5 terabytes later. A link that has used it up ends, and is dialled again."

_DATA = struct.Struct(">BIQ")
_ACK = struct.Struct(">BIQQB")
_RANGE = struct.Struct(">II")
_PROBE = struct.Struct(">BI")

DATA_HEADER = _DATA.size
"Octets before the data of a segment."

PROBE_HEADER = _PROBE.size
"Octets before the padding of a probe."


class BadSegment(RemoteError):
    """What came is not a segment that the other side may send."""


class Kind(IntEnum):
    """What a segment is; the numbers go over the wire."""

    DATA = 1
    "octets of the stream; without any it asks for an acknowledgement only"
    ACK = 2
    "what has come, and how much more may"
    PROBE = 3
    "a segment padded to the size that is tried"
    PROBED = 4
    "the answer to a probe"


@dataclass(frozen=True, slots=True)
class Data:
    """Octets of the stream."""

    number: int
    "which transmission it is: no two have the same number, also when they carry the same octets"
    offset: int
    "where in the stream the octets begin"
    octets: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """All that a receiver has; each acknowledgement says the whole of it, so that a lost one does not matter."""

    newest: int
    "the highest transmission number that has come"
    taken: int
    "every octet of the stream before this offset has come"
    limit: int
    "the offset up to which octets are taken"
    ranges: tuple[tuple[int, int], ...] = ()
    "what has come beyond ``taken``: the offsets of the first octet and of the one after the last, ascending"


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks whether a datagram of this size arrives."""

    number: int


@dataclass(frozen=True, slots=True)
class Probed:
    """Says that the probe of this number has arrived."""

    number: int


Segment = Data | Ack | Probe | Probed


def data_segment(number: int, offset: int, octets: bytes) -> bytes:
    """Return a segment with octets of the stream."""
    return _DATA.pack(Kind.DATA, number, offset) + octets


def ack_segment(ack: Ack) -> bytes:
    """Return an acknowledgement."""
    head = _ACK.pack(Kind.ACK, ack.newest, ack.taken, ack.limit, len(ack.ranges))
    return head + b"".join(_RANGE.pack(start - ack.taken, end - ack.taken) for start, end in ack.ranges)


def probe_segment(number: int, size: int) -> bytes:
    """Return a probe of ``size`` octets in all."""
    return _PROBE.pack(Kind.PROBE, number).ljust(size, b"\0")


def probed_segment(number: int) -> bytes:
    """Return the answer to a probe."""
    return _PROBE.pack(Kind.PROBED, number)


def parse(segment: bytes) -> Segment:
    """Read a segment.

    :raises BadSegment: if it is none.
    """
    kind = segment[0] if segment else None
    try:
        if kind == Kind.DATA:
            _kind, number, offset = _DATA.unpack_from(segment)
            return Data(number, offset, segment[DATA_HEADER:])
        if kind == Kind.ACK:
            return _parse_ack(segment)
        if kind == Kind.PROBE:
            return Probe(_PROBE.unpack_from(segment)[1])
        if kind == Kind.PROBED:
            return Probed(_PROBE.unpack(segment)[1])
    except struct.error:
        raise BadSegment(f"a segment of kind {kind} and {len(segment)} octets has another length") from None
    raise BadSegment(f"there is no segment of kind {kind}")


def _parse_ack(segment: bytes) -> Ack:
    _kind, newest, taken, limit, count = _ACK.unpack_from(segment)
    if count > MOST_RANGES or len(segment) != _ACK.size + count * _RANGE.size:
        raise BadSegment(f"an acknowledgement of {len(segment)} octets does not hold {count} ranges")
    if limit < taken:
        raise BadSegment("an acknowledgement takes back what it allowed")
    ranges = tuple((taken + start, taken + end) for start, end in _RANGE.iter_unpack(segment[_ACK.size :]))
    at = taken
    for start, end in ranges:  # a gap before each: else they were one range
        if not at < start < end:
            raise BadSegment("the ranges of an acknowledgement do not ascend")
        at = end
    return Ack(newest, taken, limit, ranges)
