"""Tests of early dialogs and their media at one node, and of what a hostile peer can take with them."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip.legs import MOST_EARLY
from p2pship.sip.linepool import MOST_RELAYS
from p2pship.sip.message import Request
from p2pship.sip.sdp import MOST_MEDIA, SDP
from tests.sip.fakes import FakePeer, FakeRelay
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"
CONTACT = f"<sip:{BOB};gr=abc.1>"
OTHER = LINK_OFFER.replace(b"audio 40", b"audio 50")


class CallerCase(TestCase):
    """Alice's phone calls Bob, who is one peer."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.phone.sent.clear()
        self.peer = FakePeer(ALICE, BOB)

    def invite(self, body: bytes = OFFER, **headers: str) -> Request:
        """Let Alice call, and return what Bob is sent."""
        headers.setdefault("Contact", "<sip:alice@127.0.0.1:5070>")
        self.station.from_phone(self.phone, "INVITE", f"sip:{BOB}", ALICE, BOB, body, **headers)
        self.station.overlay.searches[-1].reach(self.peer)
        return self.peer.requests()[-1]

    def answer(self, sent: Request, status: int, tag: str, body: bytes = b"", **headers: str) -> int:
        """Let Bob answer under a To tag, and return the port that Alice's phone is shown; 0 for none."""
        self.station.answer(sent, status, self.peer, body, tag=tag, Contact=CONTACT, **headers)
        shown = self.phone.responses()[-1].body
        return SDP.parse(shown).media[0].port if shown else 0

    def within(self, method: str, tag: str, body: bytes = b"", **headers: str) -> Request:
        """Let Alice's phone send a request within a dialog, and return what Bob is sent."""
        to = f"<sip:{BOB}>;tag={tag}"
        self.station.from_phone(self.phone, method, f"sip:{BOB};gr=abc.1", ALICE, BOB, body, To=to, **headers)
        return self.peer.requests()[-1]

    @property
    def live(self) -> list[FakeRelay]:
        """The relays that are open."""
        return self.station.relays.live()


class EarlyDialogTests(CallerCase):
    """Several answers of one peer."""

    def test_winner_stays(self) -> None:
        """With the 2xx the loser's relays and dialog are gone; the winner has the ports that its 183 showed."""
        sent = self.invite()
        first = self.answer(sent, 183, "a", LINK_OFFER)
        second = self.answer(sent, 183, "b", OTHER)
        self.assertNotEqual(first, second)
        self.assertEqual(self.answer(sent, 200, "b", OTHER), second)
        self.assertEqual([(relay.port, relay.effective["peer"]) for relay in self.live], [(second, (50, 51))])
        self.assertEqual(len(self.station.proxy.calls.dialogs), 1)

    def test_second_answer(self) -> None:
        """A second phone that answers at the same moment has media too, until it is hung up; the first stays."""
        sent = self.invite()
        self.answer(sent, 183, "a", LINK_OFFER)
        self.answer(sent, 200, "b", OTHER)
        self.answer(sent, 200, "a", LINK_OFFER)
        self.assertEqual(sorted(relay.effective["peer"] for relay in self.live), [(40, 41), (50, 51)])
        self.assertEqual(len({relay.flow for relay in self.live}), 1)
        bye = self.within("BYE", "a")
        self.station.answer(bye, 200, self.peer)
        self.assertEqual([relay.effective["peer"] for relay in self.live], [(50, 51)])
        self.station.answer(self.within("BYE", "b"), 200, self.peer)
        self.assertEqual((self.live, self.peer.watched), ([], 0))

    def test_ended_early(self) -> None:
        """A 199 ends its early dialog (RFC 6228), and what comes in that is answered 481; the call goes on."""
        sent = self.invite()
        first = self.answer(sent, 183, "a", LINK_OFFER)
        self.answer(sent, 199, "a")
        self.assertEqual(self.phone.responses()[-1].status, 199)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 0)
        self.within("UPDATE", "a", OFFER)
        self.assertEqual(self.phone.responses()[-1].status, 481)
        self.assertEqual(self.answer(sent, 183, "b", OTHER), first)
        self.answer(sent, 200, "b", OTHER)
        self.assertEqual([relay.effective["peer"] for relay in self.live], [(50, 51)])

    def test_unknown_ended_early(self) -> None:
        """A 199 of a phone that never rang makes no dialog."""
        sent = self.invite()
        self.answer(sent, 199, "a", LINK_OFFER)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 0)
        self.answer(sent, 486, "a")
        self.assertEqual((self.live, self.peer.watched), ([], 0))

    def test_nobody_answers(self) -> None:
        """A failure after early media leaves nothing."""
        sent = self.invite()
        self.answer(sent, 183, "a", LINK_OFFER)
        self.answer(sent, 183, "b", OTHER)
        self.answer(sent, 480, "z")
        self.assertEqual((self.live, len(self.station.proxy.calls.dialogs)), ([], 0))

    def test_dialogs_without_offer(self) -> None:
        """Without an offer each 2xx brings its own, and each ACK answers its own."""
        sent = self.invite(b"")
        first, second = self.answer(sent, 200, "a", LINK_OFFER), self.answer(sent, 200, "b", OTHER)
        self.assertNotEqual(first, second)
        cseq = f"{sent.cseq[0]} ACK"
        for tag, port in (("a", 14440), ("b", 15550)):
            self.within("ACK", tag, OFFER.replace(b"14440", b"%d" % port), CSeq=cseq)
        aims = [
            (relay.port, relay.effective["phone"][0].port, relay.effective["peer"]) for relay in self.live
        ]
        self.assertEqual(aims, [(first, 14440, (40, 41)), (second, 15550, (50, 51))])
        self.assertEqual(len({relay.flow for relay in self.live}), 2)


