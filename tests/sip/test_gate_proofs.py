"""Tests for :mod:`p2pship.sip.gate`: honest phones of other machines, which prove who they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from p2pship.sip.digest import MD5, SHA256, answer, secret
from p2pship.sip.nonces import LIFETIME
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, OFFER
from tests.sip.test_gate import ALICE, BOB, HOME, PASSWORD, GateCase


class ProofTests(GateCase):
    """An honest phone."""

    def test_registers(self) -> None:
        """Challenged with SHA-256 on top and MD5 below (RFC 8760 §2.4); registered with either."""
        challenged = self.ask(self.phone)
        self.assertEqual(challenged.status, 401)
        lines = challenged.lines("WWW-Authenticate")
        self.assertEqual(["algorithm=SHA-256" in line for line in lines], [True, False])
        self.assertTrue(all('realm="example.com"' in line for line in lines))
        self.assertEqual(self.ask(self.phone, credentials=self.credentials(challenged)).status, 200)
        again = self.credentials(self.ask(self.phone), algorithm=MD5)
        self.assertEqual(self.ask(self.phone, credentials=again).status, 200)
        binding = self.station.bindings.of(ALICE)[0]
        self.assertEqual((binding.source.host, binding.username), (HOME, "alice"))

    def test_answers_to_others(self) -> None:
        """What a phone answers to another proxy (RFC 3261 §22.3), of whatever kind, does not stand in the way of its proof."""
        proof = str(self.credentials(self.ask(self.phone)))
        for foreign in ('Digest username="a", realm="pbx", nonce="n", uri="sip:b", response="0"', "Digest x"):
            named = [
                ("Authorization", foreign),
                ("Authorization", proof),
                ("Contact", "<sip:alice@192.0.2.9:5070>"),
            ]
            self.station.deliver(
                self.station.make("REGISTER", "sip:example.com", ALICE, ALICE, named), self.phone
            )
            self.assertEqual(self.phone.responses()[-1].status, 200)
            proof = str(self.credentials(self.ask(self.phone)))

    def test_same_nonce(self) -> None:
        """A phone that counts on needs no other challenge, until the nonce is too old: then stale says so."""
        first = self.credentials(self.ask(self.phone))
        for count in (1, 2, 3):
            sent = replace(first, nc=f"{count:08x}")
            sent = replace(
                sent, response=answer(sent, "REGISTER", secret(SHA256, "alice", "example.com", PASSWORD))
            )
            self.assertEqual(self.ask(self.phone, credentials=sent).status, 200)
        self.station.clock.advance(LIFETIME)
        stale = self.ask(self.phone, credentials=sent)
        self.assertEqual(stale.status, 401)
        self.assertIn("stale=true", stale.lines("WWW-Authenticate")[0])
        self.assertEqual(self.ask(self.phone, credentials=self.credentials(stale)).status, 200)

    def test_calls(self) -> None:
        """A call is challenged as a proxy does; once proven it goes out, without the proof, and its dialog needs none."""
        self.register()
        uri = f"sip:{BOB}"
        contact: dict[str, Any] = {"Contact": f"<sip:alice@{HOME}:5070>"}
        challenged = self.ask(self.phone, "INVITE", uri=uri, **contact)
        self.assertEqual((challenged.status, len(self.station.overlay.searches)), (407, 0))
        proof = self.credentials(challenged, "INVITE", uri)
        self.station.from_phone(
            self.phone,
            "INVITE",
            uri,
            ALICE,
            BOB,
            OFFER,
            Proxy_Authorization=str(proof),
            Call_ID="c2",
            **contact,
        )
        peer = FakePeer(ALICE, BOB)
        self.station.overlay.searches[0].reach(peer)
        invite = peer.requests()[0]
        self.assertNotIn("Proxy-Authorization", invite)
        self.station.answer(invite, 200, peer, LINK_OFFER, Contact="<sip:bob@example.com;gr=x>")
        within: dict[str, Any] = {"To": f"<sip:{BOB}>;tag=t1", "Call_ID": "c2"}
        self.station.from_phone(
            self.phone, "ACK", "sip:bob@example.com;gr=x", ALICE, BOB, CSeq=f"{invite.cseq[0]} ACK", **within
        )
        self.assertEqual(peer.requests()[-1].method, "ACK")
        # Another address knows the tags, too: it has to prove itself, and cannot acknowledge or hang up.
        self.station.from_phone(
            self.attacker, "BYE", "sip:bob@example.com;gr=x", ALICE, BOB, CSeq="900 BYE", **within
        )
        self.assertEqual(self.attacker.responses()[-1].status, 407)
        self.station.from_phone(
            self.attacker, "ACK", "sip:bob@example.com;gr=x", ALICE, BOB, CSeq="901 ACK", **within
        )
        self.station.from_phone(
            self.phone, "BYE", "sip:bob@example.com;gr=x", ALICE, BOB, CSeq="902 BYE", **within
        )
        self.assertEqual(peer.requests()[-1].method, "BYE")

    def test_challenge_is_no_call(self) -> None:
        """Being challenged is neither a call that failed, nor can who proves nothing write into the list of calls."""
        self.register()
        uri = f"sip:{BOB}"
        contact: dict[str, Any] = {"Contact": f"<sip:alice@{HOME}:5070>"}
        challenged = self.ask(self.phone, "INVITE", uri=uri, **contact)
        self.ask(self.attacker, "INVITE", uri=uri, **contact)
        self.assertEqual(self.station.book.recent(10), [])
        self.ask(self.phone, "INVITE", self.credentials(challenged, "INVITE", uri), uri, **contact)
        self.assertEqual([call["callee"] for call in self.station.book.recent(10)], [BOB])

    def test_on_loopback(self) -> None:
        """A phone of this machine is asked for nothing."""
        self.assertEqual(self.ask(self.station.phone(), Contact="<sip:alice@127.0.0.1:5070>").status, 200)
        self.assertEqual(self.station.journal.counts["phones.challenged"], 0)

    def test_proof_reaches_no_peer(self) -> None:
        """A phone that sends its answer to 401 with all that it asks (RFC 3261 §22.2) shows it to no peer, in no request."""
        cached = str(self.credentials(self.ask(self.phone)))
        self.register()
        uri = f"sip:{BOB}"
        contact: dict[str, Any] = {"Contact": f"<sip:alice@{HOME}:5070>", "Authorization": cached}
        proof = self.credentials(self.ask(self.phone, "INVITE", uri=uri, **contact), "INVITE", uri)
        self.station.from_phone(
            self.phone, "INVITE", uri, ALICE, BOB, OFFER, Proxy_Authorization=str(proof), **contact
        )
        peer = FakePeer(ALICE, BOB)
        self.station.overlay.searches[0].reach(peer)
        self.station.answer(peer.requests()[0], 200, peer, LINK_OFFER, Contact="<sip:bob@example.com;gr=x>")
        number = peer.requests()[0].cseq[0]
        for method, cseq in (("ACK", number), ("BYE", number + 1)):
            headers: dict[str, Any] = {**contact, "To": f"<{uri}>;tag=t1", "CSeq": f"{cseq} {method}"}
            self.station.from_phone(self.phone, method, "sip:bob@example.com;gr=x", ALICE, BOB, **headers)
        self.assertEqual([each.method for each in peer.requests()], ["INVITE", "ACK", "BYE"])
        self.assertFalse(any("Authorization" in each for each in peer.requests()))

    def test_what_the_node_asks_reaches_no_peer(self) -> None:
        """A peer's challenge does not reach a phone in the network, which would answer it with the password it has here."""
        self.register()
        uri = f"sip:{BOB}"
        contact: dict[str, Any] = {"Contact": f"<sip:alice@{HOME}:5070>"}
        proof = self.credentials(self.ask(self.phone, "INVITE", uri=uri, **contact), "INVITE", uri)
        self.station.from_phone(
            self.phone, "INVITE", uri, ALICE, BOB, Proxy_Authorization=str(proof), **contact
        )
        peer = FakePeer(ALICE, BOB)
        search = self.station.overlay.searches[0]
        search.reach(peer)
        search.end()
        self.assertNotIn("Proxy-Authorization", peer.requests()[0])
        asked: dict[str, Any] = {"WWW_Authenticate": 'Digest realm="example.com", nonce="chosen"'}
        self.station.answer(peer.requests()[0], 401, peer, **asked)
        self.assertEqual(self.phone.responses()[-1].status, 401)
        self.assertNotIn("WWW-Authenticate", self.phone.responses()[-1])
