"""Tests for p2pship.bearer.silence."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.bearer.silence import STALL_TIME, SilenceWatch


class SilenceWatchTests(TestCase):
    """When a silence is told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.stalls: list[float] = []
        self.silence = SilenceWatch(self.clock, lambda: self.stalls.append(self.clock.seconds()))

    def test_one_timer(self) -> None:
        """However much comes, there is one timer, and it is told 5 s after the last."""
        self.silence.watch(True)
        for _ in range(30):
            self.clock.advance(0.1)
            self.silence.heard()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([0.5] * 20)
        self.assertEqual(self.stalls, [self.clock.seconds() - 10 + STALL_TIME])

    def test_once(self) -> None:
        """One silence is told once, and the next one again."""
        self.silence.watch(True)
        self.clock.advance(STALL_TIME)
        self.clock.advance(60)
        self.assertEqual((self.stalls, self.clock.getDelayedCalls()), ([STALL_TIME], []))
        self.silence.heard()
        self.clock.advance(STALL_TIME)
        self.assertEqual(len(self.stalls), 2)

    def test_unwatched(self) -> None:
        """Nobody watching costs nothing, and a watch counts from its beginning."""
        self.silence.heard()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(60)
        self.silence.watch(True)
        self.clock.advance(4.9)
        self.silence.watch(False)
        self.silence.watch(False)
        self.clock.advance(60)
        self.assertEqual((self.stalls, self.clock.getDelayedCalls()), ([], []))
