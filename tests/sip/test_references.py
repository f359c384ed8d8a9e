"""Tests for p2pship.sip.references, beside those of transfers and forwarding."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.errors import RemoteError
from p2pship.sip.gruus import GRUUs
from p2pship.sip.message import Request, request
from p2pship.sip.references import References, take_out_commands
from tests.sip.station import Station

ALICE = "alice@example.com"


class ReferencesTests(TestCase):
    """What a phone names beside the one whom it asks for."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.station.register(ALICE)
        self.references = References(self.station.names, self.station.bindings, GRUUs(self.station.keyring))

    def shown(self, name: str, value: str) -> Request:
        """Return a call of alice's phone with such a header as others see it."""
        made = request("INVITE", "sip:bob@example.com", [(name, value)])
        self.references.show_request(made, ALICE)
        return made

    def test_forwarding_history(self) -> None:
        """Who forwarded a call before is told on, with true names; what names nobody, or nothing, is left out."""
        for name in ("Diversion", "History-Info", "Reply-To", "Referred-By"):
            given = '"A" <sip:carol@127.0.0.1:5060>;index=1, <sip:dave@example.org>;x=1, <sip:127.0.0.1>, <<'
            values = self.shown(name, given).values(name)
            self.assertEqual(
                values, ['"A" <sip:carol@example.com>;index=1', "<sip:dave@example.org>;x=1"], name
            )

    def test_other_schemes(self) -> None:
        """Numbers and web pages pass as they are."""
        for uri in ("tel:+358401234567", "https://example.com/a?b=c"):
            self.assertEqual(self.references.uri(uri, ALICE), uri)

    @given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=60))
    def test_garbage(self, value: str) -> None:
        """Whatever stands there, only a RemoteError comes of it, and no address of this machine passes."""
        for text in (value, f"<sip:{value}>", f"<sip:x@127.0.0.1:5070{value}>"):
            made = request("REFER", "sip:bob@example.com", [("Refer-To", text), ("Diversion", text)])
            try:
                self.references.show_request(made, ALICE)
                take_out_commands(made)
            except RemoteError:
                continue
            self.assertNotIn("127.0.0.1:5070", made.first("Refer-To") or "")
