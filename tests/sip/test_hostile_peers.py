"""Tests of what a hostile peer, or another program of this machine, can make the node say, do or keep."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from p2pship.identity.verdict import Acquaintance
from p2pship.sip.legs import MOST_EARLY
from p2pship.sip.message import Request, parse
from p2pship.sip.registrar import MOST_BINDINGS
from p2pship.sip.sdp import SDP
from p2pship.sip.transfers import MOST as MOST_TRANSFERS
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, EVE = "alice@example.com", "eve@example.com"
STRANGE = OFFER.replace(b"127.0.0.1", b"192.0.2.66")
"A description that, if the phone saw it, would have it send its voice to an address of the peer's choice."


def multipart(*parts: bytes, boundary: bytes = b"b") -> bytes:
    """Return a multipart body of descriptions."""
    lines = [b"--%s\r\nContent-Type: application/sdp\r\n\r\n%s\r\n" % (boundary, part) for part in parts]
    return b"".join((*lines, b"--%s--\r\n" % boundary))


class HostileCase(TestCase):
    """Alice's phone, and Eve."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.phone.sent.clear()
        self.eve = FakePeer(ALICE, EVE)

    def ask(self, method: str = "INVITE", body: bytes = b"", **headers: str) -> Request | None:
        """Let Eve send a request, and return what the phone sees of it."""
        headers.setdefault("Contact", f"<sip:{EVE}>")
        self.station.from_peer(self.eve, method, f"sip:{ALICE}", EVE, ALICE, body, **headers)
        return self.phone.requests()[-1] if self.phone.requests() else None

    def call(self) -> Request:
        """Let Eve call and Alice's phone answer."""
        sent = self.ask(body=LINK_OFFER)
        assert sent is not None
        self.station.answer(sent, 200, self.phone, OFFER, Contact="<sip:alice@127.0.0.1:5070>")
        return sent


