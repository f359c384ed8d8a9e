"""Tests for p2pship.bearer.sendqueue."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.framing import datagram_record, frame_record
from p2pship.bearer.sendqueue import (
    MOST_DATAGRAM_OCTETS,
    MOST_DATAGRAMS,
    OLDEST_DATAGRAM,
    TURN,
    SendQueue,
)
from p2pship.errors import LocalError


class SendQueueTests(TestCase):
    """What leaves, in which order, and what never does."""

    def setUp(self) -> None:
        self.drops: list[None] = []
        self.queue = SendQueue(dropped=lambda: self.drops.append(None))

    def take(self, now: float) -> bytes:
        """Return what leaves in one turn, as one piece."""
        return b"".join(self.queue.take(now))

    def test_empty(self) -> None:
        """Nothing leaves when nothing waits."""
        self.assertEqual((self.take(0.0), self.queue.waiting), (b"", 0))

    def test_datagrams_first(self) -> None:
        """Datagrams overtake frames; each kind keeps its order."""
        for name in (b"a", b"b"):
            self.queue.add_frame(name)
            self.queue.add_datagram(name, 0.0)
        wanted = datagram_record(b"a") + datagram_record(b"b") + frame_record(b"a") + frame_record(b"b")
        self.assertEqual((self.take(0.0), self.queue.waiting), (wanted, 0))

    def test_turns(self) -> None:
        """A turn takes frames up to one TLS record, and the frame that passes it whole; datagrams come in between."""
        for number in range(3):
            self.queue.add_frame(bytes([number]) * (TURN - 4))
        self.queue.add_frame(bytes(65_600))
        self.assertEqual(self.take(0.0), frame_record(bytes([0]) * (TURN - 4)))
        self.queue.add_datagram(b"media", 0.0)
        self.assertEqual(self.take(0.0), datagram_record(b"media") + frame_record(bytes([1]) * (TURN - 4)))
        self.take(0.0)
        self.assertEqual(self.queue.waiting, 65_604)
        self.assertEqual(len(self.take(0.0)), 65_604)
        self.assertEqual(self.queue.waiting, 0)

    def test_too_many(self) -> None:
        """Of too many datagrams the oldest go, and each is told."""
        for number in range(MOST_DATAGRAMS + 2):
            self.queue.add_datagram(b"%d" % number, 0.0)
        self.assertEqual(len(self.drops), 2)
        self.assertTrue(self.take(0.0).startswith(datagram_record(b"2")))

    def test_too_much(self) -> None:
        """Datagrams are bounded by their size too, and one of the largest always fits."""
        for number in range(5):
            self.queue.add_datagram(bytes([number]) * 65_000, 0.0)
        self.assertEqual(len(self.drops), 3)
        self.assertLessEqual(len(self.take(0.0)), MOST_DATAGRAM_OCTETS)
        self.queue.add_datagram(bytes(65_600), 0.0)
        self.assertEqual(len(self.take(0.0)), 65_604)

    def test_too_late(self) -> None:
        """A datagram that waited too long does not leave."""
        self.queue.add_datagram(b"old", 10.0)
        self.queue.add_datagram(b"new", 10.1)
        self.assertEqual(self.take(10.05 + OLDEST_DATAGRAM), datagram_record(b"new"))
        self.assertEqual(len(self.drops), 1)

    def test_too_long(self) -> None:
        """What the other side would refuse is not queued."""
        self.assertRaises(LocalError, self.queue.add_frame, bytes(65_601))
        self.assertRaises(LocalError, self.queue.add_datagram, bytes(65_601), 0.0)
        self.assertEqual(self.take(0.0), b"")
