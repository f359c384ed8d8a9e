"""Tests for p2pship.bearer.congestion."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.congestion import MOST, CongestionWindow

SEGMENT = 1000


class CongestionWindowTests(TestCase):
    """How the window grows and shrinks."""

    def test_slow_start(self) -> None:
        """It doubles with each window that is acknowledged, as long as nothing is lost and it is in use."""
        window = CongestionWindow(SEGMENT)
        self.assertEqual(window.octets, 10 * SEGMENT)
        for number in range(1, 11):
            window.acked(SEGMENT, number, full=True)
        self.assertEqual(window.octets, 20 * SEGMENT)
        window.acked(SEGMENT, 11, full=False)
        self.assertEqual(window.octets, 20 * SEGMENT)

    def test_one_halving(self) -> None:
        """All losses of what was sent before the first was noticed halve it once; the next episode halves it again."""
        window = CongestionWindow(SEGMENT)
        for number in (3, 5, 9):
            window.lost(number, 12)
        self.assertEqual(window.octets, 5 * SEGMENT)
        window.acked(SEGMENT, 11, full=True)
        self.assertEqual(window.octets, 5 * SEGMENT, "no growth within the episode")
        window.lost(12, 20)
        self.assertEqual(window.octets, 5 * SEGMENT // 2)

    def test_avoidance(self) -> None:
        """After a loss it grows by one segment for each window."""
        window = CongestionWindow(SEGMENT)
        window.lost(1, 2)
        for number in range(2, 7):
            window.acked(SEGMENT, number, full=True)
        self.assertTrue(5.8 * SEGMENT < window.octets <= 6 * SEGMENT, window.octets)

    def test_starved(self) -> None:
        """When nothing came back it starts over, and half of what it was is the threshold, whatever losses show later."""
        window = CongestionWindow(SEGMENT)
        window.starved(20)
        self.assertEqual(window.octets, 2 * SEGMENT)
        for number in range(1, 20):
            window.lost(number, 22)
        for number in range(20, 23):
            window.acked(SEGMENT, number, full=True)
        self.assertEqual(window.octets, 5 * SEGMENT, "slow start goes up to the threshold")

    def test_bounds(self) -> None:
        """It never becomes so small that a loss could not be noticed, and never larger than is of use."""
        window = CongestionWindow(SEGMENT)
        for number in range(1, 20):
            window.lost(number, number + 1)
        self.assertEqual(window.octets, 2 * SEGMENT)
        window.starved(40)
        self.assertEqual(window.octets, 2 * SEGMENT)
        window = CongestionWindow(SEGMENT)
        for number in range(3000):
            window.acked(SEGMENT, number, full=True)
        self.assertEqual(window.octets, MOST)