class HiddenDescriptionTests(HostileCase):
    """Descriptions where the node does not look, but a phone may."""

    def assert_refused(self, body: bytes, content_type: str) -> None:
        """Check that the phone is not asked, and Eve refused."""
        self.assertIsNone(self.ask(body=body, Content_Type=content_type), content_type)
        self.assertEqual(self.eve.responses()[-1].status, 400, content_type)

    def test_other_type(self) -> None:
        """A description under another type is refused: some phones take any body for one."""
        for kind in ("text/plain", "x", "multipart/mixed", f"multipart/mixed;boundary={'b' * 80}"):
            self.assert_refused(STRANGE, kind)

    def test_beside_the_first(self) -> None:
        """A second one in a multipart, of which a phone may take the last (RFC 2046 §5.1.4), shows it no address."""
        early = multipart(STRANGE).replace(b"\r\n\r\n", b"\r\nContent-Disposition: early-session\r\n\r\n", 1)
        for body in (multipart(LINK_OFFER, STRANGE), early):
            sent = self.ask(body=body, Content_Type="multipart/alternative;boundary=b")
            assert sent is not None
            self.assertNotIn(b"192.0.2.66", sent.body)
            self.assertIn(b"m=audio 0 ", sent.body)

    def test_line_ends(self) -> None:
        """So is one between delimiters that are none, because their lines end with LF alone."""
        self.assert_refused(multipart(STRANGE).replace(b"\r\n", b"\n"), "multipart/mixed;boundary=b")

    def test_odd_parameters(self) -> None:
        """A type is one with whatever parameters: the phone sees our address only."""
        for kind in ("application/sdp;=", "Application/SDP ;;", "application/sdp, text/plain"):
            sent = self.ask(body=STRANGE, Content_Type=kind)
            assert sent is not None
            self.assertNotIn(b"192.0.2.66", sent.body)
            self.phone.sent.clear()

    def test_in_answers(self) -> None:
        """It is not let through in a response either."""
        self.station.from_phone(
            self.phone, "INVITE", f"sip:{EVE}", ALICE, EVE, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.station.overlay.searches[-1].reach(self.eve)
        sent = self.eve.requests()[-1]
        answer = self.station.answer(sent, 183, self.eve, STRANGE, Contact=f"<sip:{EVE}>")
        self.assertNotIn(b"192.0.2.66", self.phone.responses()[-1].body)
        answer.set("Content-Type", "text/plain")
        before = len(self.phone.responses())
        self.station.proxy.message_from_peer(self.eve, parse(answer.encode()))
        self.assertEqual(len(self.phone.responses()), before)

    def test_text(self) -> None:
        """In a MESSAGE people may write what they like."""
        sent = self.ask("MESSAGE", STRANGE, Content_Type="text/plain")
        assert sent is not None
        self.assertEqual(sent.body, STRANGE)


class CapabilityTests(HostileCase):
    """Descriptions that are neither offer nor answer."""

    def test_options(self) -> None:
        """The answer to OPTIONS says what the phone can do, and not where it is (RFC 3264 §9)."""
        sent = self.ask("OPTIONS")
        assert sent is not None
        self.station.answer(sent, 200, self.phone, OFFER.replace(b"127.0.0.1", b"10.1.2.3"))
        shown = self.eve.responses()[-1].body
        self.assertNotIn(b"10.1.2.3", shown)
        self.assertEqual([(line.port, line.formats) for line in SDP.parse(shown).media], [(0, ("8",))])

    def test_info(self) -> None:
        """A description in INFO changes nothing about the media, and shows the phone no address."""
        self.call()
        before = dict(self.station.relays.opened[0].effective)
        sent = self.ask("INFO", STRANGE, To=f"<sip:{ALICE}>;tag=t1")
        assert sent is not None
        self.assertNotIn(b"192.0.2.66", sent.body)
        self.station.answer(sent, 200, self.phone)
        self.assertEqual(self.station.relays.opened[0].effective, before)


class GoodbyeTests(HostileCase):
    """A peer that ends while a call with it is up."""

    def test_odd_words(self) -> None:
        """Whatever words it says goodbye with, the phone gets a BYE that can be read, and nothing is left."""
        self.call()
        self.station.proxy.peer_lost(self.eve, 'x"\r\nEvil: 1\r\n\x00\\', [])
        bye = self.phone.requests()[-1]
        self.assertEqual(bye.method, "BYE")
        self.assertNotIn("Evil", bye)
        self.assertEqual(bye.first("Reason"), r'SIP;cause=480;text="x\"  Evil: 1   \\"')
        self.assertEqual((len(self.station.proxy.calls.dialogs), self.station.relays.live()), (0, []))

    def test_highest_number(self) -> None:
        """A CSeq after which there is no other is refused, or the node itself could not hang up (RFC 3261 §8.1.1.5)."""
        self.assertIsNone(self.ask(body=LINK_OFFER, CSeq=f"{2**31} INVITE"))
        self.assertEqual(self.eve.responses()[-1].status, 400)


class ShownTests(HostileCase):
    """What the phone is shown, and told to do."""

    COMMANDS = ("Answer-Mode", "Priv-Answer-Mode", "Alert-Info", "Call-Info")

    def commanded(self) -> Request:
        """Let Eve call with all of them."""
        values = {name.replace("-", "_"): "<http://192.0.2.66/x>;answer-after=0" for name in self.COMMANDS}
        sent = self.ask(body=LINK_OFFER, **values)
        assert sent is not None
        return sent

    def test_other_name(self) -> None:
        """Nobody is shown under another name by a header that phones believe more than From."""
        claimed = "<sip:mum@example.com>;party=calling;screen=yes"
        sent = self.ask(body=LINK_OFFER, Remote_Party_ID=claimed, P_Asserted_Identity=claimed)
        assert sent is not None
        self.assertNotIn("Remote-Party-ID", sent)
        self.assertEqual(sent.values("P-Asserted-Identity"), [f"<sip:{EVE}>"])

    def test_stranger_commands_nothing(self) -> None:
        """A stranger cannot have the phone answer by itself, nor fetch anything from anywhere; the name of a ringing tone arrives."""
        sent = self.commanded()
        self.assertEqual([name for name in self.COMMANDS if name in sent], [])
        ring, router = "<urn:alert:source:external>", "<http://192.168.0.1/reboot>"
        told = self.ask(
            body=LINK_OFFER,
            Alert_Info=f"<urn:x>;info=Alert-AutoAnswer, {router}, {ring}",
            Call_Info=f"{router};purpose=icon",
            Error_Info=router,
        )
        assert told is not None
        self.assertEqual(told.values("Alert-Info"), [ring])
        self.assertNotIn("192.168.0.1", told.encode().decode())

    def test_stranger_asks_for_no_password(self) -> None:
        """Many phones answer every challenge at once, and the answer lets the password be guessed: none of a stranger's
        reaches them, a contact's does, who may have a telephone exchange."""
        for acquaintance, passed in ((Acquaintance.STRANGER, False), (Acquaintance.CONTACT, True)):
            self.eve.verdict = replace(self.eve.verdict, acquaintance=acquaintance)
            for status, name in ((401, "WWW-Authenticate"), (407, "Proxy-Authenticate")):
                self.station.from_phone(self.phone, "MESSAGE", f"sip:{EVE}", ALICE, EVE)
                self.station.overlay.searches[-1].reach(self.eve)
                self.station.overlay.searches[-1].end()
                challenge = {name.replace("-", "_"): 'Digest realm="x", nonce="y"'}
                self.station.answer(self.eve.requests()[-1], status, self.eve, b"", **challenge)
                heard = self.phone.responses()[-1]
                self.assertEqual((heard.status, name in heard), (status, passed))

    def test_stranger_rings_only(self) -> None:
        """Within their own call a stranger has the phone neither answer nor restart, nor by a method in odd letters."""
        sent = self.ask(body=LINK_OFFER)
        assert sent is not None
        self.station.answer(sent, 180, self.phone, Contact="<sip:alice@127.0.0.1:5070>")
        heard = len(self.phone.requests())
        to = self.eve.responses()[-1].first("To") or ""
        for number, event in enumerate(("talk", "check-sync;reboot=true"), 2):
            self.ask("NOTIFY", To=to, CSeq=f"{number} NOTIFY", Event=event, Subscription_State="active")
            self.assertEqual(self.eve.responses()[-1].status, 489)
        self.ask("SUBSCRIBE", To=to, CSeq="4 SUBSCRIBE", Event="presence")
        self.assertEqual(self.eve.responses()[-1].status, 489)
        for number, method in enumerate(("Refer", "notify", "MessagE"), 5):
            self.ask(method, CSeq=f"{number} {method}", Event="talk", Refer_To="<sip:carol@example.com>")
            self.assertEqual(self.eve.responses()[-1].status, 501)
        self.assertEqual(len(self.phone.requests()), heard)

    def test_contact_may(self) -> None:
        """A contact can: that is how an intercom works."""
        self.eve.verdict = replace(self.eve.verdict, acquaintance=Acquaintance.CONTACT)
        sent = self.commanded()
        self.assertEqual([name for name in self.COMMANDS if name not in sent], [])


class BoundTests(HostileCase):
    """How much a single message, or a flood of them, can make the node keep or compute."""

    def test_early_dialogs(self) -> None:
        """Who answers one call under ever new tags makes so many dialogs, and no more."""
        self.station.from_phone(
            self.phone, "INVITE", f"sip:{EVE}", ALICE, EVE, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.station.overlay.searches[-1].reach(self.eve)
        sent = self.eve.requests()[-1]
        for number in range(MOST_EARLY + 10):
            self.station.answer(sent, 180, self.eve, tag=f"t{number}", Contact=f"<sip:{EVE}>")
        self.assertEqual(len(self.station.proxy.calls.dialogs), MOST_EARLY)
        self.assertEqual(len(self.phone.responses()), MOST_EARLY)

    def test_unreadable_answers(self) -> None:
        """Whoever answers with what cannot be passed has that said once in the log, and the caller hears why."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.station.from_phone(
            self.phone, "INVITE", f"sip:{EVE}", ALICE, EVE, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.station.overlay.searches[-1].reach(self.eve)
        sent = self.eve.requests()[-1]
        for _ in range(20):
            self.station.answer(sent, 183, self.eve, b"m=audio x\r\n", Contact=f"<sip:{EVE}>")
        self.station.answer(sent, 200, self.eve, b"m=audio x\r\n", Contact=f"<sip:{EVE}>")
        self.assertEqual([event["log_level"] for event in events].count(LogLevel.warn), 1)
        (heard,) = self.phone.responses()
        self.assertEqual(heard.status, 500)
        self.assertIn("description", heard.first("Warning") or "")

    def test_transfers(self) -> None:
        """Who asks for thousands of transfers within a call has the last of them remembered."""
        self.call()
        for number in range(100, 100 + 2 * MOST_TRANSFERS):
            to, refer_to = f"<sip:{ALICE}>;tag=t1", "<sip:x@example.com>"
            sent = self.ask("REFER", CSeq=f"{number} REFER", To=to, Refer_To=refer_to)
            assert sent is not None
            self.station.answer(sent, 202, self.phone, Contact="<sip:alice@127.0.0.1:5070>")
        (dialog,) = self.station.proxy.calls.dialogs
        self.assertEqual(len(dialog.transfers), MOST_TRANSFERS)
        self.assertIn((False, 99 + 2 * MOST_TRANSFERS), dialog.transfers)

    def test_contacts(self) -> None:
        """A REGISTER with more Contacts than a name may have is refused before they are compared with each other."""
        contacts = ", ".join(f"<sip:x{number}@127.0.0.1>" for number in range(MOST_BINDINGS + 1))
        self.station.register(ALICE, contact=contacts)
        self.assertEqual(self.phone.responses()[-1].status, 403)
        self.assertEqual(len(self.station.bindings.of(ALICE)), 1)

    def test_call_id(self) -> None:
        """A Call-ID that is no text is refused: it could neither be kept with a registration nor shown."""
        self.assertIsNone(self.ask(body=LINK_OFFER, Call_ID="a\udcff"))
        self.assertEqual(self.eve.responses()[-1].status, 400)
