"""Tests for :mod:`p2pship.sip.gate`: phones of other machines prove who they are, and what an attacker tries instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pship.journal import Fact
from p2pship.sip.digest import SHA256, Credentials, answer, secret
from p2pship.sip.facts import PhoneRefused
from p2pship.sip.guesses import FREE, LONGEST_WAIT
from p2pship.sip.message import Response
from p2pship.sip.nonces import LIFETIME
from tests.sip.fakes import FakeHop, FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"
PASSWORD = "correct horse"
HOME, EVIL = "192.0.2.9", "198.51.100.66"
URI = "sip:bob@example.com;gr=x"
"Bob's phone."


class GateCase(SynchronousTestCase):
    """A node with alice's password, her phone in the network, and an attacker in another place of it."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.station.keyring.create(ALICE)
        self.station.keyring.create(BOB)
        self.station.secrets.passwords[ALICE, "alice"] = PASSWORD
        self.phone = FakeHop(5070, "UDP", HOME)
        self.attacker = FakeHop(5071, "UDP", EVIL)
        self.facts: list[Fact] = []
        self.station.journal.watch(self.facts.append)

    def ask(
        self,
        hop: FakeHop,
        method: str = "REGISTER",
        credentials: Credentials | None = None,
        uri: str = "sip:example.com",
        sender: str = ALICE,
        **headers: str,
    ) -> Response:
        """Send a request outside a dialog, and return what is answered."""
        registers = method == "REGISTER"
        if registers:
            headers.setdefault("Contact", f"<sip:alice@{hop.address.host if hop.address else ''}:5070>")
        if credentials is not None:
            headers["Authorization" if registers else "Proxy-Authorization"] = str(credentials)
        headers["CSeq"] = f"{self.station._branch + 1} {method}"
        receiver = sender if registers else BOB
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.station.deliver(self.station.make(method, uri, sender, receiver, named), hop)
        return hop.responses()[-1]

    def credentials(
        self,
        challenged: Response,
        method: str = "REGISTER",
        uri: str = "sip:example.com",
        password: str = PASSWORD,
        algorithm: str = SHA256,
        count: int = 1,
        username: str = "alice",
    ) -> Credentials:
        """Answer a challenge as a phone does."""
        name = "WWW-Authenticate" if challenged.status == 401 else "Proxy-Authenticate"
        lines = [line for line in challenged.lines(name) if f"algorithm={algorithm}," in line]
        nonce = lines[0].partition('nonce="')[2].partition('"')[0]
        realm = lines[0].partition('realm="')[2].partition('"')[0]
        made = Credentials(username, realm, nonce, uri, "", algorithm, "c", f"{count:08x}")
        return replace(made, response=answer(made, method, secret(algorithm, username, realm, password)))

    def register(self, hop: FakeHop | None = None, password: str = PASSWORD) -> Response:
        """Register alice, with the challenge that it takes."""
        hop = hop or self.phone
        return self.ask(hop, credentials=self.credentials(self.ask(hop), password=password))


