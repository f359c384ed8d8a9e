"""Tests of p2pship.testing.line: what becomes of the frames that are put on a bad line."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.line import MOST_QUEUED, Conditions, Line


def frames(number: int) -> list[bytes]:
    """Return so many different frames of 100 octets."""
    return [n.to_bytes(4, "big") + bytes(96) for n in range(number)]


class LineTests(SynchronousTestCase):
    """Each condition by itself."""

    def carried(self, conditions: Conditions, number: int, seed: int = 1) -> list[bytes]:
        """Put frames on a line, one each 10 ms, and return what has arrived ten seconds later."""
        self.line = Line(conditions, seed)
        for place, frame in enumerate(frames(number)):
            self.line.put(frame, place * 0.01)
        return self.line.take(number * 0.01 + 10)

    def test_perfect(self) -> None:
        """Without conditions all arrives at once and in order, and then nothing is due."""
        line = Line(Conditions(), 1)
        line.put(b"one", 5.0)
        line.put(b"two", 5.0)
        self.assertEqual(line.due(), 5.0)
        self.assertEqual(line.take(5.0), [b"one", b"two"])
        self.assertIsNone(line.due())

    def test_largest(self) -> None:
        """A frame that is longer than can be carried is lost, and counted; the others are not."""
        line = Line(Conditions(largest=4), 1)
        for frame in (b"four", b"fives", b"one"):
            line.put(frame, 5.0)
        self.assertEqual((line.take(5.0), line.lost), ([b"four", b"one"], 1))

    def test_loss(self) -> None:
        """About the share that was asked for is lost, and counted."""
        arrived = self.carried(Conditions(loss=0.3), 2000)
        self.assertEqual(len(arrived) + self.line.lost, 2000)
        self.assertTrue(500 < self.line.lost < 700, self.line.lost)

    def test_same_seed(self) -> None:
        """The same seed loses the same frames, another one others."""
        first = self.carried(Conditions(loss=0.3), 100)
        self.assertEqual(self.carried(Conditions(loss=0.3), 100), first)
        self.assertNotEqual(self.carried(Conditions(loss=0.3), 100, seed=2), first)

    def test_delay(self) -> None:
        """A frame arrives when its delay is over, not before."""
        line = Line(Conditions(delay=0.1), 1)
        line.put(b"frame", 1.0)
        self.assertEqual(line.take(1.09), [])
        self.assertEqual(line.take(line.due() or 0.0), [b"frame"])

    def test_jitter(self) -> None:
        """Jitter lets frames overtake each other, and loses none."""
        arrived = self.carried(Conditions(delay=0.1, jitter=0.05), 200)
        self.assertNotEqual(arrived, frames(200))
        self.assertEqual(sorted(arrived), frames(200))

    def test_repeated(self) -> None:
        """Some arrive twice, none thrice."""
        counts = Counter(self.carried(Conditions(repeated=0.2), 1000))
        self.assertEqual(set(counts.values()), {1, 2})
        self.assertTrue(150 < sum(count - 1 for count in counts.values()) < 250)

    def test_early(self) -> None:
        """Some overtake those before them; the others stay in order."""
        arrived = self.carried(Conditions(delay=0.1, early=0.1), 200)
        steps = [second < first for first, second in pairwise(arrived)]
        self.assertTrue(10 < sum(steps) < 40, sum(steps))

    def test_rate(self) -> None:
        """Frames leave one after the other at the rate."""
        line = Line(Conditions(rate=8000), 1)
        for frame in frames(3):
            line.put(frame, 0.0)
        self.assertEqual([len(line.take(now)) for now in (0.09, 0.11, 0.19, 0.21, 0.31)], [0, 1, 0, 1, 1])

    def test_queue(self) -> None:
        """What would wait too long is lost."""
        line = Line(Conditions(rate=8000), 1)
        for frame in frames(20):
            line.put(frame, 0.0)
        self.assertEqual(line.overflowed, 20 - (1 + round(MOST_QUEUED / 0.1)))
