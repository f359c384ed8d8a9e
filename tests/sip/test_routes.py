"""Tests for p2pship.sip.routes, p2pship.sip.screen and p2pship.sip.names."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.identity.aor import BadAOR
from p2pship.lookup.candidate import Answer, Asked, FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.message import request
from p2pship.sip.names import OwnNames
from p2pship.sip.routes import status_for
from p2pship.sip.screen import screen_peer
from tests.sip.fakes import FakePeer

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


class ScreenTests(TestCase):
    """Who may say what."""

    def screen(self, sender: str, target: str = "sip:bob@example.com", method: str = "MESSAGE") -> str | None:
        """Screen a request of alice to bob; returns the rule that refuses it."""
        headers = [("From", f"<{sender}>;tag=1"), ("To", "<sip:bob@example.com>"), ("Call-ID", "c")]
        refusal = screen_peer(
            request(method, target, headers), FakePeer("bob@example.com", "alice@example.com")
        )
        return None if refusal is None else refusal.rule

    def test_rules(self) -> None:
        """Only in one's own name or anonymously, only to who was called."""
        self.assertIsNone(self.screen("sip:alice@EXAMPLE.com:5060;x=y"))
        self.assertIsNone(self.screen("sip:anonymous@anonymous.invalid"))
        self.assertEqual(self.screen("sip:Alice@example.com"), "forged-from")
        self.assertEqual(self.screen("sip:alice+x@example.com"), "forged-from")
        self.assertEqual(self.screen("tel:+123"), "forged-from")
        self.assertEqual(self.screen("sip:alice@example.com", "sip:carol@example.com"), "open-relay")
        self.assertEqual(self.screen("sip:alice@example.com", "sip:example.com"), "open-relay")
        self.assertEqual(self.screen("sip:alice@example.com", method="REGISTER"), "remote-register")


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
