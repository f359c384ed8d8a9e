"""Tests for p2pship.bearer.repetition."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.bearer.repetition import FIRST_WAIT, HANDSHAKE_TIME, Repetition


class RepetitionTests(TestCase):
    """Something is said again."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[float] = []
        self.over: list[float] = []
        self.repetition = Repetition(
            self.clock,
            lambda: self.said.append(self.clock.seconds()),
            lambda: self.over.append(self.clock.seconds()),
        )

    def test_times(self) -> None:
        """At once, then ever more slowly, for 5 s; then that is told once."""
        self.repetition.begin()
        self.clock.pump([0.001] * 6000)
        self.assertEqual((self.said[0], len(self.said)), (0.0, 9))
        waits = [later - sooner for sooner, later in zip(self.said, self.said[1:], strict=False)]
        self.assertAlmostEqual(waits[0], FIRST_WAIT, places=1)
        self.assertEqual(waits, sorted(waits))
        self.assertEqual(len(self.over), 1)
        self.assertAlmostEqual(self.over[0], HANDSHAKE_TIME, places=1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """It can be stopped, also by what it says."""
        self.repetition.begin()
        self.repetition.stop()
        self.repetition.stop()
        self.clock.advance(10)
        self.assertEqual((len(self.said), self.over, self.clock.getDelayedCalls()), (1, [], []))

    def test_begin_again(self) -> None:
        """Beginning again makes the waits short again, but does not make it longer in all."""
        self.repetition.begin()
        self.clock.pump([0.1] * 30)
        before = len(self.said)
        self.repetition.begin()
        self.clock.advance(FIRST_WAIT)
        self.assertEqual(len(self.said), before + 2)
        self.clock.pump([0.1] * 30)
        self.assertEqual(len(self.over), 1)
        self.assertLess(self.over[0], HANDSHAKE_TIME + 0.2)
