"""Tests for p2pship.bearer.hip.notices."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.notices import MOST_A_SECOND, NoticeLimit


class NoticeLimitTests(TestCase):
    """How many NOTIFYs are sent."""

    def test_one_host(self) -> None:
        """One host gets one in a second."""
        limit = NoticeLimit()
        times = [10.0, 10.1, 10.9, 11.0, 11.5]
        self.assertEqual([limit.admits(b"one", now) for now in times], [True, False, False, True, False])

    def test_all(self) -> None:
        """All together get ten, and nothing more is remembered."""
        limit = NoticeLimit()
        admitted = [limit.admits(b"%d" % number, 5.5) for number in range(1000)]
        self.assertEqual(sum(admitted), MOST_A_SECOND)
        self.assertEqual(len(limit._told), MOST_A_SECOND)
