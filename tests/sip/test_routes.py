"""Tests for p2pship.sip.routes and p2pship.sip.names."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.identity.aor import BadAOR
from p2pship.lookup.candidate import Answer, Asked, FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.names import OwnNames
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


class OwnNamesTests(TestCase):
    """Names at the node's own address."""

    def test_own_hosts(self) -> None:
        """Loopback, own addresses and localhost are the node; other hosts are people's domains."""
        names = OwnNames("home.p2pship.alt", lambda: ["192.0.2.7", "2001:db8::7"])
        for host in (
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "192.0.2.7",
            "[2001:db8:0::7]",
            "LOCALHOST",
            "localhost.",
        ):
            self.assertTrue(names.is_own(host), host)
        for host in ("192.0.2.8", "example.com", "localhost.example.com"):
            self.assertFalse(names.is_own(host), host)
        self.assertEqual(names.aor("sip:alice@127.0.0.1:5060;transport=tcp"), "alice@home.p2pship.alt")
        self.assertEqual(names.aor("sip:alice@127.0.0.1", "example.com"), "alice@example.com")
        self.assertEqual(names.aor("sip:alice@Example.com", "other.example"), "alice@example.com")
        self.assertRaises(BadAOR, names.aor, "sip:127.0.0.1")
