"""Carries frames in order, each exactly once, over datagrams that may be lost, repeated, delayed or overtaken.

Theory of operation. The frames of one direction follow each other on a stream of octets, each behind its length. The stream
is cut into segments as large as the path carries *at that moment*, so that what was lost can be cut again when the path
carries less than before. Two counts keep the halves simple:

- An octet's **offset** in the stream says where it belongs. The receiver keeps what came too early as ranges of offsets, and each
  acknowledgement says all of it: the offset before which nothing is missing, and the ranges beyond. A lost acknowledgement
  therefore does not matter, and what the receiver remembers is bounded by its window and by 64 ranges.
- A **transmission's number** is never used twice, also not for the same octets. Acknowledgements name the highest that came. So
  a round trip can be measured on every one of them (Karn's ambiguity, RFC 6298 §3, cannot arise), and what was sent
  *before* something that has arrived can be judged, retransmissions included: it is lost when three later ones have
  arrived (RFC 5681 §3.2), or one has and 9/8 of a round trip have passed (RFC 9002 §6.1, RFC 8985).

When nothing comes back for two round trips, the newest segment is sent again, once: its acknowledgement shows what else was lost, so
a lost tail costs little, however long it is (RFC 8985 §7). When nothing comes for a retransmission timeout (RFC 6298) after that, the
two oldest segments are sent again and the timeout doubles.

How much may be on its way follows :mod:`p2pship.bearer.congestion`, how large a datagram may be :mod:`p2pship.bearer.pathmtu`. A receiver's
window is small until it is *released*, which is when somebody has use for the link's frames, and after that never closes, because
frames are given back at once. Somebody who is told nothing new asks again by a segment without octets, which is how a lost opening
of the window is found out.

Acknowledgements are not delayed: whoever carries segments asks for what is outgoing after each batch that came, so one
acknowledgement answers the batch.

A machine without I/O: segments and the time are handed in, ``due`` says when the time alone matters.
"""

from __future__ import annotations

from collections.abc import Iterator

from p2pship.bearer.arqreceiver import ArqReceiver
from p2pship.bearer.arqsender import ArqSender
from p2pship.bearer.arqwire import (
    HIGHEST_NUMBER,
    PROBE_HEADER,
    Ack,
    Data,
    Probe,
    Probed,
    parse,
    probe_segment,
    probed_segment,
)
from p2pship.bearer.pathmtu import PathMTU
from p2pship.bearer.sendqueue import WINDOW as SEND_WINDOW

GIVE_UP = 30.0
"Seconds without an answer until the other side counts as gone: as long as TCP is given by the other bearers (RFC 5482)."

SPARE_NUMBERS = 65_536
"Transmission numbers before the last at which the link counts as used up."


class ARQ:
    """One end of a reliable channel of frames."""

    def __init__(self, mtu: PathMTU) -> None:
        """Begin; whoever sends datagrams past this machine shares what is known of the path in ``mtu``."""
        self._mtu = mtu
        self._sender = ArqSender(mtu)
        self._receiver = ArqReceiver()
        self._probed: int | None = None

    @property
    def limit(self) -> int:
        """The most octets of a frame that is taken; it may be changed at any time."""
        return self._receiver.limit

    @limit.setter
    def limit(self, octets: int) -> None:
        self._receiver.limit = octets

    @property
    def waiting(self) -> int:
        """Octets of frames that were never sent."""
        return self._sender.waiting

    @property
    def writable(self) -> bool:
        """Whether another frame should be sent now: what waits here can no longer be overtaken."""
        return self._sender.waiting < SEND_WINDOW

    @property
    def done(self) -> bool:
        """Whether everything that was sent has arrived."""
        return self._sender.done

    @property
    def ended(self) -> bool:
        """Whether the other side has sent its last frame, and it was given back."""
        return self._receiver.ended

    @property
    def resent(self) -> int:
        """How many segments were sent again."""
        return self._sender.resent

    @property
    def repeated(self) -> int:
        """How many segments came that brought nothing new."""
        return self._receiver.repeated

    @property
    def kept(self) -> int:
        """Octets that came and were not given back."""
        return self._receiver.kept

    @property
    def round_trip(self) -> float | None:
        """Seconds there and back, as measured; None before anything was."""
        return self._sender.round_trip.smoothed

    def measured(self, round_trip: float) -> None:
        """Hear how many seconds a way there and back took before the first segment, so that its loss is noticed sooner."""
        self._sender.round_trip.measured(round_trip)

    def release(self) -> None:
        """Let the other side send more than the first few octets: frames are given back at once from now on."""
        self._receiver.release()

    def send(self, frame: bytes) -> None:
        """Send a frame.

        :raises LocalError: if it is longer than 65,600 octets.
        """
        self._sender.add(frame)

    def end(self) -> None:
        """Say that no more frames follow; ``done`` is true when the other side knows."""
        self._sender.end()

    def received(self, segment: bytes, now: float) -> None:
        """Take a segment; ask for :meth:`frames` afterwards, and for what is :meth:`outgoing` after a batch of them.

        :raises BadSegment: if it is none, or none that the other side may send; nothing has changed then.
        """
        taken = parse(segment)
        match taken:
            case Data():
                self._receiver.received(taken)
            case Ack():
                self._sender.acked(taken, now)
            case Probe():
                self._probed = taken.number
            case Probed():
                self._mtu.probed(taken.number, now)

    def frames(self) -> Iterator[bytes]:
        """Give back the frames that are complete, one at a time; whoever stops in the middle may ask again.

        :raises FrameTooLong: if one is longer than ``limit``; the channel is then of no more use.
        """
        return self._receiver.frames()

    def outgoing(self, now: float) -> list[bytes]:
        """Return the segments that should be sent now; each fits the path."""
        segments = [self._receiver.ack()] if self._receiver.ack_due else []
        if self._probed is not None:
            segments.append(probed_segment(self._probed))
            self._probed = None
        segments.extend(self._sender.outgoing(now))
        probe = self._mtu.probe(now)
        if probe is not None:
            number, room = probe
            segments.append(probe_segment(number, max(PROBE_HEADER, room)))
        return segments

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` should be called; None if time alone changes nothing."""
        times = [time for time in (self._sender.due(), self._mtu.due()) if time is not None]
        return min(times) if times else None

    def timer_fired(self, now: float) -> None:
        """Do what is due; there may be something :meth:`outgoing` afterwards."""
        self._sender.timer_fired(now)

    def given_up(self, now: float) -> str | None:
        """Return why the channel is of no more use, in words for people; None while it is."""
        if self._sender.waits_since is not None and now - self._sender.waits_since >= GIVE_UP:
            return f"nothing was acknowledged for {GIVE_UP:.0f} s"
        if self._sender.next_number > HIGHEST_NUMBER - SPARE_NUMBERS:
            return "its numbers are used up"
        return None
