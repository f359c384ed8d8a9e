"""Tests for p2pship.sip.proxy."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip.message import Request
from tests.sip.fakes import FakeHop, FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"


class CallerTests(TestCase):
    """The half of a call at the caller's node."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.phone.sent.clear()
        self.peer = FakePeer(ALICE, BOB)

    def invite(self, **headers: str) -> Request:
        """Let alice's phone call bob."""
        return self.station.from_phone(
            self.phone,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            OFFER,
            Contact="<sip:alice@127.0.0.1:5070>",
            **headers,
        )

    def reach(self) -> Request:
        """Let the overlay reach bob, and return what he is sent."""
        self.station.overlay.searches[-1].reach(self.peer)
        return self.peer.requests()[-1]

    def ring_and_answer(self) -> Request:
        """Bring a call up; returns the INVITE that bob was sent."""
        self.invite()
        sent = self.reach()
        self.station.answer(sent, 180, self.peer, Contact=f"<sip:{BOB};gr=abc.1>")
        self.station.answer(sent, 200, self.peer, LINK_OFFER, Contact=f"<sip:{BOB};gr=abc.1>")
        return sent

    def test_trying_at_once(self) -> None:
        """An INVITE is answered with 100 before anybody is found."""
        self.invite()
        self.assertEqual([message.status for message in self.phone.sent], [100])  # type: ignore[attr-defined]

    def test_link_shows_no_address(self) -> None:
        """What goes over the link has neither the phone's address nor its Vias, but a GRUU and the flow number."""
        self.invite(Record_Route="<sip:127.0.0.1:9;lr>", P_Asserted_Identity="<sip:eve@example.com>")
        sent = self.reach()
        self.assertNotIn(b"127.0.0.1", sent.encode())
        self.assertEqual(len(sent.lines("Via")), 1)
        self.assertIn(f"<sip:{ALICE};gr=", sent.first("Contact") or "")
        self.assertIn(b"m=audio 100 RTP/AVP 8", sent.body)
        self.assertIsNone(sent.first("P-Asserted-Identity"))
        self.assertEqual(sent.max_forwards, 69)

    def test_ringback_and_answer(self) -> None:
        """The phone hears 180 and 200 with its own Vias, our Record-Route, the peer's Contact, and our port."""
        self.ring_and_answer()
        ringing, answer = self.phone.responses()
        self.assertEqual([ringing.status, answer.status], [180, 200])
        self.assertIn("127.0.0.1:5070", answer.first("Via") or "")
        names = [line.partition(b":")[0] for line in answer.encode().split(b"\r\n")[1:3]]
        self.assertEqual(names, [b"Via", b"Record-Route"])
        self.assertEqual(answer.lines("Record-Route"), ["<sip:127.0.0.1:5060;transport=udp;lr>"])
        self.assertIn("gr=abc.1", answer.first("Contact") or "")
        self.assertIn(b"m=audio 20000 RTP/AVP 8", answer.body)
        self.assertEqual(self.station.relays.opened[0].effective["peer"], (40, 41))

    def test_bye_ends_everything(self) -> None:
        """After BYE no dialog, relay or watch is left."""
        self.ring_and_answer()
        self.station.from_phone(
            self.phone, "BYE", f"sip:{BOB};gr=abc.1", ALICE, BOB, To=f"<sip:{BOB}>;tag=t1", CSeq="90 BYE"
        )
        bye = self.peer.requests()[-1]
        self.assertEqual(bye.method, "BYE")
        self.station.answer(bye, 200, self.peer)
        self.assertEqual(self.phone.responses()[-1].status, 200)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 0)
        self.assertEqual(self.station.relays.live(), [])
        self.assertEqual(self.peer.watched, 0)

    def test_contact_without_a_user(self) -> None:
        """A peer whose Contact names no user is hung up all the same: within a dialog, the dialog says where to."""
        self.invite()
        sent = self.reach()
        self.station.answer(sent, 200, self.peer, LINK_OFFER, Contact="<sip:example.com;gr=abc.1>")
        self.station.from_phone(
            self.phone, "BYE", "sip:example.com;gr=abc.1", ALICE, BOB, To=f"<sip:{BOB}>;tag=t1"
        )
        self.assertEqual(self.peer.requests()[-1].method, "BYE")

    def test_cancel_during_lookup(self) -> None:
        """CANCEL before anybody is reached ends the search with 487, and no INVITE is ever sent."""
        invite = self.invite()
        self.cancel(invite)
        self.assertEqual([response.status for response in self.phone.responses()], [200, 487])
        self.assertTrue(self.station.overlay.searches[-1].cancelled)
        self.station.overlay.searches[-1].reach(self.peer)
        self.assertEqual(self.peer.requests(), [])

    def cancel(self, invite: Request) -> None:
        """Let the phone cancel its INVITE."""
        self.station.from_phone(
            self.phone,
            "CANCEL",
            f"sip:{BOB}",
            ALICE,
            BOB,
            Via=invite.first("Via") or "",
            CSeq=f"{invite.cseq[0]} CANCEL",
            Reason='SIP;cause=200;text="elsewhere"',
        )

    def test_cancel_while_ringing(self) -> None:
        """CANCEL goes on to the peer with its Reason, and its 487 comes back; all is closed."""
        invite = self.invite()
        sent = self.reach()
        self.station.answer(sent, 180, self.peer, Contact=f"<sip:{BOB};gr=abc.1>")
        self.cancel(invite)
        cancel = self.peer.requests()[-1]
        self.assertEqual(
            (cancel.method, cancel.first("Reason")), ("CANCEL", 'SIP;cause=200;text="elsewhere"')
        )
        self.station.answer(cancel, 200, self.peer)
        self.station.answer(sent, 487, self.peer)
        self.assertEqual(self.phone.responses()[-1].status, 487)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 0)
        self.assertEqual(self.station.relays.live(), [])

    def test_cancel_crosses_the_answer(self) -> None:
        """A CANCEL that comes after the 200 changes nothing: the call is up, and the phone ends it with BYE."""
        invite = self.invite()
        sent = self.reach()
        self.station.answer(sent, 200, self.peer, LINK_OFFER, Contact=f"<sip:{BOB};gr=abc.1>")
        self.cancel(invite)
        self.assertEqual([response.status for response in self.phone.responses()], [200, 200])
        self.assertEqual(len(self.station.proxy.calls.dialogs), 1)

    def test_busy(self) -> None:
        """A peer's 486 reaches the phone, and its relays are closed."""
        self.invite()
        self.station.answer(self.reach(), 486, self.peer)
        self.station.overlay.searches[-1].end()
        self.assertEqual(self.phone.responses()[-1].status, 486)
        self.assertEqual(self.station.relays.live(), [])
        self.assertEqual(self.peer.watched, 0)

    def test_not_registered(self) -> None:
        """A name that no phone has registered is refused, and the log says what to do."""
        self.station.from_phone(self.phone, "MESSAGE", f"sip:{BOB}", "carol@example.com", BOB)
        self.assertEqual(self.phone.responses()[-1].status, 403)
        self.assertEqual(self.station.journal.counts["RequestRefused"], 1)
        self.assertEqual(self.station.overlay.searches, [])

    def test_unknown(self) -> None:
        """Somebody whom nobody knows is 404."""
        self.invite()
        self.station.overlay.searches[-1].end()
        self.assertEqual(self.phone.responses()[-1].status, 404)
        self.assertEqual(self.station.journal.counts["CallFailed"], 1)

    def test_silent_peer(self) -> None:
        """A peer whose node says nothing counts as gone within 5 s; when it speaks after all, it hears CANCEL."""
        self.invite()
        sent = self.reach()
        self.station.overlay.searches[-1].end()
        self.station.clock.pump([0.5] * 9)
        self.assertEqual(self.phone.responses()[-1].status, 480)
        self.station.answer(sent, 180, self.peer)
        self.assertEqual(self.peer.requests()[-1].method, "CANCEL")

    def test_hold_and_failed_hold(self) -> None:
        """A re-INVITE takes effect when it is answered; one that fails leaves the media as it was."""
        self.ring_and_answer()
        relay = self.station.relays.opened[0]
        before = dict(relay.effective)
        self.reinvite(OFFER.replace(b"14440", b"14500"))
        self.station.answer(self.peer.requests()[-1], 488, self.peer)
        self.assertEqual(relay.effective, before)
        self.reinvite(OFFER.replace(b"14440", b"14500"))
        self.station.answer(
            self.peer.requests()[-1], 200, self.peer, LINK_OFFER, Contact=f"<sip:{BOB};gr=abc.1>"
        )
        self.assertEqual(relay.effective["phone"][0].port, 14500)
        self.assertEqual(len(self.station.relays.opened), 1)

    def reinvite(self, body: bytes) -> None:
        """Let the phone change the session."""
        self.station.from_phone(
            self.phone,
            "INVITE",
            f"sip:{BOB};gr=abc.1",
            ALICE,
            BOB,
            body,
            To=f"<sip:{BOB}>;tag=t1",
            Contact="<sip:alice@127.0.0.1:5070>",
        )

    def test_peer_lost(self) -> None:
        """A peer out of reach for 30 s: the phone gets BYE with a Reason, and nothing is left."""
        self.ring_and_answer()
        self.peer.lost_since = self.station.clock.seconds()
        self.station.clock.pump([1.0] * 29)
        self.assertEqual(self.phone.requests(), [])
        self.station.clock.pump([1.0] * 2)
        bye = self.phone.requests()[0]
        self.assertEqual((bye.method, bye.uri), ("BYE", "sip:alice@127.0.0.1:5070"))
        self.assertIn("cause=480", bye.first("Reason") or "")
        self.assertEqual((bye.from_.tag, bye.to.tag), ("t1", "f1"))
        self.assertEqual(self.station.relays.live(), [])

    def test_peer_lost_before_it_rang(self) -> None:
        """A peer that said no more than 100 and is out of reach for 30 s: the caller hears 480, and nothing is left."""
        self.invite()
        sent = self.reach()
        self.station.overlay.searches[-1].end()
        self.station.answer(sent, 100, self.peer)
        self.peer.lost_since = self.station.clock.seconds()
        self.station.clock.pump([1.0] * 31)
        self.assertEqual(self.phone.responses()[-1].status, 480)
        self.assertEqual((self.station.relays.live(), self.peer.watched), ([], 0))

    def test_own_address(self) -> None:
        """A name at the node's own address is read at the caller's domain, and the phone sees what it wrote."""
        self.station.from_phone(
            self.phone,
            "INVITE",
            "sip:bob@127.0.0.1:5060",
            ALICE,
            "bob@127.0.0.1:5060",
            OFFER,
            Contact="<sip:alice@127.0.0.1:5070>",
        )
        self.assertEqual(self.station.overlay.searches[-1].aor, BOB)
        sent = self.reach()
        self.assertEqual((sent.uri, sent.to.uri), (f"sip:{BOB}", f"sip:{BOB}"))
        self.station.answer(sent, 180, self.peer, Contact=f"<sip:{BOB};gr=abc.1>")
        self.assertEqual(self.phone.responses()[-1].first("To"), "<sip:bob@127.0.0.1:5060>;tag=t1")

    def test_loop(self) -> None:
        """A request with no hops left is 483."""
        self.station.from_phone(self.phone, "MESSAGE", f"sip:{BOB}", ALICE, BOB, Max_Forwards="0")
        self.assertEqual(self.phone.responses()[-1].status, 483)

    def test_why_not(self) -> None:
        """A phone is told in words why it was refused: telephones show a Warning."""
        self.station.from_phone(self.phone, "MESSAGE", f"sip:{BOB}", "carol@example.com", BOB)
        self.assertIn("register first", self.phone.responses()[-1].first("Warning") or "")

    def test_keep_alive_to_the_domain(self) -> None:
        """OPTIONS to the domain where a phone believes its registrar to be is answered too."""
        self.station.from_phone(self.phone, "OPTIONS", "sip:example.com", ALICE, "example.com")
        self.assertEqual(self.phone.responses()[-1].status, 200)
        self.station.from_phone(self.phone, "MESSAGE", "sip:example.com", ALICE, "example.com")
        self.assertEqual(self.phone.responses()[-1].status, 404)

    def test_options_to_the_node(self) -> None:
        """A phone's OPTIONS to the node itself, a keep-alive, is answered."""
        self.station.from_phone(self.phone, "OPTIONS", "sip:127.0.0.1:5060", ALICE, "127.0.0.1")
        self.assertEqual(self.phone.responses()[-1].status, 200)


