"""Tests for p2pship.sip.senders: in whose name a phone sends, by its own words or by where it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.sip.message import request
from p2pship.sip.senders import Senders
from tests.sip.station import Station

ALICE, BOB = "alice@example.com", "bob@example.com"
NOBODY = "anonymous@anonymous.invalid"


class SendersTests(TestCase):
    """Alice's phone at port 5070, Bob's at 5071, and one at 5072 that both use."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.station.register(ALICE, 5070)
        self.station.register(BOB, 5071)
        for aor in (ALICE, BOB):
            self.station.register(aor, 5072)
        self.senders = Senders(self.station.names, self.station.keyring, self.station.bindings)

    def of(self, sender: str, port: int = 5070, **headers: str) -> str | None:
        """Return in whose name a request is sent."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        made = request("INVITE", f"sip:{BOB}", [("From", f"<sip:{sender}>;tag=1"), *named])
        transaction: Any = SimpleNamespace(request=made, origin=self.station.phone(port))
        own = self.senders.of(transaction)
        return None if own is None else own.aor

    def test_by_from(self) -> None:
        """From says it, also at the node's own address, wherever the phone is; who is not registered is nobody."""
        self.assertEqual(self.of(ALICE), ALICE)
        self.assertEqual(self.of(BOB, 5070), BOB)
        self.station.register("carol@127.0.0.1", 5073)
        self.assertEqual(self.of("carol@127.0.0.1", 5073), "carol@home.p2pship.alt")
        self.assertIsNone(self.of("dave@example.com"))

    def test_expired(self) -> None:
        """Whose registration has run out is nobody."""
        for _ in range(72):
            self.assertEqual(self.of(ALICE), ALICE)
            self.station.clock.advance(50)
        self.assertIsNone(self.of(ALICE))

    def test_anonymous_by_preference(self) -> None:
        """Who hides says which name is theirs, if it is one that is registered (RFC 3325 §9.2)."""
        self.assertEqual(self.of(NOBODY, 5072, P_Preferred_Identity=f"<sip:{BOB}>"), BOB)
        self.assertEqual(self.of(NOBODY, 5072, P_Asserted_Identity=f'"A" <sip:{ALICE}>'), ALICE)
        self.assertEqual(self.of(NOBODY, 5070, P_Preferred_Identity="<sip:dave@example.com>, <<<"), ALICE)
        self.assertEqual(self.of(NOBODY, 5072, P_Preferred_Identity=f"<tel:+358>, <sip:{BOB}>"), BOB)

    def test_anonymous_by_place(self) -> None:
        """Else the Contact says it, or where the phone sends from; of two names there none is guessed."""
        self.assertEqual(self.of(NOBODY, 5099, Contact="<sip:bob@127.0.0.1:5071>"), BOB)
        self.assertEqual(self.of(NOBODY, 5071), BOB)
        self.assertIsNone(self.of(NOBODY, 5072))
        self.assertIsNone(self.of(NOBODY, 5099))
