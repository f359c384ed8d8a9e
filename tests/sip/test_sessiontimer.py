"""Tests for p2pship.sip.sessiontimer, and how the proxy keeps it (RFC 4028 §8)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.journal import CallEnded, Fact
from p2pship.sip import sessiontimer
from p2pship.sip.message import BadMessage, Request, Response, request, response_to
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"


def invite(**headers: str) -> Request:
    """Make an INVITE with these headers."""
    base = [("From", f"<sip:{ALICE}>;tag=1"), ("To", f"<sip:{BOB}>"), ("Call-ID", "c"), ("CSeq", "1 INVITE")]
    return request("INVITE", f"sip:{BOB}", base + [(k.replace("_", "-"), v) for k, v in headers.items()])


class RuleTests(TestCase):
    """The rules of a proxy."""

    def test_too_small(self) -> None:
        """Who knows timers hears 422 and what is enough; for who does not it is made enough."""
        made = invite(Session_Expires="60;refresher=uac", Supported="100rel, Timer")
        error = self.assertRaises(BadMessage, sessiontimer.check, made)
        self.assertEqual((error.status, error.headers), (422, (("Min-SE", "90"),)))
        made = invite(x="60;refresher=uac", Min_SE="30")
        sessiontimer.check(made)
        self.assertEqual((made.first("Session-Expires"), made.first("Min-SE")), ("90;refresher=uac", "90"))

    def test_below_its_own_least(self) -> None:
        """What is below the sender's own Min-SE becomes that; who knows timers keeps the Min-SE that it wrote (§8.1)."""
        for headers in ({}, {"Supported": "timer"}):
            made = invite(Session_Expires="100;refresher=uac", Min_SE="240", **headers)
            sessiontimer.check(made)
            self.assertEqual(made.first("Session-Expires"), "240;refresher=uac")
            self.assertEqual(made.first("Min-SE"), "240")

    def test_enough_is_left_alone(self) -> None:
        """What is enough passes as it is, as does what cannot be read."""
        for value in ("90", "1800;refresher=uas", "soon", "-5", ""):
            made = invite(Session_Expires=value, Supported="timer")
            sessiontimer.check(made)
            sessiontimer.ask(made)
            self.assertEqual(made.lines("Session-Expires"), [value])

    def test_asked_for(self) -> None:
        """Where a phone asks for no timer the node does, for no less than it allows, and without a refresher."""
        for headers, expected in (({}, "1800"), ({"Min_SE": "90"}, "1800"), ({"Min_SE": "3600"}, "3600")):
            made = invite(**headers)
            sessiontimer.ask(made)
            self.assertEqual(made.first("Session-Expires"), expected)

    def answer(self, sent: Request, **headers: str) -> Response:
        """Answer it."""
        response = response_to(sent, 200, to_tag="2")
        for name, value in headers.items():
            response.append(name.replace("_", "-"), value)
        return response

    def test_what_was_granted(self) -> None:
        """The answer of who knows timers stays as it is."""
        sent = invite(Session_Expires="1800", Supported="timer")
        response = self.answer(sent, Session_Expires="600;refresher=uas", Require="timer")
        self.assertEqual(sessiontimer.agree(response, sent), 600)
        self.assertEqual(response.lines("Session-Expires"), ["600;refresher=uas"])

    def test_only_the_caller_knows(self) -> None:
        """When who is called knows no timer, the caller is told to refresh; when nobody does, there is none."""
        sent = invite(Session_Expires="1800", k="timer")
        response = self.answer(sent, Require="100rel")
        self.assertEqual(sessiontimer.agree(response, sent), 1800)
        self.assertEqual(response.lines("Session-Expires"), ["1800;refresher=uac"])
        self.assertEqual(response.values("Require"), ["100rel", "timer"])
        sent = invite(Session_Expires="1800")
        response = self.answer(sent)
        self.assertIsNone(sessiontimer.agree(response, sent))
        self.assertNotIn("Session-Expires", response)

    @given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=30))
    def test_garbage(self, value: str) -> None:
        """Whatever stands there, nothing but BadMessage comes of it."""
        made = invite(Session_Expires=value, Min_SE=value)
        sessiontimer.check(made)
        sessiontimer.ask(made)
        interval = sessiontimer.agree(self.answer(made, Session_Expires=value), made)
        self.assertTrue(interval is None or interval >= sessiontimer.SHORTEST)


