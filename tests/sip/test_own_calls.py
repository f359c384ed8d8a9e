"""Tests of calls between two phones of one node: both halves are served, only the octets between them are left out."""

from __future__ import annotations

import gc
from collections import deque

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import PayloadRefused
from p2pship.sip.derived import cancel_of
from p2pship.sip.message import Message, Request, response_to
from p2pship.sip.transaction import TIMEOUT
from tests.sip.fakes import HIT, FakePeer
from tests.sip.station import OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"

CALLS = 20

FEW = 10
"Objects that may be garbage after all those calls: what the test itself leaves, not what each call does."


class HandingPeer(FakePeer):
    """A peer on this very node: what one side is given lies in ``handed`` until the test passes it on."""

    other: HandingPeer

    def __init__(self, own: str, aor: str, handed: deque[tuple[HandingPeer, Message]]) -> None:
        super().__init__(own, aor, HIT)
        self.handed = handed
        self.full = False

    def hand_over(self, subprotocol: str, thing: object, octets: int) -> bool:
        if self.full:
            raise PayloadRefused("too much waits to be served already")
        assert isinstance(thing, Message)
        assert len(thing.encode()) == octets
        self.handed.append((self.other, thing))
        return True


class OwnCallTests(SynchronousTestCase):
    """Alice and Bob have a phone each at the same node."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.alice = self.station.register(ALICE)
        self.bob = self.station.register(BOB, 5071)
        self.handed: deque[tuple[HandingPeer, Message]] = deque()
        self.to_bob, to_alice = HandingPeer(ALICE, BOB, self.handed), HandingPeer(BOB, ALICE, self.handed)
        self.to_bob.other, to_alice.other = to_alice, self.to_bob
        self.crossed: list[str] = []

    def settle(self) -> None:
        """Let what was handed over arrive."""
        while self.handed:
            peer, message = self.handed.popleft()
            self.crossed.append(repr(message))
            self.station.proxy.message_from_peer(peer, message)

    def say(self, method: str, call: str, number: int, **more: str) -> Request:
        """Let Alice's phone send a request of a call."""
        body = OFFER if method == "INVITE" else b""
        uri = f"sip:{BOB}" if method == "INVITE" else self.target
        named = {
            "Call_ID": call,
            "CSeq": f"{number} {method}",
            "Contact": "<sip:alice@127.0.0.1:5070>",
            **more,
        }
        return self.station.from_phone(self.alice, method, uri, ALICE, BOB, body, **named)

    def call(self, name: str) -> None:
        """Make a call from INVITE to the answer of the BYE."""
        self.say("INVITE", name, 1)
        search = self.station.overlay.searches.pop()
        search.reach(self.to_bob)
        search.end()
        self.settle()
        rings = self.bob.requests()[-1]
        for status in (180, 200):
            self.station.answer(rings, status, self.bob, OFFER, Contact="<sip:bob@127.0.0.1:5071>")
            self.settle()
        answer = self.alice.responses()[-1]
        self.target = (answer.first("Contact") or "").strip("<>")
        for number, method in ((1, "ACK"), (2, "BYE")):
            self.say(method, name, number, To=answer.first("To") or "")
            self.settle()
        self.station.answer(self.bob.requests()[-1], 200, self.bob)
        self.settle()

    def test_both_halves(self) -> None:
        """Each message crosses once, is rewritten on both sides, and both halves have the call as begun and ended."""
        self.call("a")
        self.assertEqual([each.method for each in self.bob.requests()], ["INVITE", "ACK", "BYE"])
        self.assertEqual([each.status for each in self.alice.responses()[-3:]], [180, 200, 200])
        kinds = [each.split()[0].strip("<>") for each in self.crossed]
        self.assertEqual(kinds, ["INVITE", "100", "180", "200", "ACK", "BYE", "200"])
        for message in (self.bob.requests()[0], self.alice.responses()[-2]):
            self.assertIn("127.0.0.1:5060", message.first("Record-Route") or "")
            self.assertNotIn(b"m=audio 14440 ", message.body)
        self.assertEqual(self.station.journal.counts["CallStarted"], 2)
        self.assertEqual(self.station.journal.counts["CallEnded"], 2)
        self.assertEqual((self.station.relays.live(), self.to_bob.sent), ([], []))

    def test_copies(self) -> None:
        """What is handed over is a copy: the half that gets it may change it, and the CANCEL of the other half still fits."""
        sent = self.say("INVITE", "a", 1)
        self.station.overlay.searches.pop().reach(self.to_bob)
        _, invite = self.handed.pop()
        assert isinstance(invite, Request)
        branch, ringing = invite.via.branch, response_to(invite, 180, to_tag="t1")
        invite.remove("Via", "Call-ID")
        self.station.proxy.message_from_peer(self.to_bob, ringing)
        self.station.deliver(cancel_of(sent, None), self.alice)
        _, cancel = self.handed.pop()
        self.assertEqual((repr(cancel)[:7], cancel.via.branch, cancel.call_id), ("<CANCEL", branch, "a"))

    def test_full(self) -> None:
        """If this very node does not take what is handed over, the caller hears that nobody can be reached."""
        self.to_bob.full = True
        self.say("INVITE", "a", 1)
        search = self.station.overlay.searches.pop()
        search.reach(self.to_bob)
        search.end()
        self.station.clock.advance(0)
        self.assertEqual(self.alice.responses()[-1].status, 480)

    def test_no_cycles(self) -> None:
        """Nothing of a call waits for the interpreter's search for cycles: it goes when its last transaction ends."""
        self.call("first")
        self.station.clock.pump([TIMEOUT / 4] * 8)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for number in range(CALLS):
            self.call(f"c{number}")
        self.station.clock.pump([TIMEOUT / 4] * 8)
        self.assertEqual(self.station.proxy.layer.counts.clients + self.station.proxy.layer.counts.servers, 0)
        self.assertLess(gc.collect(), FEW)
