"""The session of a peer: what is sent is numbered and kept until it has arrived, so that it survives a broken link.

Theory of operation. A session is known by two random numbers, one chosen by each side. Within it each side numbers its
counted frames from 1, in the order in which it sends them. A link loses nothing and keeps the order, so the receiver
need only know the last number that it took; now and then it says so (``Received``), and the sender forgets what it kept
up to there. When a link breaks, both sides say on the next one, within their hellos, what came last. The sender sends
the rest again, before anything new; the receiver drops what it has already. So each frame is taken once and in order,
whatever became of the links under it: payloads, their answers, and streams alike.

What waits to be sent waits without a number, in a queue for each priority. A frame is given its number when a link has
room for it, which is why something urgent overtakes what was queued before it.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import NamedTuple

from p2pship.errors import LocalError, RemoteError
from p2pship.overlay.wire import Ack, Frame, Payload, StreamData, StreamOpen

WINDOW_FRAMES = 1024
WINDOW_OCTETS = 1 << 20
"""Counted frames, and octets in them, that may be under way unconfirmed before payloads and streams wait: 10 MB/s with
0.1 s of round trip, and all that a broken link makes us send again."""

MAX_KEPT_FRAMES = 8 * WINDOW_FRAMES
"""Counted frames kept for a peer, unconfirmed or unsent: there are so many only if the other side asks much and neither
confirms nor reads the answers, which is abuse."""

MAX_KEPT_OCTETS = 8 * WINDOW_OCTETS
"Octets unconfirmed above which answers wait, too."

CONFIRM_FRAMES = 32
CONFIRM_OCTETS = 65_536
"After how many frames or octets we confirm at once: well within the other side's window."

_OVERHEAD = 64
"What a frame costs beside its body, roughly: thousands of empty ones are not free."


class BadSession(RemoteError):
    """The other side's numbers do not fit what was sent."""


class Priority(IntEnum):
    """What is sent first."""

    CONTROL = 0
    "answers, and what opens, ends and paces streams"
    SIP = 1
    PAYLOAD = 2
    STREAM = 3


class Numbered(NamedTuple):
    """A counted frame with its number."""

    number: int
    frame: Frame


def cost(frame: Frame) -> int:
    """Return the octets that a frame counts for in the limits."""
    if isinstance(frame, Payload):
        return _OVERHEAD + len(frame.body)
    if isinstance(frame, StreamData):
        return _OVERHEAD + len(frame.data)
    if isinstance(frame, Ack):
        return _OVERHEAD + len(frame.answer)
    if isinstance(frame, StreamOpen):
        return _OVERHEAD + len(frame.header)
    return _OVERHEAD


