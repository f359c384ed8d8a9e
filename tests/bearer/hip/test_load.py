"""Tests for p2pship.bearer.hip.load."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.load import AT_REST, BUSY, MOST_DIFFICULT, WORTH, Load


class LoadTests(TestCase):
    """How difficult puzzles are."""

    def after(self, rate: int) -> int:
        load = Load()
        for _ in range(rate):
            load.i1_received(100.5)
        return load.difficulty(101.2)

    def test_rises(self) -> None:
        """Each time that there are twice as many I1s, a puzzle takes twice the work, up to a limit."""
        rates = (0, 99, 100, 199, 200, 400, 800, 10_000, 100_000)
        self.assertEqual([self.after(rate) for rate in rates], [8, 8, 9, 9, 10, 11, 12, 15, MOST_DIFFICULT])

    def test_falls(self) -> None:
        """A second without many is enough to be at rest again, also if nothing comes at all."""
        load = Load()
        for _ in range(10_000):
            load.i1_received(100.0)
        self.assertEqual([load.difficulty(now) for now in (100.0, 101.9, 102.0)], [15, 15, AT_REST])
        self.assertFalse(load.is_high(103.0))

    def test_i2s(self) -> None:
        """An I2 with a solved puzzle counts for as many as it costs."""
        load = Load()
        for _ in range(BUSY // WORTH):
            load.i2_received(100.0)
        self.assertTrue(load.is_high(100.0))
        self.assertEqual(load.difficulty(100.0), AT_REST + 1)
