"""Tests for p2pship.sip.privacy and p2pship.sip.senders: callers who do not show their name."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip.message import Request, request
from p2pship.sip.privacy import ANONYMOUS, is_temporary_gruu_of, leave_out_telling, temporary_gruu
from p2pship.sip.uri import parse_uri
from tests.sip.fakes import FakeHop, FakePeer, counting
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
NOBODY = f'"Anonymous" <sip:{ANONYMOUS}>;tag=f1'


class GRUUTests(TestCase):
    """Temporary GRUUs (RFC 5627 §3.1.2)."""

    def test_told_by_the_binding_only(self) -> None:
        """Each is another, tells neither name nor token, and is known again by who has the token, and nobody else."""
        random = counting()
        first, second = (temporary_gruu("0123456789abcdef", random) for _ in range(2))
        self.assertNotEqual(first, second)
        for uri in (first, second):
            self.assertIn("gr", parse_uri(uri).parameters)
            self.assertNotIn("0123456789abcdef", uri)
            self.assertTrue(is_temporary_gruu_of(uri, "0123456789abcdef"))
            self.assertFalse(is_temporary_gruu_of(uri, "0123456789abcdee"))
        nonce, _, _ = (parse_uri(first).user or "").partition(".")
        for forged in (
            first.replace(";gr", ""),
            first.replace("anonymous.invalid", "example.com"),
            f"sip:{nonce}@anonymous.invalid;gr",
            "sip:anonymous.invalid;gr",
            "sip:.@anonymous.invalid;gr",
            f"sip:x{nonce}.00000000000000000000@anonymous.invalid;gr",
        ):
            self.assertFalse(is_temporary_gruu_of(forged, "0123456789abcdef"), forged)


class CallerTests(TestCase):
    """The node of who calls without a name."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.peer = FakePeer(ALICE, BOB)

    def invite(self, hop: FakeHop | None = None, **headers: str) -> Request | None:
        """Let the phone call bob; returns what bob's node gets, None if it is not asked."""
        before = len(self.station.overlay.searches)
        given = {
            "Contact": "<sip:alice@127.0.0.1:5070>",
            "From": NOBODY,
            "Call_ID": self.station.random(4).hex(),
            **headers,
        }
        self.station.from_phone(hop or self.phone, "INVITE", f"sip:{BOB}", ALICE, BOB, OFFER, **given)
        if len(self.station.overlay.searches) == before:
            return None
        self.assertEqual(self.station.overlay.searches[-1].identity.aor, ALICE)
        self.station.overlay.searches[-1].reach(self.peer)
        return self.peer.requests()[-1]

    def test_tells_nothing(self) -> None:
        """From, Contact, the other headers and the session description tell no name; the node knows who it is."""
        sent = self.invite(
            Privacy="id",
            Subject="alice",
            User_Agent="alice's",
            P_Preferred_Identity=f"<sip:{ALICE}>",
            Authorization='Digest username="alice"',
            Contact='<sip:alice@127.0.0.1:5070>;+sip.instance="<urn:uuid:alice>";reg-id=1;audio',
        )
        assert sent is not None
        self.assertEqual(sent.first("From"), NOBODY)
        self.assertNotIn(b"alice", sent.encode())
        self.assertEqual(sent.first("Privacy"), "id")
        self.assertTrue((sent.first("Contact") or "").endswith(";gr>;audio"))

    def test_description(self) -> None:
        """Who is asked for, and how else she is reached, may stand in a description, too (RFC 8866 §5.4 to §5.6)."""
        personal = b"s=-\r\ni=alice's\r\nu=https://alice.example\r\ne=alice@example.com\r\np=+358\r\n"
        message = request("INVITE", f"sip:{BOB}", [("From", NOBODY)], OFFER.replace(b"s=-\r\n", personal))
        leave_out_telling(message)
        self.assertEqual(message.body, OFFER)

    def test_asked_for(self) -> None:
        """The node hides the name where the phone only asks for it, or writes it at its own domain (RFC 3323 §5.3)."""
        for headers in (
            {"From": f"<sip:{ALICE}>;tag=f1", "Privacy": "user;id"},
            {"From": "<sip:anonymous@example.com>;tag=f1", "Privacy": "id"},
            {"From": "<sip:anonymous@127.0.0.1>;tag=f1", "Privacy": "user;critical"},
        ):
            sent = self.invite(None, **headers)
            assert sent is not None
            self.assertEqual(sent.first("From"), NOBODY)
            self.assertNotIn(b"alice", sent.encode())

    def test_not_asked_for(self) -> None:
        """Without it, or with Privacy: none, the name is shown, and with id alone it is the network that asserts none."""
        for privacy in ("none", "id", "session"):
            sent = self.invite(From=f"<sip:{ALICE}>;tag=f1", Privacy=privacy)
            assert sent is not None
            self.assertEqual(sent.first("From"), f"<sip:{ALICE}>;tag=f1")
            self.assertIn(f"sip:{ALICE};gr=", sent.first("Contact") or "")

    def test_who_it_is(self) -> None:
        """A phone with several names says which by what it prefers or by its Contact; nobody guesses."""
        other = self.station.register("work@example.com", 5071)
        self.station.register(ALICE, 5071)
        for headers in (
            {"P_Preferred_Identity": f'"A" <sip:{ALICE}>'},
            {"Contact": "<sip:alice@127.0.0.1:5071>"},
        ):
            self.assertIsNotNone(self.invite(other, **{"Contact": "<sip:x@127.0.0.1:5071>", **headers}))
        self.assertIsNone(self.invite(other, Contact="<sip:x@127.0.0.1:5071>"))
        self.assertEqual(other.responses()[-1].status, 403)
        self.assertIsNotNone(self.invite(Contact="<sip:x@127.0.0.1:5070>"))

    def test_stranger_on_this_machine(self) -> None:
        """A program that has not registered calls under no name at all."""
        hop = self.station.phone(5099)
        self.assertIsNone(self.invite(hop, Contact="<sip:x@127.0.0.1:5099>"))
        self.assertEqual(hop.responses()[-1].status, 403)

    def test_within_the_call(self) -> None:
        """What either side says in such a call finds its way, and tells no name; also when the node forgot the call."""
        sent = self.invite(Call_ID="call-1")
        assert sent is not None
        self.station.answer(sent, 200, self.peer, LINK_OFFER, Contact=f"<sip:{BOB};gr=b.1>")
        contact = (sent.first("Contact") or "").strip("<>")
        self.station.from_phone(
            self.phone,
            "INVITE",
            f"sip:{BOB};gr=b.1",
            ALICE,
            BOB,
            OFFER,
            From=NOBODY,
            To=f"<sip:{BOB}>;tag=t1",
            Contact="<sip:alice@127.0.0.1:5070>",
        )
        again = self.peer.requests()[-1]
        self.assertEqual((again.first("Contact"), again.first("From")), (f"<{contact}>", NOBODY))
        self.assertNotIn(b"alice", again.encode())
        (dialog,) = self.station.proxy.calls.dialogs
        self.station.proxy.calls.end(dialog, "forgotten")
        heard = len(self.phone.requests())
        for uri, found in ((contact, 1), (contact.replace(".", ".0", 1), 0)):
            self.station.from_peer(
                self.peer, "BYE", uri, BOB, ANONYMOUS, From=f"<sip:{BOB}>;tag=t1", To=NOBODY
            )
            self.assertEqual(len(self.phone.requests()) - heard, found, uri)
            heard = len(self.phone.requests())


class CalleeTests(TestCase):
    """The node of who is called by somebody without a name."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(BOB)
        self.peer = FakePeer(BOB, ALICE)

    def hear(self, **headers: str) -> Request:
        """Let alice call; returns what bob's phone hears."""
        gruu = temporary_gruu("secret", counting())
        given = {"From": NOBODY, "Contact": f"<{gruu}>", "Call_ID": self.station.random(4).hex(), **headers}
        self.station.from_peer(self.peer, "INVITE", f"sip:{BOB}", ALICE, BOB, LINK_OFFER, **given)
        return self.phone.requests()[-1]

    def test_phone_shows_nobody(self) -> None:
        """Though the node knows who calls, it tells its phone neither in From nor by assertion."""
        self.assertNotIn(b"alice", self.hear().encode())
        self.assertNotIn("P-Asserted-Identity", self.hear(Privacy="id"))
        named = self.hear(From=f"<sip:{ALICE}>;tag=f1", Privacy="id")
        self.assertNotIn("P-Asserted-Identity", named)
        named = self.hear(From=f"<sip:{ALICE}>;tag=f1")
        self.assertEqual(named.first("P-Asserted-Identity"), f"<sip:{ALICE}>")
