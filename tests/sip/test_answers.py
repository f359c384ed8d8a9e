"""Tests of what this node answers by itself, and tells its journal."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.journal import Fact, RequestRefused
from p2pship.sip.message import Response, parse
from tests.sip.station import Station

UNREADABLE = b"http://\xff\xfe"
"A URI that is no text, which nothing forbids in the name of another scheme."


class AnswersTests(SynchronousTestCase):
    """A proxy and a phone."""

    def setUp(self) -> None:
        """Start the proxy."""
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.facts: list[Fact] = []
        self.station.journal.watch(self.facts.append)

    def test_refused_in_words(self) -> None:
        """Whatever octets a stranger is named by, the journal has text, and so has the Warning."""
        phone = self.station.phone()
        made = self.station.make("OPTIONS", "sip:b@example.com", "a@example.com", "b@example.com", [])
        octets = made.encode().replace(b"sip:a@example.com", UNREADABLE)
        self.station.proxy.layer.message_received(parse(octets), phone)
        (fact,) = self.facts
        assert isinstance(fact, RequestRefused)
        self.assertEqual(fact.sender, "http://??")
        self.assertTrue(str(fact).isprintable() and "http://??" in fact.reason)
        answer = phone.sent[-1]
        assert isinstance(answer, Response)
        self.assertEqual(answer.status, 403)
        self.assertTrue((answer.first("Warning") or "").isprintable())
