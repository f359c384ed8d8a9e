"""Tests for p2pship.sip.within and p2pship.sip.transfers: transfers within calls, and dialogs that a node has forgotten."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip import transfers
from p2pship.sip.message import Request
from p2pship.trust.wish import Decision, Wish
from tests.sip.fakes import HIT, OTHER_HIT, FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
BOB_GRUU = f"sip:{BOB};gr={OTHER_HIT.hex()}.1"


class CallCase(TestCase):
    """Alice's node; its phone, and bob's node as a peer."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.peer = FakePeer(ALICE, BOB)

    def up(self) -> None:
        """Let alice's phone call bob, who answers."""
        self.station.from_phone(
            self.phone, "INVITE", f"sip:{BOB}", ALICE, BOB, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.station.overlay.searches[-1].reach(self.peer)
        invite = self.peer.requests()[-1]
        self.gruu = invite.first("Contact") or ""
        self.station.answer(invite, 200, self.peer, LINK_OFFER, Contact=f"<{BOB_GRUU}>")

    def say(self, method: str, body: bytes = b"", uri: str = BOB_GRUU, **headers: str) -> Request:
        """Let the phone send something within the call."""
        to = f"<sip:{BOB}>;tag=t1"
        return self.station.from_phone(self.phone, method, uri, ALICE, BOB, body, To=to, **headers)

    def hear(self, method: str, peer: FakePeer | None = None, body: bytes = b"", **headers: str) -> Request:
        """Let the peer send something within the call."""
        headers = {"From": f"<sip:{BOB}>;tag=t1", "To": f"<sip:{ALICE}>;tag=f1", **headers}
        uri = headers.pop("uri", f"sip:{ALICE}")
        return self.station.from_peer(peer or self.peer, method, uri, BOB, ALICE, body, **headers)

    def bye(self) -> None:
        """Let the phone hang up."""
        self.say("BYE")
        self.station.answer(self.peer.requests()[-1], 200, self.peer)

    def dialogs(self) -> int:
        """Return how many dialogs the node keeps."""
        return len(self.station.proxy.calls.dialogs)

    def last_to_peer(self) -> tuple[str, int]:
        """Return the method and status of what the peer was answered last."""
        response = self.peer.responses()[-1]
        return response.cseq[1], response.status


class MessageTests(CallCase):
    """A text within a call is a message like any other."""

    def test_screened(self) -> None:
        """Who may call and not write does not write within a call either; the call goes on, and the phone may write."""
        self.up()
        before = len(self.phone.requests())
        self.station.screening.decision = Decision(False, "strangers", "they may not write")
        self.hear("MESSAGE", body=b"buy", Content_Type="text/plain")
        self.assertEqual(self.station.screening.asked[-1], (ALICE, BOB, Wish.MESSAGE))
        self.assertEqual((self.last_to_peer(), len(self.phone.requests())), (("MESSAGE", 403), before))
        self.hear("INFO")
        self.assertEqual(self.phone.requests()[-1].method, "INFO")
        self.say("MESSAGE", b"no", Content_Type="text/plain")
        self.assertEqual(self.peer.requests()[-1].method, "MESSAGE")

    def test_let_in(self) -> None:
        """Whoever may write does so."""
        self.up()
        self.hear("MESSAGE", body=b"psst", Content_Type="text/plain")
        self.assertEqual(self.phone.requests()[-1].body, b"psst")


class TransferTests(CallCase):
    """REFER within a call, and the NOTIFYs about it."""

    def refer(self, target: str, **headers: str) -> Request:
        """Let the phone refer bob; returns what bob's node gets."""
        self.say(
            "REFER",
            b"",
            BOB_GRUU,
            Refer_To=target,
            Contact="<sip:alice@127.0.0.1:5070>",
            CSeq="77 REFER",
            **headers,
        )
        return self.peer.requests()[-1]

    def test_names_are_true_everywhere(self) -> None:
        """A person at the node's own address becomes a real one; nothing shows the phone's address or the node's."""
        self.up()
        for given, expected in {
            "<sip:carol@127.0.0.1:5060;transport=udp>": f"<sip:{CAROL}>",
            f'"Carol" <sip:{CAROL};gr=x.1>': f'"Carol" <sip:{CAROL};gr=x.1>',
            f"<sip:{CAROL}?Replaces=1%40127.0.0.1%3Bto-tag%3Da%3Bfrom-tag%3Db>": (
                f"<sip:{CAROL}?Replaces=1%40127.0.0.1%3Bto-tag%3Da%3Bfrom-tag%3Db>"
            ),
            f"<sip:{CAROL}?Route=%3Csip:127.0.0.1%3E>": f"<sip:{CAROL}>",
            "<sip:alice@127.0.0.1:5070>": f"<sip:{ALICE};gr={HIT.hex()}.",
            "tel:+358401234567": "tel:+358401234567",
        }.items():
            sent = self.refer(given, Referred_By="<sip:alice@127.0.0.1>")
            self.assertEqual((sent.first("Refer-To") or "")[: len(expected)], expected)
            self.assertEqual(sent.first("Referred-By"), f"<sip:{ALICE}>")
            self.assertNotIn(b"5070", sent.encode())
            self.station.answer(sent, 202, self.peer)

    def test_names_nobody(self) -> None:
        """An address at the node without a user is refused: it would show where the node is, and lead nowhere."""
        self.up()
        before = len(self.peer.requests())
        self.refer("<sip:127.0.0.1:5060>")
        self.assertEqual(self.phone.responses()[-1].status, 400)
        self.assertEqual(len(self.peer.requests()), before)

    def test_notify_after_bye(self) -> None:
        """Who was referred tells how it went though the call is over, and then nothing is left."""
        self.up()
        self.station.answer(self.refer(f"<sip:{CAROL}>"), 202, self.peer)
        self.bye()
        self.assertEqual(self.station.relays.live(), [])
        self.assertEqual(self.peer.watched, 0)
        self.hear("NOTIFY", Event="refer", Subscription_State="active;expires=60")
        self.station.answer(self.phone.requests()[-1], 200, self.phone)
        self.assertEqual(self.last_to_peer(), ("NOTIFY", 200))
        self.assertEqual(self.dialogs(), 1)
        self.hear("NOTIFY", Event="refer;id=77", Subscription_State="terminated;reason=noresource")
        self.station.answer(self.phone.requests()[-1], 200, self.phone)
        self.assertEqual(self.last_to_peer(), ("NOTIFY", 200))
        self.assertEqual(self.dialogs(), 0)

    def test_only_notices_after_bye(self) -> None:
        """A call that is over is not taken up again, and another peer's NOTIFY is none of this dialog."""
        self.up()
        self.station.answer(self.refer(f"<sip:{CAROL}>"), 202, self.peer)
        self.bye()
        for method in ("INVITE", "INFO", "BYE"):
            self.hear(method, Contact=f"<{BOB_GRUU}>")
            self.assertEqual(self.last_to_peer(), (method, 481))
        mallory = FakePeer(ALICE, "mallory@example.com")
        self.hear("NOTIFY", mallory, Event="refer", Subscription_State="terminated")
        self.assertEqual(mallory.responses()[-1].status, 481)
        self.assertEqual(self.dialogs(), 1)

    def test_refused_and_without_subscription(self) -> None:
        """A REFER that is refused, or makes no subscription (RFC 4488), leaves nothing when the call ends."""
        for status, headers in ((603, {}), (202, {"Refer_Sub": "false"}), (481, {})):
            self.up()
            self.station.answer(
                self.refer(f"<sip:{CAROL}>", Refer_Sub="false"), status, self.peer, b"", **headers
            )
            if status != 481:
                self.bye()
            self.assertEqual(self.dialogs(), 0, status)

    def test_forgotten(self) -> None:
        """A subscription of which nothing is heard any more ends by itself."""
        self.up()
        self.station.answer(self.refer(f"<sip:{CAROL}>"), 202, self.peer)
        self.bye()
        self.station.clock.advance(transfers.LASTS + 2)
        self.assertEqual(self.dialogs(), 0)

    def test_notify_refused(self) -> None:
        """481 to a NOTIFY ends the subscription, not the call (RFC 5057 §5.1)."""
        self.up()
        self.station.answer(self.refer(f"<sip:{CAROL}>"), 202, self.peer)
        self.hear("NOTIFY", Event="refer", Subscription_State="active")
        self.station.answer(self.phone.requests()[-1], 481, self.phone)
        self.assertEqual(self.dialogs(), 1)
        self.bye()
        self.assertEqual(self.dialogs(), 0)

    def test_peer_lost_meanwhile(self) -> None:
        """When the peer is gone nobody waits for its NOTIFY."""
        self.up()
        self.station.answer(self.refer(f"<sip:{CAROL}>"), 202, self.peer)
        self.bye()
        self.station.proxy.peer_lost(self.peer, "it restarted", self.station.proxy.sent_to(self.peer))
        self.assertEqual(self.dialogs(), 0)

    def test_fragment_shows_only_the_status(self) -> None:
        """A NOTIFY of our phone tells how its call went, but not the addresses in it."""
        self.up()
        self.hear("REFER", Refer_To=f"<sip:{CAROL}>", Contact=f"<{BOB_GRUU}>")
        self.station.answer(self.phone.requests()[-1], 202, self.phone)
        fragment = b"SIP/2.0 200 OK\r\nContact: <sip:carol@10.1.2.3>\r\nVia: SIP/2.0/UDP 127.0.0.1:5070\r\n"
        self.say(
            "NOTIFY",
            fragment,
            Event="refer",
            Subscription_State="terminated",
            Content_Type="message/sipfrag;version=2.0",
        )
        self.assertEqual(self.peer.requests()[-1].body, b"SIP/2.0 200 OK\r\n")

    def test_before_it_is_answered(self) -> None:
        """A stranger whose call only rings has nobody call anybody."""
        self.station.from_peer(
            self.peer,
            "INVITE",
            f"sip:{ALICE}",
            BOB,
            ALICE,
            LINK_OFFER,
            Contact=f"<{BOB_GRUU}>",
            From=f"<sip:{BOB}>;tag=t1",
        )
        self.station.answer(
            self.phone.requests()[-1], 180, self.phone, b"", tag="f1", Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.hear("REFER", Refer_To=f"<sip:{CAROL}>", Contact=f"<{BOB_GRUU}>")
        self.assertEqual(self.last_to_peer(), ("REFER", 403))
        self.assertEqual(self.phone.requests()[-1].method, "INVITE")

    def test_forged_referrer(self) -> None:
        """Within a call, too, a peer refers in its own name only: it is refused and counted, and the phone hears nothing."""
        self.up()
        heard = len(self.phone.requests())
        for target, referrer, rule in (
            (CAROL, CAROL, "forged-referrer"),
            ("x@127.0.0.1:8080", BOB, "refer-here"),
        ):
            named = {"Refer_To": f"<sip:{target}>", "Referred_By": f"<sip:{referrer}>"}
            self.hear("REFER", None, b"", Contact=f"<{BOB_GRUU}>", **named)
            self.assertEqual(self.last_to_peer(), ("REFER", 403))
            self.assertEqual(self.station.journal.counts[f"screen.{rule}"], 1)
        self.assertEqual(len(self.phone.requests()), heard)


class ForgottenTests(CallCase):
    """Requests in dialogs that this node does not know, as after a restart."""

    def own_gruu(self) -> str:
        """Return the GRUU of alice's phone."""
        (binding,) = self.station.bindings.of(ALICE)
        return f"sip:{ALICE};gr={HIT.hex()}.{binding.token}"

    def test_phone_hangs_up(self) -> None:
        """BYE goes to the device that the GRUU names, and to no other of that person."""
        self.say("BYE")
        search = self.station.overlay.searches[-1]
        self.assertEqual(search.aor, BOB)
        other = FakePeer(ALICE, BOB, HIT)
        search.reach(other)
        search.reach(self.peer)
        self.assertEqual(other.requests(), [])
        (bye,) = self.peer.requests()
        self.assertEqual((bye.method, bye.uri, bye.to.tag), ("BYE", BOB_GRUU, "t1"))
        self.station.answer(bye, 200, self.peer)
        self.assertEqual(self.phone.responses()[-1].status, 200)

    def test_device_is_gone(self) -> None:
        """When that device is not reached the phone hears so."""
        self.say("BYE")
        self.station.overlay.searches[-1].reach(FakePeer(ALICE, BOB, HIT))
        self.station.overlay.searches[-1].end()
        self.assertIn(self.phone.responses()[-1].status, (404, 480))

    def test_without_gruu(self) -> None:
        """Without a GRUU nobody knows which device has the dialog; and an UPDATE needs what was agreed before."""
        self.say("BYE", uri=f"sip:{BOB}")
        self.assertEqual(self.phone.responses()[-1].status, 481)
        self.say("UPDATE", OFFER, Contact="<sip:alice@127.0.0.1:5070>")
        self.assertEqual(self.phone.responses()[-1].status, 481)
        self.assertEqual(self.station.overlay.searches, [])

    def test_call_is_taken_up(self) -> None:
        """A re-INVITE makes the dialog and its relays anew: then it is as before."""
        self.say("INVITE", OFFER, Contact="<sip:alice@127.0.0.1:5070>")
        self.station.overlay.searches[-1].reach(self.peer)
        invite = self.peer.requests()[-1]
        self.assertEqual((invite.to.tag, invite.first("Contact")), ("t1", f"<{self.own_gruu()}>"))
        self.station.answer(invite, 200, self.peer, LINK_OFFER, Contact=f"<{BOB_GRUU}>")
        self.assertEqual(self.dialogs(), 1)
        self.assertEqual(len(self.station.relays.live()), 1)
        self.bye()
        self.assertEqual((self.dialogs(), self.station.relays.live()), (0, []))

    def test_peer_reaches_the_phone(self) -> None:
        """A peer that knows the phone's GRUU reaches it, a re-INVITE makes the dialog anew."""
        self.hear("INVITE", body=LINK_OFFER, uri=self.own_gruu(), Contact=f"<{BOB_GRUU}>")
        invite = self.phone.requests()[-1]
        self.assertEqual((invite.uri, invite.to.tag), ("sip:alice@127.0.0.1:5070", "f1"))
        self.station.answer(invite, 200, self.phone, OFFER, Contact="<sip:alice@127.0.0.1:5070>")
        self.assertEqual(self.dialogs(), 1)
        self.hear("BYE")
        self.assertEqual(self.phone.requests()[-1].method, "BYE")

    def test_peer_guesses(self) -> None:
        """Without the token, with a wrong one, or in another's name, nothing comes to the phone."""
        heard = len(self.phone.requests())
        wrong = self.own_gruu()[:-1] + ("0" if self.own_gruu()[-1] != "0" else "1")
        other_device = self.own_gruu().replace(HIT.hex(), OTHER_HIT.hex())
        for uri in (f"sip:{ALICE}", f"sip:{ALICE};gr", wrong, other_device, f"sip:{CAROL};gr=1.1"):
            self.hear("BYE", uri=uri)
            self.assertEqual(self.last_to_peer(), ("BYE", 481), uri)
        self.hear("BYE", uri=self.own_gruu(), From=f"<sip:{CAROL}>;tag=t1")
        self.assertEqual(self.last_to_peer(), ("BYE", 403))
        self.assertEqual(self.station.journal.counts["screen.forged-from"], 1)
        self.assertEqual(len(self.phone.requests()), heard)


class ReplacesTests(CallCase):
    """An INVITE that takes the place of a dialog (RFC 3891)."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.station.register(ALICE, 5071)
        self.up()
        self.carol = FakePeer(ALICE, CAROL)

    def replace(self, replaces: str, uri: str = f"sip:{ALICE}") -> tuple[int, int]:
        """Let carol replace a dialog; returns how many INVITEs either phone got."""
        before = self.invites()
        self.station.from_peer(
            self.carol,
            "INVITE",
            uri,
            CAROL,
            ALICE,
            LINK_OFFER,
            Contact=f"<sip:{CAROL};gr=c.1>",
            Replaces=replaces,
            Call_ID=f"call-{self.station.random(4).hex()}",
        )
        after = self.invites()
        return after[0] - before[0], after[1] - before[1]

    def invites(self) -> tuple[int, int]:
        """Return how many INVITEs either phone has got."""
        first, second = (
            [request.method for request in hop.requests()].count("INVITE") for hop in (self.phone, self.other)
        )
        return first, second

    def test_by_dialog(self) -> None:
        """Where only the person is named, the phone that has the dialog rings, and no other."""
        self.assertEqual(self.replace("call-1;to-tag=f1;from-tag=t1"), (1, 0))

    def test_by_gruu(self) -> None:
        """Where the phone is named, that one rings."""
        token = next(each.token for each in self.station.bindings.of(ALICE) if "5071" in each.contact)
        uri = f"sip:{ALICE};gr={HIT.hex()}.{token}"
        self.assertEqual(self.replace("call-1;to-tag=f1;from-tag=t1", uri), (0, 1))

    def test_unknown(self) -> None:
        """What this node does not know is left to the phones."""
        self.assertEqual(self.replace("call-9;to-tag=f1;from-tag=t1"), (1, 1))

    def test_unreadable(self) -> None:
        """What cannot be read is refused (RFC 3891 §3), and rings nowhere."""
        for bad in ("call-1", "call-1;to-tag=a", "call-1;;"):
            self.assertEqual(self.replace(bad), (0, 0), bad)
            self.assertEqual(self.carol.responses()[-1].status, 400)
