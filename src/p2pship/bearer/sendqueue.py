"""What waits to leave on a byte stream: frames, which all go, and datagrams, of which only the newest do.

Theory of operation: a stream that is slower than what is put on it makes a queue somewhere. In the transport or the
kernel it would grow without our seeing it, and every media packet behind it would be late. So the link hands its
transport one turn at a time (:meth:`SendQueue.take`) and takes the next turn when that has left, and the queue is here:
datagrams overtake frames, and those that wait too long are dropped, oldest first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from p2pship.bearer.framing import datagram_record, frame_record

WINDOW = 32_768
"Octets of frames that may wait before the link asks for no more: what is here can no longer be overtaken."

MOST_WAITING = 4_194_304
"""Octets of frames that may wait at all. Answers are queued even when the link asks for no more, so somebody who asks
much and reads nothing would fill our memory."""

TURN = 16_384
"""Octets of frames in one turn, to which the last frame may add its length: one TLS record (RFC 8446 §5.1), so that a
datagram waits for little here."""

MOST_DATAGRAMS = 128
"Datagrams that may wait: 0.2 s of twelve voice calls with 50 packets a second."

MOST_DATAGRAM_OCTETS = 131_072
"Octets of datagrams that may wait: 0.2 s of 5 Mbit/s video."

OLDEST_DATAGRAM = 0.2
"Seconds that a datagram may wait: jitter buffers have given up on it by then."


class SendQueue:
    """Frames and datagrams in the order in which they should leave. ``dropped`` is called for each datagram lost."""

    def __init__(self, dropped: Callable[[], None]) -> None:
        self._dropped = dropped
        self._frames: deque[bytes] = deque()
        self._datagrams: deque[tuple[float, bytes]] = deque()
        self._datagram_octets = 0
        self.waiting = 0
        "octets of the frames that wait"

    def add_frame(self, frame: bytes) -> None:
        """Queue a frame.

        :raises LocalError: if it is longer than 65,600 octets.
        """
        record = frame_record(frame)
        self._frames.append(record)
        self.waiting += len(record)

    def add_datagram(self, datagram: bytes, now: float) -> None:
        """Queue a datagram, and drop the oldest ones if there are now too many.

        :raises LocalError: if it is longer than 65,600 octets.
        """
        record = datagram_record(datagram)
        self._datagrams.append((now, record))
        self._datagram_octets += len(record)
        self._drop_late(now)
        while len(self._datagrams) > MOST_DATAGRAMS or self._datagram_octets > MOST_DATAGRAM_OCTETS:
            self._drop()

    def take(self, now: float) -> list[bytes]:
        """Return the records that leave next: all datagrams that are not late, then frames; empty when nothing waits."""
        self._drop_late(now)
        turn = [record for _added, record in self._datagrams]
        self._datagrams.clear()
        self._datagram_octets = 0
        octets = 0
        while self._frames and octets < TURN:
            turn.append(self._frames.popleft())
            octets += len(turn[-1])
        self.waiting -= octets
        return turn

    def _drop_late(self, now: float) -> None:
        while self._datagrams and now - self._datagrams[0][0] > OLDEST_DATAGRAM:
            self._drop()

    def _drop(self) -> None:
        self._datagram_octets -= len(self._datagrams.popleft()[1])
        self._dropped()
