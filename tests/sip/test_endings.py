"""Tests of calls that end in other ways than by a phone's wish: too late, twice answered, or because the node stops."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip.message import Request
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"


class CallerEndingsTests(TestCase):
    """At the caller's node."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.phone.sent.clear()
        self.peer = FakePeer(ALICE, BOB)

    def _invite(self) -> Request:
        """Let alice's phone call bob, and return what bob's node is sent."""
        self.station.from_phone(
            self.phone, "INVITE", f"sip:{BOB}", ALICE, BOB, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.station.overlay.searches[-1].reach(self.peer)
        return self.peer.requests()[-1]

    def _answer(self, sent: Request, tag: str, flow: bytes = b"40") -> None:
        description = LINK_OFFER.replace(b"audio 40", b"audio " + flow)
        self.station.answer(sent, 200, self.peer, description, tag=tag, Contact=f"<sip:{BOB};gr=abc.{tag}>")

    def test_late_answer(self) -> None:
        """An answer of a node that was given up is acknowledged each time, and hung up once."""
        sent = self._invite()
        self.station.overlay.searches[-1].end()
        self.station.clock.pump([0.5] * 9)
        self.assertEqual(self.phone.responses()[-1].status, 480)
        self._answer(sent, "t1")
        self._answer(sent, "t1")
        late = self.peer.requests()[1:]
        self.assertEqual([each.method for each in late], ["ACK", "BYE", "ACK"])
        self.assertEqual({(each.uri, each.to.tag) for each in late}, {(f"sip:{BOB};gr=abc.t1", "t1")})
        self.assertEqual([each.cseq[0] - sent.cseq[0] for each in late], [0, 1, 0])
        self.assertIn("too late", late[1].first("Reason") or "")
        self.assertEqual(len(self.phone.responses()), 1)
        self.assertEqual(self.station.relays.live(), [])

    def test_two_answers(self) -> None:
        """When two of bob's phones answer at once both answers pass, and the media stays with the first."""
        sent = self._invite()
        for tag in ("t1", "t2"):
            self.station.answer(sent, 180, self.peer, tag=tag, Contact=f"<sip:{BOB};gr=abc.{tag}>")
        self._answer(sent, "t1", b"40")
        self._answer(sent, "t2", b"60")
        self.assertEqual([response.to.tag for response in self.phone.responses()], ["t1", "t2", "t1", "t2"])
        self.assertEqual(self.station.relays.opened[0].effective["peer"], (40, 41))
        self.assertEqual(len(self.station.proxy.calls.dialogs), 2)
        self.station.from_phone(
            self.phone, "BYE", f"sip:{BOB};gr=abc.t2", ALICE, BOB, To=f"<sip:{BOB}>;tag=t2", CSeq="90 BYE"
        )
        self.station.answer(self.peer.requests()[-1], 200, self.peer)
        self.assertEqual(len(self.station.proxy.calls.dialogs), 1)
        self.assertEqual(len(self.station.relays.live()), 1)

    def test_repeated_answer(self) -> None:
        """A 2xx that comes again passes again, and means nothing new."""
        sent = self._invite()
        self._answer(sent, "t1")
        self.station.from_phone(
            self.phone,
            "INVITE",
            f"sip:{BOB};gr=abc.t1",
            ALICE,
            BOB,
            OFFER.replace(b"14440", b"14500"),
            To=f"<sip:{BOB}>;tag=t1",
            Contact="<sip:alice@127.0.0.1:5070>",
        )
        changed = self.peer.requests()[-1]
        self._answer(sent, "t1")
        self._answer(changed, "t1", b"80")
        self.assertEqual([response.status for response in self.phone.responses()], [200, 200, 200])
        relay = self.station.relays.opened[0]
        self.assertEqual((relay.effective["peer"], relay.effective["phone"][0].port), ((80, 81), 14500))

    def test_stopped_while_ringing(self) -> None:
        """When the node stops a phone that calls hears 503, and the other node that it is over."""
        sent = self._invite()
        self.station.answer(sent, 180, self.peer, Contact=f"<sip:{BOB};gr=abc.1>")
        self.station.proxy.stop()
        last = self.phone.responses()[-1]
        self.assertEqual((last.status, last.first("Retry-After")), (503, "5"))
        self.assertEqual(self.peer.requests()[-1].method, "CANCEL")
        self.assertIn("stopping", self.peer.requests()[-1].first("Reason") or "")
        self._nothing_is_left()

    def test_stopped_while_searching(self) -> None:
        """When nobody has been found yet, nobody is called any more."""
        self.station.from_phone(
            self.phone, "INVITE", f"sip:{BOB}", ALICE, BOB, OFFER, Contact="<sip:alice@127.0.0.1:5070>"
        )
        self.station.proxy.stop()
        self.assertTrue(self.station.overlay.searches[-1].cancelled)
        self.assertEqual(self.phone.responses()[-1].status, 503)
        self._nothing_is_left()

    def test_stopped_in_a_call(self) -> None:
        """When the node stops its phone is hung up, and what still comes is dropped."""
        sent = self._invite()
        self._answer(sent, "t1")
        self.station.proxy.stop()
        bye = self.phone.requests()[-1]
        self.assertEqual(bye.method, "BYE")
        self.assertIn("the node is stopping", bye.first("Reason") or "")
        before = len(self.phone.sent), len(self.peer.sent)
        self.station.from_phone(self.phone, "OPTIONS", "sip:127.0.0.1", ALICE, "127.0.0.1")
        self._answer(sent, "t1")
        self.assertEqual((len(self.phone.sent), len(self.peer.sent)), before)
        self._nothing_is_left()

    def _nothing_is_left(self) -> None:
        self.assertEqual(self.station.clock.getDelayedCalls(), [])
        self.assertEqual(self.station.relays.live(), [])
        self.assertEqual((self.peer.watched, self.station.proxy.pending), (0, 0))


class CalleeEndingsTests(TestCase):
    """At the node of who is called."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(BOB, 5080)
        self.phone.sent.clear()
        self.peer = FakePeer(BOB, ALICE)
        self.station.from_peer(
            self.peer, "INVITE", f"sip:{BOB}", ALICE, BOB, LINK_OFFER, Contact=f"<sip:{ALICE};gr=aa.1>"
        )
        self.received = self.phone.requests()[-1]

    def test_late_answer(self) -> None:
        """A phone that said nothing and answers after all is hung up; the route to it is only its own."""
        self.station.clock.pump([0.5] * 8)
        self.assertEqual(self.peer.responses()[-1].status, 480)
        routes = [*self.received.lines("Record-Route"), "<sip:127.0.0.1:5099;lr>"]
        self.station.answer(
            self.received,
            200,
            self.phone,
            OFFER,
            Contact="<sip:bob@127.0.0.1:5080>",
            Record_Route=", ".join(routes),
        )
        ack, bye = self.phone.requests()[-2:]
        self.assertEqual((ack.method, bye.method), ("ACK", "BYE"))
        self.assertEqual(
            (bye.uri, bye.lines("Route")), ("sip:bob@127.0.0.1:5080", ["<sip:127.0.0.1:5099;lr>"])
        )
        self.assertEqual(self.peer.responses()[-1].status, 480)

    def test_stopped_while_ringing(self) -> None:
        """When the node stops its phone stops ringing, and the caller hears that nobody is there now."""
        self.station.answer(self.received, 180, self.phone, Contact="<sip:bob@127.0.0.1:5080>")
        self.station.proxy.stop()
        self.assertEqual(self.phone.requests()[-1].method, "CANCEL")
        self.assertEqual(self.peer.responses()[-1].status, 480)
        self.assertEqual(self.station.clock.getDelayedCalls(), [])

    def test_caller_lost(self) -> None:
        """A phone that stops ringing because the caller is lost hears why."""
        self.station.answer(self.received, 180, self.phone, Contact="<sip:bob@127.0.0.1:5080>")
        self.station.proxy.peer_lost(self.peer, "the node is stopping", self.station.proxy.sent_to(self.peer))
        cancel = self.phone.requests()[-1]
        self.assertEqual(cancel.method, "CANCEL")
        self.assertIn("cannot be reached", cancel.first("Reason") or "")

    def test_unreadable_path(self) -> None:
        """A phone that registered with a Path that cannot be read is not called, and nothing waits for it."""
        self.station.answer(self.received, 486, self.phone)
        self.station.register(BOB, 5080, expires="0")
        self.station.from_phone(
            self.phone, "REGISTER", "sip:example.com", BOB, BOB, Contact="<sip:bob@10.0.0.9>", Path="<sip:>"
        )
        self.station.from_peer(
            self.peer,
            "INVITE",
            f"sip:{BOB}",
            ALICE,
            BOB,
            LINK_OFFER,
            Contact=f"<sip:{ALICE};gr=aa.1>",
            Call_ID="another",
        )
        self.assertEqual(self.peer.responses()[-1].status, 400)
        self.assertEqual(self.station.proxy.pending, 0)