class CallTests(TestCase):
    """Calls whose refreshes stop."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.facts: list[Fact] = []
        self.station.journal.watch(self.facts.append)
        self.phone = self.station.register(ALICE, expires="86400")
        self.peer = FakePeer(ALICE, BOB)

    def up(self, answer: str = "", **headers: str) -> Request:
        """Bring a call up; returns what bob's node got."""
        given = {"Session_Expires": answer, "Require": "timer"} if answer else {}
        return self.up_to(200, LINK_OFFER, given, **headers)

    def up_to(
        self, status: int, body: bytes = b"", given: dict[str, str] | None = None, **headers: str
    ) -> Request:
        """Let alice call, and bob's node answer so; returns what it got."""
        self.station.from_phone(
            self.phone,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            OFFER,
            Contact="<sip:alice@127.0.0.1:5070>",
            **headers,
        )
        self.station.overlay.searches[-1].reach(self.peer)
        sent = self.peer.requests()[-1]
        self.station.answer(sent, status, self.peer, body, Contact=f"<sip:{BOB};gr=b.1>", **(given or {}))
        return sent

    def dialogs(self) -> int:
        """Return how many there are."""
        return len(self.station.proxy.calls.dialogs)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.station.clock.pump([1.0] * int(seconds))

    def test_runs_out(self) -> None:
        """A call that nobody refreshes is ended at our phone, with the reason in the journal; the peer hears nothing."""
        self.up("300;refresher=uas")
        sent = len(self.peer.sent)
        self.wait(299)
        self.assertEqual(self.dialogs(), 1)
        self.wait(4)
        bye = self.phone.requests()[-1]
        self.assertEqual(bye.method, "BYE")
        self.assertEqual((self.dialogs(), len(self.peer.sent)), (0, sent))
        (fact,) = [fact for fact in self.facts if isinstance(fact, CallEnded)]
        self.assertIn("session timer", fact.reason)
        self.assertIn("session timer", bye.first("Reason") or "")

    def test_refreshed(self) -> None:
        """An UPDATE or re-INVITE of either side starts the time anew; one without a timer ends it."""
        self.up("300;refresher=uas")
        self.wait(200)
        self.station.from_peer(
            self.peer,
            "UPDATE",
            f"sip:{ALICE}",
            BOB,
            ALICE,
            From=f"<sip:{BOB}>;tag=t1",
            To=f"<sip:{ALICE}>;tag=f1",
            Session_Expires="300;refresher=uac",
            Supported="timer",
            Contact=f"<sip:{BOB};gr=b.1>",
        )
        self.station.answer(self.phone.requests()[-1], 200, self.phone, Session_Expires="300;refresher=uac")
        self.assertEqual(self.peer.responses()[-1].status, 200)
        self.wait(200)
        self.assertEqual(self.dialogs(), 1)
        self.station.from_phone(
            self.phone,
            "UPDATE",
            f"sip:{BOB};gr=b.1",
            ALICE,
            BOB,
            To=f"<sip:{BOB}>;tag=t1",
            Contact="<sip:alice@127.0.0.1:5070>",
        )
        self.station.answer(self.peer.requests()[-1], 200, self.peer)
        self.wait(600)
        self.assertEqual(self.dialogs(), 1)

    def test_not_before_the_answer(self) -> None:
        """The time of a session that an UPDATE agrees on while it rings does not end the ringing."""
        self.up_to(180)
        self.station.from_phone(
            self.phone,
            "UPDATE",
            f"sip:{BOB};gr=b.1",
            ALICE,
            BOB,
            To=f"<sip:{BOB}>;tag=t1",
            Contact="<sip:alice@127.0.0.1:5070>",
            Session_Expires="90",
            Supported="timer",
        )
        self.station.answer(self.peer.requests()[-1], 200, self.peer, Session_Expires="90;refresher=uac")
        self.assertEqual(self.phone.responses()[-1].first("Session-Expires"), "90;refresher=uac")
        self.wait(120)
        self.assertEqual(self.dialogs(), 1)

    def test_asked_for_our_phone(self) -> None:
        """The node asks in its phone's stead; without anybody who knows timers the call has none."""
        sent = self.up()
        self.assertEqual(sent.first("Session-Expires"), "1800")
        self.assertNotIn("Session-Expires", self.phone.responses()[-1])
        self.wait(1900)
        self.assertEqual(self.dialogs(), 1)

    def test_our_phone_refreshes(self) -> None:
        """Where only our phone knows timers it is the one that refreshes."""
        self.up(Supported="timer")
        answer = self.phone.responses()[-1]
        self.assertEqual(answer.first("Session-Expires"), "1800;refresher=uac")
        self.assertEqual(answer.values("Require"), ["timer"])

    def test_too_small(self) -> None:
        """422 is the node's own answer, and the peer hears nothing."""
        self.station.from_phone(
            self.phone,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            OFFER,
            Contact="<sip:alice@127.0.0.1:5070>",
            Session_Expires="30",
            Supported="timer",
        )
        answer = self.phone.responses()[-1]
        self.assertEqual((answer.status, answer.first("Min-SE")), (422, "90"))
        self.assertEqual(self.station.overlay.searches, [])
