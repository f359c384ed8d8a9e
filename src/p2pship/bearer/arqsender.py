"""The sending half of :mod:`p2pship.bearer.arq`: frames become segments, which are sent until they are acknowledged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from p2pship.bearer.arqreceiver import END_RECORD, FIRST_WINDOW, frame_record
from p2pship.bearer.arqwire import DATA_HEADER, Ack, BadSegment, data_segment
from p2pship.bearer.congestion import CongestionWindow
from p2pship.bearer.framing import LARGEST_FRAME
from p2pship.bearer.pathmtu import PathMTU
from p2pship.bearer.rto import RoundTrip
from p2pship.errors import LocalError

OVERTAKEN = 3
"Later transmissions that have arrived when one counts as lost (kPacketThreshold of RFC 9002 §6.1.1; RFC 5681 §3.2)."

PROBES = 2
"Segments sent when nothing comes back: two, so that one loss does not cost another timeout (RFC 9002 §6.2.4)."

STARVED = 2
"Timeouts in a row after which the path counts as stuffed rather than a tail as lost (RFC 9002 §7.6 waits three)."


class _Chunk:
    """Octets of the stream that are not acknowledged, and their last transmission."""

    __slots__ = ("end", "flying", "number", "octets", "offset", "sent_at")

    def __init__(self, offset: int, octets: bytes) -> None:
        self.offset = offset
        self.octets = octets
        self.end = offset + len(octets)
        self.number = 0
        self.sent_at = 0.0
        self.flying = False  # neither lost nor acknowledged, as far as we know


class _Probe(NamedTuple):
    """The tail was sent again, because nothing came back for a while (RFC 8985 §7)."""

    offset: int
    repeats: int
    "the number of its transmission before"
    number: int

    def brought(self, chunk: _Chunk, newest: int) -> bool:
        """Tell whether what arrived was lost before: then it counts as such (RFC 8985 §7.4)."""
        return chunk.offset == self.offset and newest >= self.number


class ArqSender:
    """Takes frames and gives back segments."""

    def __init__(self, mtu: PathMTU) -> None:
        self.next_number = 1
        "the number of the next transmission"
        self.waiting = 0
        "octets of the stream that were never sent"
        self.resent = 0
        "segments whose octets had been sent before"
        self.waits_since: float | None = None
        "since when something is to come back and nothing did; None when nothing is to"
        self.round_trip = RoundTrip()
        self._mtu = mtu
        self._window = CongestionWindow(mtu.base_room)
        self._records: list[bytes] = []
        self._at = 0  # where in the first record the next octet is
        self._next_offset = 0
        self._limit = FIRST_WINDOW
        self._chunks: dict[int, _Chunk] = {}  # by offset
        self._lost: list[_Chunk] = []
        self._forced: list[
            _Chunk | None
        ] = []  # what leaves whatever the window; None asks for an acknowledgement
        self._flying = 0
        self._full = False
        self._newest = 0
        self._sent_at: dict[int, float] = {}  # transmissions later than the newest that arrived
        self._timer_from = 0.0
        self._probe: _Probe | None = None
        self._late_at: float | None = None

    def add(self, frame: bytes) -> None:
        """Queue a frame.

        :raises LocalError: if it is longer than 65,600 octets.
        """
        if len(frame) > LARGEST_FRAME:
            raise LocalError(f"a frame of {len(frame)} octets is too long: the most is {LARGEST_FRAME}")
        self._queue(frame_record(frame))

    def end(self) -> None:
        """Say after the last frame that no more follow."""
        self._queue(END_RECORD)

    def _queue(self, record: bytes) -> None:
        self._records.append(record)
        self.waiting += len(record)

    @property
    def done(self) -> bool:
        """Whether everything that was queued has arrived."""
        return not self.waiting and not self._chunks

    # what comes back

    def acked(self, ack: Ack, now: float) -> None:
        """Take an acknowledgement.

        :raises BadSegment: if it is of something that was never sent.
        """
        last = ack.ranges[-1][1] if ack.ranges else ack.taken
        if ack.newest >= self.next_number or last > self._next_offset:
            raise BadSegment("an acknowledgement is of something that was never sent")
        self._limit = max(self._limit, ack.limit)
        later = ack.newest > self._newest
        if later:
            self._measure(ack.newest, now)
        starts = [start for start, _end in ack.ranges]
        arrived = [chunk for chunk in self._chunks.values() if _has(ack, starts, chunk)]
        for chunk in arrived:
            self._arrived(chunk)
        self._tell_path(arrived, self._find_lost(now), now)
        if later or arrived:
            self._timer_from, self._probe = now, None
            self.waits_since = None if self.done else now

    def _measure(self, newest: int, now: float) -> None:
        """Time the newest transmission that has arrived: each has its own number, so it was sent once (RFC 6298 §3)."""
        self._newest = newest
        self.round_trip.measured(max(0.0, now - self._sent_at.get(newest, now)))
        for number in tuple(self._sent_at):
            if number > newest:
                break
            del self._sent_at[number]

    def _arrived(self, chunk: _Chunk) -> None:
        del self._chunks[chunk.offset]
        size = len(chunk.octets)
        if self._probe is not None and self._probe.brought(chunk, self._newest):
            self._window.lost(self._probe.repeats, self.next_number)
        self._window.acked(size, chunk.number, self._full)
        if chunk.flying:
            chunk.flying = False
            self._flying -= size

    def _find_lost(self, now: float) -> list[_Chunk]:
        """Find what was overtaken, by number or by time (RFC 9002 §6.1, in the manner of RFC 8985)."""
        lateness = self.round_trip.lateness
        self._late_at = None
        lost = []
        for chunk in tuple(self._chunks.values()):
            if not chunk.flying or chunk.number >= self._newest:
                continue
            late_at = chunk.sent_at + lateness
            if self._newest - chunk.number >= OVERTAKEN or late_at <= now:
                self._lose(chunk)
                lost.append(chunk)
            elif self._late_at is None or late_at < self._late_at:
                self._late_at = late_at
        return lost

    def _lose(self, chunk: _Chunk) -> None:
        chunk.flying = False
        self._flying -= len(chunk.octets)
        self._lost.append(chunk)
        self._window.lost(chunk.number, self.next_number)

    def _tell_path(self, arrived: list[_Chunk], lost: list[_Chunk], now: float) -> None:
        """Say which sizes have passed and which have not, in the order of sending: what counts is whether any passed in between."""
        for chunk in sorted((*arrived, *lost), key=attrgetter("number")):
            size = len(chunk.octets) + DATA_HEADER
            if chunk.offset in self._chunks:
                self._mtu.lost(size, now)
            else:
                self._mtu.arrived(size)

    # what leaves

    def outgoing(self, now: float) -> Iterator[bytes]:
        """Give back the segments that may be sent now."""
        forced, self._forced = self._forced, []
        for chunk in forced:
            if chunk is None:
                yield self._transmit(self._next_offset, b"", now)
            elif self._chunks.get(chunk.offset) is chunk:
                yield from self._resend(chunk, now)
        while self._lost and self._flying < self._window.octets:
            chunk = self._lost.pop(0)
            if not chunk.flying and self._chunks.get(chunk.offset) is chunk:
                yield from self._resend(chunk, now)
        while self._may_send:
            yield self._send(self._cut(now), now)
        self._full = self._flying >= self._window.octets
        if self.waits_since is None and not self.done:
            self.waits_since = self._timer_from = now

    @property
    def _may_send(self) -> bool:
        return bool(
            self.waiting
            and not self._lost
            and self._next_offset < self._limit
            and self._flying < self._window.octets
        )

    def _cut(self, now: float) -> _Chunk:
        """Take the next octets of the stream, as many as fit a datagram and the other side takes."""
        room = self._mtu.room - DATA_HEADER
        if self.waiting > room:
            self._mtu.wanted(now)
        left = size = min(room, self.waiting, self._limit - self._next_offset)
        parts: list[bytes] = []
        taken = 0
        while left:
            record = self._records[taken]
            part = record[self._at : self._at + left]
            parts.append(part)
            left -= len(part)
            self._at += len(part)
            if self._at == len(record):
                taken += 1
                self._at = 0
        del self._records[:taken]
        self.waiting -= size
        chunk = _Chunk(self._next_offset, b"".join(parts))
        self._next_offset += size
        return chunk

    def _resend(self, chunk: _Chunk, now: float) -> Iterator[bytes]:
        """Send a chunk again, in pieces if the path carries less than it did."""
        self.resent += 1
        room = self._mtu.room - DATA_HEADER
        if len(chunk.octets) <= room:
            yield self._send(chunk, now)
            return
        if chunk.flying:
            self._flying -= len(chunk.octets)
        for at in range(0, len(chunk.octets), room):
            yield self._send(_Chunk(chunk.offset + at, chunk.octets[at : at + room]), now)

    def _send(self, chunk: _Chunk, now: float) -> bytes:
        if not chunk.flying:
            chunk.flying = True
            self._flying += len(chunk.octets)
        self._chunks[chunk.offset] = chunk
        chunk.number, chunk.sent_at = self.next_number, now
        return self._transmit(chunk.offset, chunk.octets, now)

    def _transmit(self, offset: int, octets: bytes, now: float) -> bytes:
        number, self.next_number = self.next_number, self.next_number + 1
        self._sent_at[number] = self._timer_from = now
        return data_segment(number, offset, octets)

    # time

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` wants to be called; None when nothing is to come back."""
        if self.waits_since is None:
            return None
        if self._late_at is not None:
            return self._late_at
        return self._timer_from + (self.round_trip.probe if self._may_probe else self.round_trip.timeout)

    @property
    def _may_probe(self) -> bool:
        """Whether the tail may be sent again before the timeout: once, until something new is acknowledged (RFC 8985 §7.3)."""
        return bool(self._chunks) and self._probe is None and not self.round_trip.doublings

    def timer_fired(self, now: float) -> None:
        """Do what is due; :meth:`outgoing` has something afterwards."""
        due = self.due()
        if due is None or now < due:
            return
        if self._late_at is not None:
            self._tell_path([], self._find_lost(now), now)
            return
        if self._may_probe:
            tail = max(self._chunks.values(), key=attrgetter("number"))
            self._probe, self._forced = _Probe(tail.offset, tail.number, self.next_number), [tail]
            return
        self.round_trip.expired()
        if self.round_trip.doublings == STARVED:
            self._window.starved(self.next_number)
        oldest = sorted(self._chunks)[:PROBES]
        self._forced = [self._chunks[offset] for offset in oldest] or [None]
        self._timer_from = now
        for offset in oldest:
            self._mtu.lost(len(self._chunks[offset].octets) + DATA_HEADER, now)


def _has(ack: Ack, starts: list[int], chunk: _Chunk) -> bool:
    """Tell whether all of a chunk has arrived; ``starts`` are those of the ranges."""
    if chunk.end <= ack.taken:
        return True
    at = bisect_right(starts, chunk.offset) - 1
    return at >= 0 and chunk.end <= ack.ranges[at][1]
