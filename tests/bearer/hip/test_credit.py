"""Tests for p2pship.bearer.hip.credit (RFC 8046 §5.6)."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.credit import MOST_FREE, Credit


class CreditTests(TestCase):
    """What may be sent to an address that is not verified."""

    def test_spent(self) -> None:
        """As much as came may be sent, and no more."""
        credit = Credit(100.0)
        self.assertEqual(credit.left(0, 100.0), 0)
        self.assertEqual(credit.left(1000, 101.0), 1000)
        credit.spend(600)
        self.assertEqual(credit.left(1000, 102.0), 400)
        self.assertEqual(credit.left(1500, 103.0), 900)

    def test_clock_set_back(self) -> None:
        """When the clock is set back, it goes on ageing from there."""
        credit = Credit(10_000.0)
        self.assertEqual([credit.left(8000, now) for now in (100.0, 105.0)], [8000, 7000])

    def test_questions(self) -> None:
        """Some questions are free, slowly again; more of them need credit, which they use up with the data."""
        credit = Credit(100.0)
        self.assertTrue(credit.ask(int(MOST_FREE), 100.0))
        self.assertFalse(credit.covers(1, 100.0))
        credit.earn(300)
        self.assertEqual([credit.ask(200, 100.0) for _ in range(2)], [True, False])
        self.assertEqual(credit.left(0, 100.0), 100)
        self.assertEqual([credit.ask(200, now) for now in (101.0, 104.0, 104.1)], [False, True, False])
        self.assertTrue(credit.ask(int(MOST_FREE), 10_000.0))
        self.assertFalse(credit.ask(200, 10_000.0))

    def test_questions_clock_set_back(self) -> None:
        """When the clock is set back, free questions come back from there."""
        credit = Credit(10_000.0)
        self.assertTrue(credit.ask(int(MOST_FREE), 10_000.0))
        self.assertEqual([credit.ask(64, now) for now in (100.0, 101.0)], [False, True])

    def test_ages(self) -> None:
        """Every five seconds an eighth of it is gone, so that nothing can be saved up for long."""
        credit = Credit(100.0)
        credit.left(8000, 100.0)
        self.assertEqual([credit.left(8000, now) for now in (104.9, 105.0, 110.0)], [8000, 7000, 6125])
        self.assertEqual(credit.left(8000, 10_000.0), 0)
