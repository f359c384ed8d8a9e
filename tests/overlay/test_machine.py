"""Tests for :mod:`p2pship.overlay.machine`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.overlay.machine import (
    CONFIRM_FRAMES,
    CONFIRM_OCTETS,
    MAX_KEPT_FRAMES,
    MAX_KEPT_OCTETS,
    WINDOW_FRAMES,
    WINDOW_OCTETS,
    BadSession,
    Numbered,
    Priority,
    Session,
)
from p2pship.overlay.wire import Ack, Payload, Ping, StreamData


def payload(id: int = 1, size: int = 0) -> Payload:
    """Return a payload."""
    return Payload(0, id, bytes(size))


class SendingTests(SynchronousTestCase):
    """What is sent, in which order, and for how long it is kept."""

    def setUp(self) -> None:
        self.session = Session(1)

    def pull_all(self) -> list[Numbered]:
        """Pull as a link does: by priority."""
        pulled: list[Numbered] = []
        while True:
            frame = next(filter(None, (self.session.pull(priority) for priority in Priority)), None)
            if frame is None:
                return pulled
            pulled.append(frame)

    def test_order(self) -> None:
        """Control goes before SIP, and SIP before other payloads, whatever was queued first; numbers follow."""
        frames = [payload(1), payload(2), Ack(1, b"")]
        for priority, frame in zip((Priority.PAYLOAD, Priority.SIP, Priority.CONTROL), frames, strict=True):
            self.session.queue(priority, frame)
        self.assertEqual(
            self.pull_all(), [Numbered(1, frames[2]), Numbered(2, frames[1]), Numbered(3, frames[0])]
        )

    def test_resume(self) -> None:
        """What did not arrive is sent again, in order, before anything new."""
        for id in range(1, 5):
            self.session.queue(Priority.PAYLOAD, payload(id))
        sent = self.pull_all()
        self.session.queue(Priority.CONTROL, Ack(9, b""))
        self.session.resume(1, 2)
        self.assertEqual(self.pull_all(), [*sent[2:], Numbered(5, Ack(9, b""))])

    def test_resume_unknown(self) -> None:
        """A side that does not know us yet has received nothing."""
        self.session.queue(Priority.PAYLOAD, payload())
        sent = self.pull_all()
        self.session.resume(0, 0)
        self.assertEqual(self.pull_all(), sent)

    def test_resume_impossible(self) -> None:
        """Nobody has more than was sent, or less than they confirmed."""
        for id in (1, 2):
            self.session.queue(Priority.PAYLOAD, payload(id))
        self.pull_all()
        self.session.confirmed(1)
        for known, received in ((1, 0), (1, 3), (5, 0)):
            self.assertRaises(BadSession, self.session.resume, known, received)

    def test_replaced(self) -> None:
        """Something else is sent again in the place of what was given up, under the same number."""
        given_up = payload(2, 100)
        for frame in (payload(1), given_up, payload(3)):
            self.session.queue(Priority.PAYLOAD, frame)
        sent = self.pull_all()
        self.session.replace(given_up, payload(9))
        self.session.replace(payload(7), payload(8))
        self.session.resume(1, 0)
        self.assertEqual(self.pull_all(), [sent[0], Numbered(2, payload(9)), sent[2]])
        self.session.confirmed(3)
        self.assertFalse(self.session.waiting)
        self.assertTrue(self.session.open)

    def test_waiting(self) -> None:
        """Something is waited for from when it is sent until the other side says that it came."""
        self.session.queue(Priority.PAYLOAD, payload())
        self.assertFalse(self.session.waiting)
        self.pull_all()
        self.assertTrue(self.session.waiting)
        self.session.confirmed(1)
        self.assertFalse(self.session.waiting)

    def test_confirmed_while_resending(self) -> None:
        """What is confirmed meanwhile is not sent again."""
        for id in (1, 2, 3):
            self.session.queue(Priority.PAYLOAD, payload(id))
        sent = self.pull_all()
        self.session.resume(1, 0)
        self.session.confirmed(2)
        self.assertEqual(self.pull_all(), sent[2:])

    def test_confirms_unsent(self) -> None:
        """Nobody can confirm what was never sent."""
        self.assertRaises(BadSession, self.session.confirmed, 1)

    def test_window_of_frames(self) -> None:
        """Payloads wait when too many frames are unconfirmed; answers and SIP do not."""
        for id in range(WINDOW_FRAMES + 1):
            self.session.queue(Priority.PAYLOAD, payload(id))
        self.assertEqual(len(self.pull_all()), WINDOW_FRAMES)
        self.assertFalse(self.session.open)
        self.session.queue(Priority.SIP, payload(0))
        self.session.queue(Priority.CONTROL, Ack(1, b""))
        self.assertEqual(len(self.pull_all()), 2)
        self.session.confirmed(3)
        self.assertEqual(len(self.pull_all()), 1)

    def test_window_of_octets(self) -> None:
        """Payloads wait when too many octets are unconfirmed."""
        for id in range(20):
            self.session.queue(Priority.PAYLOAD, payload(id, WINDOW_OCTETS // 8))
        self.assertEqual(len(self.pull_all()), 8)
        self.session.confirmed(8)
        self.assertEqual(len(self.pull_all()), 8)

    def test_confirms_nothing(self) -> None:
        """A side that asks much and confirms nothing cannot make us keep everything."""
        for _ in range(MAX_KEPT_FRAMES):
            self.session.number(Ack(1, b""))
        self.assertRaises(BadSession, self.session.number, Ack(1, b""))

    def test_large_answers(self) -> None:
        """Answers wait too when very much is unconfirmed."""
        for id in range(200):
            self.session.queue(Priority.CONTROL, Ack(id, bytes(65_536)))
        self.assertEqual(len(self.pull_all()), MAX_KEPT_OCTETS // 65_600 + 1)

    def test_withdraw(self) -> None:
        """What was not sent can be taken back, what was cannot."""
        for id in (1, 2):
            self.session.queue(Priority.PAYLOAD, payload(id, 100))
        self.session.pull(Priority.PAYLOAD)
        self.assertFalse(self.session.withdraw(Priority.PAYLOAD, payload(1, 100)))
        self.assertTrue(self.session.withdraw(Priority.PAYLOAD, payload(2, 100)))
        self.assertEqual((self.session.queued, self.session.queued_octets), (0, 0))

    def test_uncounted(self) -> None:
        """A frame that is not counted gets no number."""
        self.assertRaises(LocalError, self.session.number, Ping(1))


class ReceivingTests(SynchronousTestCase):
    """What is taken, and when that is said."""

    def setUp(self) -> None:
        self.session = Session(1)

    def test_once(self) -> None:
        """Each frame is taken once."""
        self.assertEqual(
            [self.session.arrived(number, payload()) for number in (1, 2, 1, 2, 3)], [1, 1, 0, 0, 1]
        )

    def test_gap(self) -> None:
        """A frame that is missing cannot be: links lose nothing."""
        self.assertRaises(BadSession, self.session.arrived, 2, payload())

    def test_asks_too_much(self) -> None:
        """A side that asks and does not read the answers cannot make us queue them for ever."""
        for id in range(MAX_KEPT_FRAMES + 1):
            self.session.queue(Priority.CONTROL, Ack(id, b""))
        self.assertRaises(BadSession, self.session.arrived, 1, payload())

    def test_confirm_after_frames(self) -> None:
        """What came is said at once after some frames."""
        for number in range(1, CONFIRM_FRAMES + 1):
            self.assertFalse(self.session.confirmation_due)
            self.session.arrived(number, payload())
        self.assertTrue(self.session.confirmation_due)
        self.assertEqual(self.session.confirm(), CONFIRM_FRAMES)
        self.assertFalse(self.session.confirmation_due)

    def test_confirm_after_octets(self) -> None:
        """What came is said at once after some octets."""
        self.session.arrived(1, StreamData(1, bytes(CONFIRM_OCTETS)))
        self.assertTrue(self.session.confirmation_due)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Return what happens to a session: frames are sent, arrive, are confirmed, and links break."""
    return draw(
        st.lists(
            st.tuples(st.sampled_from(["queue", "send", "arrive", "confirm", "break"]), st.integers(0, 9))
        )
    )


