"""Tests of when a server is asked again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.patience import FIRST, LAST, LONGEST_TOLD, URGENT, Patience

NOW = 1_000.0


class PatienceTests(SynchronousTestCase):
    """Failures, and what a server says."""

    def setUp(self) -> None:
        """Wait as long as can be."""
        self.patience = Patience(lambda: 1.0)

    def test_doubled(self) -> None:
        """Each failure doubles the wait, up to a limit; success ends it."""
        now, waits = NOW, []
        for _ in range(12):
            self.patience.failed(now)
            waits.append(self.patience.wait(now))
            now += waits[-1]
        self.assertEqual(waits[:3], [FIRST, 2 * FIRST, 4 * FIRST])
        self.assertEqual(waits[-1], LAST)
        self.patience.worked()
        self.assertEqual(self.patience.wait(now), 0.0)
        self.patience.failed(now)
        self.assertEqual(self.patience.wait(now), FIRST)

    def test_together(self) -> None:
        """What was asked at once and failed at once is one failure."""
        for _ in range(10):
            self.patience.failed(NOW)
        self.assertEqual(self.patience.wait(NOW), FIRST)

    def test_spread(self) -> None:
        """The wait is shorter at random, but never half of it or less."""
        patience = Patience(lambda: 0.0)
        patience.failed(NOW)
        self.assertEqual(patience.wait(NOW), FIRST / 2)

    def test_urgent(self) -> None:
        """Who waits for the answer asks again soon, however long the server has failed."""
        for number in range(10):
            self.patience.failed(NOW + 1000 * number)
        now = NOW + 9000
        self.assertEqual(self.patience.wait(now, urgent=True), URGENT)
        self.assertEqual(self.patience.wait(now + URGENT, urgent=True), 0.0)
        self.assertGreater(self.patience.wait(now + URGENT), 100.0)

    def test_clock_set_back(self) -> None:
        """When the clock was set back nobody waits for it to be as late again; failures count from then."""
        self.patience.failed(NOW)
        self.patience.told(30, NOW)
        now = NOW - 2 * LONGEST_TOLD
        for urgent in (False, True):
            self.assertEqual(self.patience.wait(now, urgent), 0.0)
        self.patience.failed(now)
        self.assertEqual(self.patience.wait(now), 2 * FIRST)

    def test_told(self) -> None:
        """What the server says holds for everybody, but not for ever, and nonsense does nothing."""
        self.patience.told(30, NOW)
        self.patience.told(-5, NOW)
        self.patience.worked()
        for urgent in (False, True):
            self.assertEqual(self.patience.wait(NOW, urgent), 30.0)
        self.patience.told(1e12, NOW)
        self.assertEqual(self.patience.wait(NOW), LONGEST_TOLD)