class AttackTests(GateCase):
    """Whoever does not have the password."""

    def test_nothing_without_proof(self) -> None:
        """No method outside a dialog is served, whatever it asks and whoever it says to be."""
        for method in (
            "REGISTER",
            "INVITE",
            "MESSAGE",
            "SUBSCRIBE",
            "PUBLISH",
            "NOTIFY",
            "REFER",
            "INFO",
            "OPTIONS",
        ):
            for sender in (ALICE, "nobody@example.org", "anonymous@anonymous.invalid"):
                response = self.ask(self.attacker, method, uri=f"sip:{BOB}", sender=sender)
                self.assertIn(response.status, (401, 407), (method, sender))
        self.assertEqual(self.ask(self.attacker, "OPTIONS", uri="sip:example.com").status, 401)
        self.assertEqual((self.station.overlay.searches, list(self.station.bindings)), ([], []))

    def test_replay(self) -> None:
        """A captured proof: not a second time, not from elsewhere, not for another method, URI, contact or body."""
        proof = self.credentials(self.ask(self.phone))
        self.assertEqual(self.ask(self.phone, credentials=proof).status, 200)
        evil = f"<sip:alice@{EVIL}>"
        for hop in (self.phone, self.attacker):
            again = self.ask(hop, credentials=proof, Contact=evil)
            self.assertEqual(again.status, 401)
            self.assertIn("stale=true", again.lines("WWW-Authenticate")[0])
        self.assertEqual(
            self.ask(self.phone, "MESSAGE", credentials=proof, uri="sip:example.com").status, 401
        )
        self.assertEqual(self.ask(self.phone, "INVITE", credentials=proof, uri=f"sip:{BOB}").status, 407)
        self.assertEqual([each.source.host for each in self.station.bindings.of(ALICE)], [HOME])
        self.assertEqual(self.station.journal.counts["phones.replayed"], 1)

    def test_fresh_proof_elsewhere(self) -> None:
        """A proof that its phone has not used yet is of no use from another address, nor for another method or URI."""
        uri = f"sip:{BOB}"
        proof = self.credentials(self.ask(self.phone, "MESSAGE", uri=uri), "MESSAGE", uri)
        self.assertEqual(self.ask(self.attacker, "MESSAGE", credentials=proof, uri=uri).status, 407)
        self.assertEqual(self.ask(self.phone, "INVITE", credentials=proof, uri=uri).status, 407)
        self.assertEqual(
            self.ask(self.phone, "MESSAGE", credentials=proof, uri="sip:carol@example.com").status, 407
        )
        self.assertEqual(self.station.overlay.searches, [])

    def test_other_name(self) -> None:
        """Alice's password is for alice's name alone, also in From and where nobody's name is shown."""
        self.station.secrets.passwords[BOB, "bob"] = "another horse"
        self.station.register(BOB, 5090)
        proof = self.credentials(self.ask(self.phone, sender=BOB))
        self.assertEqual(self.ask(self.phone, credentials=proof, sender=BOB).status, 401)
        uri = "sip:carol@example.com"
        proof = self.credentials(self.ask(self.phone, "MESSAGE", uri=uri, sender=BOB), "MESSAGE", uri)
        self.assertEqual(self.ask(self.phone, "MESSAGE", proof, uri, sender=BOB).status, 407)
        hidden: dict[str, Any] = {
            "sender": "anonymous@anonymous.invalid",
            "P-Preferred-Identity": f"<sip:{BOB}>",
        }
        proof = self.credentials(self.ask(self.phone, "MESSAGE", None, uri, **hidden), "MESSAGE", uri)
        self.assertEqual(self.ask(self.phone, "MESSAGE", proof, uri, **hidden).status, 407)
        self.assertEqual(self.station.overlay.searches, [])

    def test_unknown_look_alike(self) -> None:
        """A name that is not here, a wrong user name and a wrong password are answered alike."""
        answers = []
        for sender, username, password in (
            (ALICE, "alice", "wrong"),
            (ALICE, "x", PASSWORD),
            ("x@example.com", "x", ""),
        ):
            challenged = self.ask(self.attacker, sender=sender)
            proof = self.credentials(challenged, username=username, password=password)
            refused = self.ask(self.attacker, credentials=proof, sender=sender)
            shown = refused.first("WWW-Authenticate") or ""
            answers.append((refused.status, refused.first("Warning"), shown.partition("nonce")[0]))
        self.assertEqual(len(set(answers)), 1, answers)

    def test_guessing(self) -> None:
        """Guessing soon has to wait; the right password is no use meanwhile there, but the honest phone's is elsewhere."""
        self.register()
        self.station.clock.advance(LIFETIME)  # the phone's nonce is of no help to it
        statuses = [self.register(self.attacker, f"guess {at}").status for at in range(2 * FREE)]
        self.assertEqual(statuses, [401] * FREE + [503] * FREE)
        held = self.register(self.attacker)
        self.assertEqual(held.status, 503)
        self.assertLessEqual(int(held.first("Retry-After") or 0), LONGEST_WAIT)
        self.assertEqual(self.register().status, 200)
        refused = [fact for fact in self.facts if isinstance(fact, PhoneRefused)]
        self.assertEqual([fact.failures for fact in refused], list(range(1, FREE + 1)))
        self.assertIn(EVIL, str(refused[0]))

    def test_guessing_with_an_account(self) -> None:
        """Who has a password here, for another name, guesses no faster at alice's with nonces that were answered rightly."""
        self.station.secrets.passwords[BOB, "bob"] = "another horse"
        statuses = []
        for at in range(2 * FREE):
            mine = self.ask(self.attacker, sender=BOB, Contact=f"<sip:bob@{EVIL}:5071>")
            right = self.credentials(mine, username="bob", password="another horse")
            kept = self.ask(self.attacker, credentials=right, sender=BOB, Contact=f"<sip:bob@{EVIL}:5071>")
            self.assertEqual(kept.status, 200)
            guess = self.credentials(mine, password=f"guess {at}", count=2)
            statuses.append(self.ask(self.attacker, credentials=guess).status)
        self.assertEqual(statuses, [401] * FREE + [503] * FREE)

    def test_guessing_from_everywhere(self) -> None:
        """A thousand addresses that guess do not keep the phone away, not after a restart either."""
        self.register()
        again = Station()
        self.addCleanup(again.stop)
        for binding in self.station.bindings:
            again.bindings.replace(ALICE, [binding])
        again.keyring.create(ALICE)
        again.secrets.passwords[ALICE, "alice"] = PASSWORD
        again.proxy._gate.remember(again.bindings)
        self.station = again
        for at in range(300):
            self.register(FakeHop(5070, "UDP", f"198.51.{at // 250}.{at % 250 + 1}"), "guess")
        self.assertEqual(self.register().status, 200)

    def test_guessing_beside_the_phone(self) -> None:
        """A guesser at the phone's own address, as behind the same NAT, disturbs a phone neither in use nor when it is back."""
        proof = self.credentials(self.ask(self.phone))
        self.assertEqual(self.ask(self.phone, credentials=proof).status, 200)
        neighbour = FakeHop(6000, "UDP", HOME)
        for at in range(3 * FREE):
            self.register(neighbour, f"guess {at}")
        self.assertEqual(self.register(neighbour).status, 503)
        sent = replace(proof, nc="00000002")
        sent = replace(
            sent, response=answer(sent, "REGISTER", secret(SHA256, "alice", "example.com", PASSWORD))
        )
        self.assertEqual(self.ask(self.phone, credentials=sent).status, 200)
        self.register(neighbour, "guess")
        self.assertEqual(self.register(neighbour).status, 503)
        self.assertEqual(self.register(self.phone).status, 200)

    def test_who_is_registered(self) -> None:
        """Who names a person in any place of a request, or where a phone is, does not learn whether it is registered here."""
        nobody = "anonymous@anonymous.invalid"
        where = f"<sip:alice@{HOME}:5070>"
        named: tuple[dict[str, Any], ...] = (
            {"P_Preferred_Identity": f"<sip:{ALICE}>"},
            {"P_Asserted_Identity": f"<sip:dave@example.org>, <sip:{ALICE}>"},
            {"Contact": where},
            {"P_Preferred_Identity": "<tel:+358>", "Contact": where},
        )
        told = []
        for registers in (False, True):
            if registers:
                self.register()
            for headers in named:
                hop = FakeHop(5071, "UDP", EVIL)
                asked = self.ask(hop, "MESSAGE", uri=f"sip:{BOB}", sender=nobody, **headers)
                told.append(
                    [line.partition("realm=")[2].split(",")[0] for line in asked.lines("Proxy-Authenticate")]
                )
        self.assertTrue(all(told))
        self.assertEqual(told[:4], told[4:])

    def within(self) -> dict[str, Any]:
        """Let Alice's phone call Bob, who answers; return what makes a request one of that dialog."""
        self.register()
        invite: dict[str, Any] = {"Call_ID": "c2", "Contact": f"<sip:alice@{HOME}:5070>"}
        proof = self.credentials(self.ask(self.phone, "INVITE", uri=URI, **invite), "INVITE", URI)
        invite["Proxy_Authorization"] = str(proof)
        self.station.from_phone(self.phone, "INVITE", URI, ALICE, BOB, OFFER, **invite)
        self.peer = FakePeer(ALICE, BOB)
        self.station.overlay.searches[0].reach(self.peer)
        self.station.answer(self.peer.requests()[0], 200, self.peer, LINK_OFFER, Contact=f"<{URI}>")
        return {"To": f"<sip:{BOB}>;tag=t1", "Call_ID": "c2"}

    def test_dialog_of_another(self) -> None:
        """Whoever knows the tags of a dialog sends nothing in it by the password of another name."""
        bye = {"CSeq": "901 BYE", **self.within()}
        self.station.secrets.passwords[BOB, "bob"] = PASSWORD
        self.station.from_phone(self.attacker, "BYE", URI, BOB, BOB, **bye)
        bye["Proxy_Authorization"] = str(
            self.credentials(self.attacker.responses()[-1], "BYE", URI, username="bob")
        )
        self.station.from_phone(self.attacker, "BYE", URI, BOB, BOB, **bye)
        self.assertEqual([each.status for each in self.attacker.responses()[-2:]], [407, 407])
        self.assertNotIn("BYE", [each.method for each in self.peer.requests()])

    def test_register_in_a_dialog(self) -> None:
        """Within its dialog a phone need not prove itself, but registers nobody else there."""
        register = {"CSeq": "901 REGISTER", "Contact": f"<sip:bob@{HOME}:5070>", **self.within()}
        self.station.from_phone(self.phone, "REGISTER", "sip:example.com", ALICE, BOB, **register)
        self.assertEqual(self.phone.responses()[-1].status, 401)
        self.assertEqual(self.station.bindings.of(BOB), [])

    def test_cancel(self) -> None:
        """Nobody cancels another's call, though CANCEL cannot be challenged."""
        self.station.register(ALICE)
        invite = self.station.from_phone(
            self.station.phone(), "INVITE", f"sip:{BOB}", ALICE, BOB, Contact="<sip:alice@127.0.0.1:5070>"
        )
        cancel = self.station.make(
            "CANCEL", invite.uri, ALICE, BOB, [("Via", str(invite.via)), ("CSeq", f"{invite.cseq[0]} CANCEL")]
        )
        self.station.deliver(cancel, self.attacker)
        self.assertEqual(self.attacker.responses()[-1].status, 481)
        self.assertFalse(self.station.overlay.searches[0].cancelled)

    def test_contact_elsewhere(self) -> None:
        """A phone in the network is only ever sent to where it is: its password turns this node against nobody else."""
        challenged = self.ask(self.phone)
        for contact in ("<sip:x@127.0.0.1:22>", f"<sip:x@{EVIL}:53>"):
            self.ask(self.phone, credentials=self.credentials(challenged), Contact=contact)
            challenged = self.ask(self.phone)
        peer = FakePeer(ALICE, BOB)
        self.station.from_peer(peer, "MESSAGE", f"sip:{ALICE}", BOB, ALICE)
        sent = [key for key, hop in self.station.hops.hops.items() if hop.requests()]
        self.assertEqual(sent, [("UDP", HOME, 5070)])

    def test_unreadable(self) -> None:
        """Half an answer, one to another realm or of another scheme is no answer, and fails nothing."""
        for value in (
            "Digest",
            "Digest username=",
            "Basic eDp5",
            'Digest realm="x"',
            "Digest " + "a=b, " * 30,
        ):
            self.assertEqual(self.ask(self.phone, Authorization=value).status, 401, value)
        self.assertEqual(self.facts, [])