class Session:
    """One session with another node, from this side."""

    def __init__(self, own: int) -> None:
        self.own = own
        "our number for it"
        self.theirs = 0
        "the other side's number for it; 0 while none was heard"
        self.received = 0
        "the number of the last counted frame that came"
        self.queued_octets = 0
        "what waits to be sent for the first time"
        self._queues: tuple[deque[Frame], ...] = tuple(deque() for _ in Priority)
        self._sent = 0
        self._kept: deque[Numbered] = deque()
        self._kept_octets = 0
        self._again: deque[Numbered] = deque()
        self._unconfirmed_frames = 0
        self._unconfirmed_octets = 0

    @property
    def queued(self) -> int:
        """How many frames wait to be sent for the first time."""
        return sum(map(len, self._queues))

    @property
    def open(self) -> bool:
        """Whether payloads and streams may be sent now: nothing is to be sent again and the window is not full."""
        return not self._again and len(self._kept) < WINDOW_FRAMES and self._kept_octets < WINDOW_OCTETS

    def queue(self, priority: Priority, frame: Frame) -> None:
        """Let a counted frame wait for its turn."""
        self._queues[priority].append(frame)
        self.queued_octets += cost(frame)

    def withdraw(self, priority: Priority, frame: Frame) -> bool:
        """Take back a frame that still waits; False if it has been sent."""
        try:
            self._queues[priority].remove(frame)
        except ValueError:
            return False
        self.queued_octets -= cost(frame)
        return True

    def replace(self, frame: Frame, instead: Frame) -> None:
        """Send something else in place of a frame that was sent, should it have to be sent again."""
        for numbered in (*self._kept, *self._again):
            if numbered.frame is frame:
                new = Numbered(numbered.number, instead)
                _exchange(self._kept, numbered, new)
                _exchange(self._again, numbered, new)
                self._kept_octets += cost(instead) - cost(frame)
                return

    def pull(self, priority: Priority) -> Numbered | None:
        """Return the next frame of a priority to send now; what is to be sent again comes first, whatever it is.

        :raises BadSession: if the other side does not confirm what it gets.
        """
        if self._again:
            return self._again.popleft()
        queue = self._queues[priority]
        if (
            not queue
            or self._kept_octets >= MAX_KEPT_OCTETS
            or (priority >= Priority.PAYLOAD and not self.open)
        ):
            return None
        frame = queue.popleft()
        self.queued_octets -= cost(frame)
        return self.number(frame)

    def number(self, frame: Frame) -> Numbered:
        """Give a frame that is sent now its number, and keep it until it is confirmed.

        :raises BadSession: if the other side does not confirm what it gets.
        """
        if not frame.LAYOUT.counted:
            raise LocalError(f"a {type(frame).__name__} frame has no number")
        if len(self._kept) >= MAX_KEPT_FRAMES:
            raise BadSession("the other side does not confirm what it gets")
        self._sent += 1
        numbered = Numbered(self._sent, frame)
        self._kept.append(numbered)
        self._kept_octets += cost(frame)
        return numbered

    def arrived(self, number: int, frame: Frame) -> bool:
        """Note a counted frame; False if it came before and is to be dropped.

        :raises BadSession: if one is missing before it, or too much waits that earlier ones have caused.
        """
        if number <= self.received:
            return False
        if number != self.received + 1:
            raise BadSession(f"frame {number} came after frame {self.received}")
        if self.queued > MAX_KEPT_FRAMES:
            raise BadSession("the other side does not take what it asks for")
        self.received = number
        self._unconfirmed_frames += 1
        self._unconfirmed_octets += cost(frame)
        return True

    @property
    def waiting(self) -> bool:
        """Whether the other side has yet to say that something came: it does so soon after it has come."""
        return bool(self._kept)

    @property
    def confirmation_due(self) -> bool:
        """Whether to say at once what came."""
        return self._unconfirmed_frames >= CONFIRM_FRAMES or self._unconfirmed_octets >= CONFIRM_OCTETS

    def confirm(self) -> int:
        """Return what to say that came last."""
        self._unconfirmed_frames = self._unconfirmed_octets = 0
        return self.received

    def confirmed(self, number: int) -> None:
        """Forget what the other side says has come, up to this number.

        :raises BadSession: if that was never sent.
        """
        if number > self._sent:
            raise BadSession(f"it confirms frame {number}, and {self._sent} were sent")
        while self._kept and self._kept[0].number <= number:
            self._kept_octets -= cost(self._kept.popleft().frame)
        while self._again and self._again[0].number <= number:
            self._again.popleft()

    def resume(self, known: int, received: int) -> None:
        """Prepare for another link on which the other side said it knew us as ``known`` and had ``received``.

        :raises BadSession: if it lacks what it once confirmed, or has what was never sent.
        """
        last = received if known == self.own else 0
        if not self._sent - len(self._kept) <= last <= self._sent:
            raise BadSession(f"it says that frame {last} came last, which cannot be")
        self.confirmed(last)
        self._again = deque(self._kept)


def _exchange(frames: deque[Numbered], old: Numbered, new: Numbered) -> None:
    if old in frames:
        frames[frames.index(old)] = new