class ReliableTests(CallerCase):
    """Reliable provisional responses (RFC 3262)."""

    def test_headers(self) -> None:
        """RSeq, RAck, Require and Supported pass; a 18x that is said again shows the same."""
        sent = self.invite(Supported="100rel")
        self.assertEqual(sent.first("Supported"), "100rel")
        ports = [self.answer(sent, 183, "a", LINK_OFFER, Require="100rel", RSeq="7") for _ in range(2)]
        self.assertEqual(len(set(ports)), 1)
        shown = self.phone.responses()[-1]
        self.assertEqual((shown.first("RSeq"), shown.first("Require")), ("7", "100rel"))
        prack = self.within("PRACK", "a", RAck=f"7 {sent.cseq[0]} INVITE")
        self.assertEqual(prack.first("RAck"), f"7 {sent.cseq[0]} INVITE")
        self.station.answer(prack, 200, self.peer)
        self.assertEqual(self.phone.responses()[-1].status, 200)

    def test_update_that_fails(self) -> None:
        """An UPDATE that is refused, or never answered, leaves the early media as it was."""
        sent = self.invite()
        self.answer(sent, 183, "a", LINK_OFFER, Require="100rel", RSeq="1")
        update = self.within("UPDATE", "a", OFFER.replace(b"14440", b"15550"))
        self.station.answer(update, 488, self.peer, tag="a")
        self.within("UPDATE", "a", OFFER.replace(b"14440", b"16660"))
        self.station.clock.pump([1.0] * 40)  # timer F
        update = self.within("UPDATE", "a", OFFER)
        self.station.answer(update, 200, self.peer, OTHER, tag="a")
        (relay,) = self.live
        self.assertEqual((relay.effective["phone"][0].port, relay.effective["peer"]), (14440, (50, 51)))


class HostileTests(CallerCase):
    """A peer that wants our ports."""

    def test_many_answers_with_many_lines(self) -> None:
        """However many phones answer, with however many lines, one call takes so many relays; the rest is dropped."""
        line = b"m=audio 14440 RTP/AVP 8\r\n"
        sent = self.invite(OFFER + line * (MOST_MEDIA - 1))
        answer = LINK_OFFER + line * (MOST_MEDIA - 1)
        for number in range(MOST_EARLY):
            self.answer(sent, 183, f"t{number}", answer)
        self.assertEqual(len(self.live), MOST_RELAYS)
        self.assertEqual(len(self.phone.responses()), MOST_RELAYS // MOST_MEDIA)
        self.answer(sent, 486, "t0")
        self.assertEqual(self.live, [])

    def test_answer_with_no_room(self) -> None:
        """A phone that answers when there is no room for its media is hung up, and the caller hears that it failed."""
        line = b"m=audio 14440 RTP/AVP 8\r\n"
        sent = self.invite(OFFER + line * (MOST_MEDIA - 1))
        answer = LINK_OFFER + line * (MOST_MEDIA - 1)
        for tag in ("a", "b", "c"):
            self.answer(sent, 183, tag, answer)
        self.answer(sent, 200, "c", answer)
        self.assertEqual([request.method for request in self.peer.requests()], ["INVITE", "ACK", "BYE"])
        self.assertEqual((self.phone.responses()[-1].status, self.live), (500, []))

    def test_answer_of_garbage(self) -> None:
        """A 2xx whose description cannot be read is hung up, and nothing is left; one after a good answer is not heard."""
        sent = self.invite()
        self.answer(sent, 200, "a", LINK_OFFER)
        heard = len(self.phone.responses())
        self.answer(sent, 200, "b", b"v=0\r\nm=audio\r\n")
        self.assertEqual([request.method for request in self.peer.requests()], ["INVITE", "ACK", "BYE"])
        self.assertEqual(len(self.phone.responses()), heard)
        self.assertEqual([relay.effective["peer"] for relay in self.live], [(40, 41)])

    def test_offers_in_a_row(self) -> None:
        """A peer's offers during our own change nothing of it, and open nothing."""
        sent = self.invite()
        self.answer(sent, 200, "a", LINK_OFFER)
        reinvite = self.within(
            "INVITE", "a", OFFER.replace(b"14440", b"15550"), Contact="<sip:alice@127.0.0.1:5070>"
        )
        many = OTHER + b"m=audio 60 RTP/AVP 8\r\n" * 20
        for number in range(5):
            self.station.from_peer(
                self.peer,
                "UPDATE",
                f"sip:{ALICE}",
                BOB,
                ALICE,
                many,
                From=f"<sip:{BOB}>;tag=a",
                To=f"<sip:{ALICE}>;tag=f1",
                CSeq=f"{500 + number} UPDATE",
            )
            self.station.answer(self.phone.requests()[-1], 491, self.phone)
        self.assertEqual(len(self.live), 1)
        self.station.answer(reinvite, 200, self.peer, LINK_OFFER, tag="a", Contact=CONTACT)
        (relay,) = self.live
        self.assertEqual((relay.effective["phone"][0].port, relay.effective["peer"]), (15550, (40, 41)))

    def test_encoded_offer(self) -> None:
        """An offer that is compressed is answered 415, and says what can be read."""
        self.station.from_phone(
            self.phone,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            b"\x1f\x8b",
            Content_Encoding="gzip",
            Contact="<sip:alice@127.0.0.1:5070>",
        )
        search = self.station.overlay.searches[-1]
        search.reach(self.peer)
        search.end()
        refused = self.phone.responses()[-1]
        self.assertEqual((refused.status, refused.first("Accept-Encoding")), (415, "identity"))
        self.assertEqual(self.peer.requests(), [])
