"""Tests for p2pship.sip.routes."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.lookup.candidate import Answer, Asked, FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.routes import status_for

ASKED = Asked("lan", Answer.COMPLETED, 1.5)
FAILED = Asked("lan", Answer.FAILED, 0.0, "no network")


def outcome(*asked: Asked, met: bool = False, ambiguous: bool = False) -> ReachOutcome:
    """Return the outcome of a search that found nobody."""
    return ReachOutcome(FindOutcome(asked, 0, ambiguous), (), met)


class StatusTests(TestCase):
    """The status codes tell the truth."""

    def test_truth(self) -> None:
        """404 only when somebody was asked and nobody knows the name; 500 when nobody could be asked."""
        silent = ReachOutcome(None, (Tried(b"", False, "lan", 0, 0, 0, "refused"),), True)
        for expected, given in [
            (404, outcome(ASKED)),
            (404, outcome(ASKED, FAILED)),
            (480, outcome(ASKED, met=True)),
            (480, outcome(ASKED, ambiguous=True)),
            (500, outcome(FAILED)),
            (500, outcome()),
            (480, silent),
        ]:
            status, reason = status_for(given)
            self.assertEqual(status, expected, given)
            self.assertTrue(reason)