class TwoSessionsTests(SynchronousTestCase):
    """Both ends."""

    @given(histories())
    def test_once_and_in_order(self, history: list[tuple[str, int]]) -> None:
        """Whatever happens, each frame is taken once, and in order."""
        sender, receiver = Session(1), Session(2)
        way: list[Numbered] = []
        taken: list[int] = []
        queued = 0

        def arrive(count: int) -> None:
            for numbered in way[:count]:
                if receiver.arrived(*numbered):
                    assert isinstance(numbered.frame, Payload)
                    taken.append(numbered.frame.id)
            del way[:count]

        def send(count: int) -> None:
            for _ in range(count):
                numbered = sender.pull(Priority.PAYLOAD)
                if numbered is not None:
                    way.append(numbered)

        for what, count in [*history, ("break", 0), ("send", 1000), ("arrive", 1000)]:
            if what == "queue":
                for _ in range(count):
                    queued += 1
                    sender.queue(Priority.PAYLOAD, payload(queued))
            elif what == "send":
                send(count)
            elif what == "arrive":
                arrive(count)
            elif what == "confirm":
                sender.confirmed(receiver.confirm())
            else:
                way.clear()
                sender.resume(sender.own, receiver.received)
        self.assertEqual(taken, list(range(1, queued + 1)))
