"""Tests for p2pship.sip.forwarding, and for the Contacts that a node shows of its phones' 3xx."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.journal import CallForwarded, CallSetUp, Fact
from p2pship.sip.forwarding import MOST_TARGETS
from p2pship.sip.message import Request, Response
from p2pship.sip.references import MOST_CONTACTS
from tests.sip.fakes import HIT, OTHER_HIT, FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB, CAROL, DAVE = "alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com"


class CallerTests(TestCase):
    """The node of who calls: it asks those to whom the call is forwarded."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.facts: list[Fact] = []
        self.station.journal.watch(self.facts.append)

    def invite(self) -> Request:
        """Let alice call bob; returns what bob's node gets."""
        self.station.from_phone(
            self.phone, "INVITE", f"sip:{BOB}", ALICE, BOB, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        return self.reach(BOB)

    def reach(self, aor: str) -> Request:
        """Reach who is searched for last, and return what they get."""
        search = self.station.overlay.searches[-1]
        self.assertEqual(search.aor, aor)
        self.peer = FakePeer(ALICE, aor)
        search.reach(self.peer)
        search.end()
        return self.peer.requests()[-1]

    def forward(self, invite: Request, contacts: str, status: int = 302) -> None:
        """Let who was asked last point to others."""
        self.station.answer(invite, status, self.peer, Contact=contacts)

    def final(self) -> Response:
        """Return what alice's phone heard last."""
        return self.phone.responses()[-1]

    def test_followed(self) -> None:
        """Who is pointed to gets the same call: only the Request-URI is another (RFC 3261 §8.1.3.4)."""
        first = self.invite()
        self.forward(first, f'"Carol" <sip:{CAROL}>;q=0.5')
        second = self.reach(CAROL)
        self.assertEqual(second.uri, f"sip:{CAROL}")
        for name in ("Call-ID", "From", "To", "CSeq"):
            self.assertEqual(second.first(name), first.first(name))
        self.station.answer(second, 200, self.peer, LINK_OFFER, Contact=f"<sip:{CAROL};gr=c.1>", tag="t2")
        self.assertEqual(self.final().status, 200)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 1)
        self.assertEqual(len(self.station.relays.live()), 1)
        (fact,) = [fact for fact in self.facts if isinstance(fact, CallForwarded)]
        self.assertEqual(fact.target, CAROL)
        self.assertIn(CAROL, str(fact))

    def test_order(self) -> None:
        """The preferred ones are asked first, and the others when they have failed."""
        self.forward(self.invite(), f"<sip:{DAVE}>;q=0.2, <sip:{CAROL}>;q=0.7")
        self.assertEqual([each.aor for each in self.station.overlay.searches], [BOB, CAROL])
        self.station.answer(self.reach(CAROL), 486, self.peer)
        self.station.answer(self.reach(DAVE), 486, self.peer)
        self.assertEqual(self.final().status, 486)
        self.assertEqual(self.station.proxy.pending, 0)

    def test_stages(self) -> None:
        """Where the time went is told of who was reached, also when another is still searched for."""
        self.forward(self.invite(), f"<sip:{CAROL}>, <sip:{DAVE}>")
        carol = FakePeer(ALICE, CAROL)
        self.station.overlay.searches[1].reach(carol)
        self.station.answer(carol.requests()[-1], 200, carol, LINK_OFFER, Contact=f"<sip:{CAROL};gr=c.1>")
        (fact,) = [fact for fact in self.facts if isinstance(fact, CallSetUp)]
        self.assertGreater(fact.lookup + fact.dial + fact.hello, 0)

    def test_one_phone(self) -> None:
        """A GRUU leads to the one device that it names."""
        self.forward(self.invite(), f"<sip:{CAROL};gr={HIT.hex()}.1>")
        search = self.station.overlay.searches[-1]
        other, right = FakePeer(ALICE, CAROL, OTHER_HIT), FakePeer(ALICE, CAROL, HIT)
        search.reach(other)
        search.reach(right)
        self.assertEqual((len(other.requests()), len(right.requests())), (0, 1))
        self.assertEqual(right.requests()[0].uri, f"sip:{CAROL};gr={HIT.hex()}.1")

    def test_circle(self) -> None:
        """Bob points to carol, and carol to bob: nobody is asked twice, and 482 says why."""
        self.forward(self.invite(), f"<sip:{CAROL}>")
        self.forward(self.reach(CAROL), f"<sip:{BOB.upper().replace('BOB', 'bob')}:5060>")
        self.assertEqual(self.final().status, 482)
        self.assertEqual(len(self.station.overlay.searches), 2)
        self.assertEqual(self.station.proxy.pending, 0)

    def test_endless_chain(self) -> None:
        """Whoever always knows somebody else is believed only so often."""
        invite = self.invite()
        for number in range(2, MOST_TARGETS + 1):
            self.forward(invite, f"<sip:p{number}@example.com>")
            invite = self.reach(f"p{number}@example.com")
        self.forward(invite, "<sip:once.more@example.com>")
        self.assertEqual(self.final().status, 482)
        self.assertEqual(len(self.station.overlay.searches), MOST_TARGETS)

    def test_flood(self) -> None:
        """A 302 with a hundred Contacts makes nobody's telephone ring."""
        self.forward(self.invite(), ", ".join(f"<sip:p{number}@example.com>" for number in range(100)))
        self.assertEqual(len(self.station.overlay.searches), 1)
        self.assertEqual(self.final().status, 482)

    def test_left_to_the_phone(self) -> None:
        """What is no person, wants more than a call, or means something else, is left to the phone."""
        for status, contact in (
            (302, "<tel:+358401234567>"),
            (302, "<mailto:bob@example.com>"),
            (302, f"<sips:{CAROL}>"),
            (302, f"<sip:{CAROL}?Replaces=x>"),
            (305, f"<sip:{CAROL}>"),
            (380, f"<sip:{CAROL}>"),
        ):
            self.forward(self.invite(), contact, status)
            self.assertEqual((self.final().status, self.final().lines("Contact")), (status, [contact]))
            self.assertEqual(self.station.overlay.searches[-1].aor, BOB, contact)

    def test_leads_past_this_node(self) -> None:
        """No Contact of a peer's leads our phone to this machine, or straight to an address that then knows ours."""
        for status, contact in (
            (302, "<sip:127.0.0.1:8080>"),
            (302, "<sip:x@127.0.0.1:8080>"),
            (305, "<sip:192.0.2.66;lr>"),
            (380, "<sips:x@[2001:db8::66]>"),
            (485, "<sip:x@127.1>"),
            (
                300,
                f"<sip:{CAROL};maddr=192.0.2.66>;q=0.1, <tel:+358>;expires=0, <sip:[::]>, <sip:x@y.localhost>",
            ),
            (302, "<sip:>"),
        ):
            self.forward(self.invite(), contact, status)
            if "maddr" in contact:  # she is asked all the same, as nobody goes by maddr here
                self.station.overlay.searches[-1].end()
            left = [value for value in self.final().values("Contact") if not value.startswith("<tel:")]
            self.assertEqual((self.final().status, left), (status, []), contact)

    def test_commands_in_what_is_left(self) -> None:
        """A Contact that the phone may follow has it say nothing about where it is, or who."""
        self.forward(self.invite(), f"<sip:{CAROL}?Route=%3Csip:192.0.2.66%3E&Subject=x>")
        self.assertEqual(self.final().values("Contact"), [f"<sip:{CAROL}?Subject=x>"])

    def test_some_are_left(self) -> None:
        """When those who can be asked are not there, the phone hears what is left."""
        self.forward(self.invite(), f"<sip:{CAROL}>, <tel:+358>", 300)
        self.station.overlay.searches[-1].end()
        self.assertEqual(self.final().status, 300)
        self.assertEqual(self.final().lines("Contact"), ["<tel:+358>"])

    def test_nobody_there(self) -> None:
        """When who is pointed to is not found, the caller hears that."""
        self.forward(self.invite(), f"<sip:{CAROL}>")
        self.station.overlay.searches[-1].end()
        self.assertEqual(self.final().status, 404)

    def test_given_up(self) -> None:
        """CANCEL ends the search for who was pointed to, and those who wait are not asked."""
        self.forward(self.invite(), f"<sip:{CAROL}>, <sip:{DAVE}>;q=0.1")
        search = self.station.overlay.searches[-1]
        (transaction,) = self.station.proxy._under_way
        sent = transaction.request
        self.station.from_phone(
            self.phone,
            "CANCEL",
            sent.uri,
            ALICE,
            BOB,
            Via=sent.first("Via") or "",
            CSeq=f"{sent.cseq[0]} CANCEL",
        )
        self.assertTrue(search.cancelled)
        self.assertEqual(self.final().status, 487)
        self.assertEqual(len(self.station.overlay.searches), 2)

    def test_declined(self) -> None:
        """A 6xx is the last word (RFC 3261 §16.7 item 5)."""
        self.forward(self.invite(), f"<sip:{CAROL}>, <sip:{DAVE}>;q=0.1")
        self.station.answer(self.reach(CAROL), 603, self.peer)
        self.assertEqual(self.final().status, 603)
        self.assertEqual(len(self.station.overlay.searches), 2)

    def test_only_calls(self) -> None:
        """A text is for the person it was written to: where else they may be asked is left to its sender."""
        self.station.from_phone(self.phone, "MESSAGE", f"sip:{BOB}", ALICE, BOB)
        self.forward(self.reach(BOB), f"<sip:{CAROL}>")
        self.assertEqual(self.final().status, 302)
        self.assertEqual(len(self.station.overlay.searches), 1)


