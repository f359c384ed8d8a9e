"""Tests for p2pship.sip.routes."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import TestCase

from p2pship.lookup.candidate import Answer, Asked, FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.message import request, response_to
from p2pship.sip.refusal import add_warning
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
        doubted = FindOutcome((ASKED,), 0, refused=("lan: it is over",), doubted=True)
        silent = ReachOutcome(None, (Tried(b"", False, "lan", 0, 0, 0, "refused"),), True)
        for expected, given in [
            (404, outcome(ASKED)),
            (404, outcome(ASKED, FAILED)),
            (480, outcome(ASKED, met=True)),
            (480, outcome(ASKED, ambiguous=True)),
            (480, ReachOutcome(doubted, (), False)),
            (480, ReachOutcome(replace(doubted, refused=()), (), False)),
            (500, outcome(FAILED)),
            (500, outcome()),
            (480, silent),
        ]:
            status, reason = status_for(given)
            self.assertEqual(status, expected, given)
            self.assertTrue(reason)
            self.assertFalse(reason.endswith(": "))

    def test_each_lookup(self) -> None:
        """However much one lookup says, a phone is told of each of them."""
        names = ("lan", "mainline", "http", "dns")
        failed = (Asked(name, Answer.FAILED, 3.0, "no server " * 50) for name in names)
        response = response_to(
            request("INVITE", "sip:b@example.com", [("Via", "x"), ("CSeq", "1 INVITE")]), 500
        )
        add_warning(response, status_for(outcome(*failed))[1])
        for name in names:
            self.assertIn(f"{name} failed after 3.0 s: no server", response.first("Warning") or "")
