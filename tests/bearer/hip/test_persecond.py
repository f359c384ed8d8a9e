"""Tests for p2pship.bearer.hip.persecond."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.persecond import PerSecond


class PerSecondTests(TestCase):
    """A limit of three."""

    def test_limit(self) -> None:
        """So many are let through in one second, and as many in the next."""
        pace = PerSecond(3)
        times = [7.0, 7.1, 7.2, 7.3, 7.9, 8.0, 8.0, 8.0, 8.0]
        admitted = [pace.admits(now) for now in times]
        self.assertEqual(admitted, [True] * 3 + [False] * 2 + [True] * 3 + [False])

    def test_worth(self) -> None:
        """What counts as several is let through as long as all of it fits."""
        pace = PerSecond(3)
        admitted = [pace.admits(7.0, worth) for worth in (2, 2, 1, 1)]
        self.assertEqual(admitted, [True, False, True, False])