class CalleeTests(TestCase):
    """The node of who is called: it forwards nothing, and shows no address."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(BOB)
        self.peer = FakePeer(BOB, ALICE)

    def point(self, contacts: str, status: int = 302, naming: str = "example.com") -> list[str]:
        """Let bob's phone answer a call so; returns the Contacts that alice's node sees."""
        self.station.from_peer(
            self.peer,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            LINK_OFFER,
            Contact=f"<sip:{ALICE};gr=a.1>",
            Call_ID=self.station.random(4).hex(),
        )
        asked = self.phone.requests()[-1]
        self.station.answer(asked, status, self.phone, Contact=contacts, Diversion=f"<sip:carol@{naming}>")
        response = self.peer.responses()[-1]
        self.assertEqual(response.status, status)
        self.assertNotIn(b"127.0.0.1", response.encode())
        return response.values("Contact")

    def test_nobody_is_called(self) -> None:
        """A peer's 3xx, as anybody's, is passed on: this node calls nobody on behalf of others (no open relay)."""
        self.point(f"<sip:{CAROL}>")
        self.assertEqual(self.station.overlay.searches, [])

    def test_names_are_true_everywhere(self) -> None:
        """A person at the node's own address becomes a real one, a registered phone its GRUU; the q stays."""
        self.station.register(DAVE, 5071)
        (token,) = [each.token for each in self.station.bindings.of(DAVE)]
        for contact, expected in (
            (f"<sip:{CAROL}>;q=0.3", f"<sip:{CAROL}>;q=0.3"),
            ("<sip:carol@127.0.0.1:5060;transport=udp>", f"<sip:{CAROL}>"),
            ("<sip:dave@127.0.0.1:5071>;q=1", f"<sip:{DAVE};gr={HIT.hex()}.{token}>;q=1"),
            ("<tel:+358>", "<tel:+358>"),
        ):
            for status in (300, 302, 305, 380, 485):
                self.assertEqual(self.point(contact, status), [expected], contact)

    def test_any_response(self) -> None:
        """Phones write their Contacts, and who forwarded them, into any response: nobody else sees where they are."""
        for status in (180, 200, 404, 486, 500, 603):
            shown = self.point(
                "<sip:bob@127.0.0.1:5070>, <sip:bob@127.0.0.1:5071>", status, naming="127.0.0.1"
            )
            (token,) = [each.token for each in self.station.bindings.of(BOB)]
            self.assertEqual(shown, [f"<sip:{BOB};gr={HIT.hex()}.{token}>"] if status < 300 else [], status)
            self.assertEqual(self.peer.responses()[-1].first("Diversion"), f"<sip:{CAROL}>")

    def test_a_thousand(self) -> None:
        """Whoever points to a thousand has a few of them passed on: in more lines than the other node takes they pass not
        at all, and the caller would wait for minutes."""
        shown = self.point(", ".join(f"<sip:p{number}@example.com>" for number in range(500)))
        self.assertEqual(len(shown), MOST_CONTACTS)

    def test_no_address_leaks(self) -> None:
        """What names only a machine in this house is left out."""
        for contact in (
            "<sip:127.0.0.1:5070>",
            "<sip:192.0.2.7>",
            "<sip:bob@10.1.2.3:5062>",
            "<sip:bob@[fd00::1]>",
        ):
            self.assertEqual(self.point(f"{contact}, <sip:{CAROL}>"), [f"<sip:{CAROL}>"], contact)
        self.assertEqual(self.point('"x" <sip:@127.0.0.1>'), [])