class CalleeTests(TestCase):
    """The half of a call at the callee's node."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(BOB, 5080)
        self.phone.sent.clear()
        self.peer = FakePeer(BOB, ALICE)

    def invite(self, **headers: str) -> Request:
        """Let alice's node call bob."""
        return self.station.from_peer(
            self.peer,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            LINK_OFFER,
            **{"Contact": f"<sip:{ALICE};gr=aa.1>", **headers},
        )

    def up(self) -> None:
        """Bring a call up."""
        self.invite()
        received = self.phone.requests()[-1]
        self.station.answer(received, 200, self.phone, OFFER, Contact="<sip:bob@127.0.0.1:5080>")

    def test_phone_sees_only_its_node(self) -> None:
        """The phone is sent its own Contact as target, our Via and Record-Route, our port, and who it is."""
        self.invite(From=f'"Bank" <sip:{ALICE}>;tag=f1', P_Asserted_Identity="<sip:bank@example.com>")
        received = self.phone.requests()[-1]
        self.assertEqual(received.uri, "sip:bob@127.0.0.1:5080")
        self.assertEqual(received.lines("Record-Route"), ["<sip:127.0.0.1:5060;transport=udp;lr>"])
        self.assertEqual(received.from_.display, f"Bank {ALICE}")
        self.assertEqual(received.lines("P-Asserted-Identity"), [f"<sip:{ALICE}>"])
        self.assertIn(b"m=audio 20000 RTP/AVP 8", received.body)
        self.assertIn(b"c=IN IP4 127.0.0.1", received.body)

    def test_answer(self) -> None:
        """The link is shown a GRUU and a flow number, and the media takes effect."""
        self.up()
        answer = self.peer.responses()[-1]
        self.assertNotIn(b"127.0.0.1", answer.encode())
        self.assertIn(f"sip:{BOB};gr=", answer.first("Contact") or "")
        self.assertIn(b"m=audio 100 RTP/AVP 8", answer.body)
        self.assertEqual(self.station.relays.opened[0].effective["phone"][0].port, 14440)

    def test_ack_and_bye_from_the_peer(self) -> None:
        """ACK and BYE within the dialog reach the phone at its Contact."""
        self.up()
        tagged = {"To": f"<sip:{BOB}>;tag=t1"}
        self.station.from_peer(self.peer, "ACK", f"sip:{BOB};gr=x", ALICE, BOB, b"", **tagged)
        self.station.from_peer(self.peer, "BYE", f"sip:{BOB};gr=x", ALICE, BOB, b"", **tagged)
        self.assertEqual([each.method for each in self.phone.requests()], ["INVITE", "ACK", "BYE"])
        self.assertEqual(self.phone.requests()[-1].uri, "sip:bob@127.0.0.1:5080")
        self.station.answer(self.phone.requests()[-1], 200, self.phone)
        self.assertEqual(self.station.relays.live(), [])

    def test_another_peer_cannot_end_it(self) -> None:
        """A peer that copies the tags of another's dialog gets 481."""
        self.up()
        eve = FakePeer(BOB, "eve@example.com")
        self.station.from_peer(eve, "BYE", f"sip:{BOB}", ALICE, BOB, To=f"<sip:{BOB}>;tag=t1")
        self.assertEqual(eve.responses()[-1].status, 481)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 1)

    def test_forged_from(self) -> None:
        """A From that is not the peer's is 403 and counted, and no phone hears of it."""
        self.station.from_peer(self.peer, "MESSAGE", f"sip:{BOB}", "carol@example.com", BOB)
        self.assertEqual(self.peer.responses()[-1].status, 403)
        self.assertEqual(self.station.journal.counts["screen.forged-from"], 1)
        self.assertEqual(self.phone.requests(), [])

    def test_open_relay(self) -> None:
        """A request for a third person is 403: nothing is passed on to another peer."""
        self.station.from_peer(self.peer, "MESSAGE", "sip:carol@example.com", ALICE, "carol@example.com")
        self.assertEqual(self.peer.responses()[-1].status, 403)
        self.assertEqual(self.station.overlay.searches, [])

    def test_unregistered(self) -> None:
        """Nobody registered under the name: 480."""
        self.station.register(BOB, 5080, expires="0")
        self.invite()
        self.assertEqual(self.peer.responses()[-1].status, 480)

    def test_two_phones(self) -> None:
        """Both phones ring; when one answers, the other is cancelled and its relay closed."""
        other = self.station.register(BOB, 5090)
        other.sent.clear()
        self.invite()
        first, second = self.phone.requests()[-1], other.requests()[-1]
        self.station.answer(first, 180, self.phone, tag="t1", Contact="<sip:bob@127.0.0.1:5080>")
        self.station.answer(second, 180, other, tag="t2", Contact="<sip:bob@127.0.0.1:5090>")
        self.station.answer(first, 200, self.phone, OFFER, tag="t1", Contact="<sip:bob@127.0.0.1:5080>")
        self.assertEqual(other.requests()[-1].method, "CANCEL")
        self.station.answer(second, 487, other, tag="t2")
        self.assertEqual(len(self.station.relays.live()), 1)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 1)
        self.assertEqual([response.status for response in self.peer.responses()], [180, 180, 200])

    def test_preference(self) -> None:
        """A phone with a lower q rings only when the others have failed."""
        self.station.register(BOB, 5080, "<sip:bob@127.0.0.1:5080>;q=0.2")
        other = self.station.register(BOB, 5090, "<sip:bob@127.0.0.1:5090>;q=0.9")
        self.phone.sent.clear()
        other.sent.clear()
        self.invite()
        self.assertEqual(self.phone.requests(), [])
        self.station.answer(other.requests()[-1], 486, other)
        self.assertEqual(len(self.phone.requests()), 1)

    def test_calling_oneself(self) -> None:
        """A request to one's own name reaches the other phones of that name, not the one that sends it."""
        own = FakePeer(BOB, BOB, self.station.keyring.device.hit)
        other = self.station.register(BOB, 5090)
        for method in ("INVITE", "MESSAGE"):
            self.phone.sent.clear()
            other.sent.clear()
            contact = "<sip:bob@127.0.0.1:5080>" if method == "INVITE" else ""
            self.station.from_phone(self.phone, method, f"sip:{BOB}", BOB, BOB, Contact=contact)
            self.station.overlay.searches[-1].reach(own)
            self.station.proxy.message_from_peer(own, own.requests()[-1])
            self.assertEqual(self.phone.requests(), [])
            self.assertEqual([each.method for each in other.requests()], [method])

    def test_dead_phone(self) -> None:
        """A phone that says nothing at all counts as gone, in time for the caller to hear it within 5 s."""
        self.invite()
        self.station.clock.pump([0.5] * 8)
        self.assertEqual(self.peer.responses()[-1].status, 480)
        self.assertNotIn(b"127.0.0.1", self.peer.responses()[-1].encode())

    def test_caller_lost_while_ringing(self) -> None:
        """A caller out of reach for 30 s: the phone stops ringing."""
        self.invite()
        self.station.answer(self.phone.requests()[-1], 180, self.phone, Contact="<sip:bob@127.0.0.1:5080>")
        self.peer.lost_since = self.station.clock.seconds()
        self.station.clock.pump([1.0] * 31)
        self.assertEqual(self.phone.requests()[-1].method, "CANCEL")

    def test_routes_beyond_the_phone(self) -> None:
        """A phone behind a proxy of its own: Path leads the INVITE there, Record-Route what follows."""
        hop: FakeHop = self.station.phone(5099)
        self.station.from_phone(
            hop,
            "REGISTER",
            "sip:example.com",
            BOB,
            BOB,
            Contact="<sip:bob@10.0.0.9>",
            Path="<sip:127.0.0.1:5099;lr>",
        )
        self.station.register(BOB, 5080, expires="0")
        hop.sent.clear()
        self.invite()
        received = hop.requests()[-1]
        self.assertEqual(received.lines("Route"), ["<sip:127.0.0.1:5099;lr>"])
        routes = ["<sip:127.0.0.1:5099;lr>", *received.lines("Record-Route")]
        self.station.answer(
            received, 200, hop, OFFER, Contact="<sip:bob@10.0.0.9>", Record_Route=", ".join(routes)
        )
        self.station.from_peer(self.peer, "BYE", f"sip:{BOB}", ALICE, BOB, To=f"<sip:{BOB}>;tag=t1")
        bye = hop.requests()[-1]
        self.assertEqual((bye.uri, bye.lines("Route")), ("sip:bob@10.0.0.9", ["<sip:127.0.0.1:5099;lr>"]))
