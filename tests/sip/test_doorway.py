"""Tests for :mod:`p2pship.sip.doorway`: who is refused hears what one hears when nobody is there."""

from __future__ import annotations

import re

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.journal import CallFailed, Fact
from p2pship.sip.facts import ChangedRefused
from p2pship.trust.wish import Decision, Wish
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"
REFUSED = Decision(False, "block list", "bob is blocked")
ALLOWED = Decision(True, "contacts", "bob is a contact")

_OWN = re.compile(rb"z9hG4bK\w+|tag=\w+|CSeq: \d+")
"What differs between any two requests."


class DoorwayTests(SynchronousTestCase):
    """Requests of peers outside dialogs."""

    def setUp(self) -> None:
        self.station = self.make_station()
        self.peer = FakePeer(ALICE, BOB)
        self.facts: list[Fact] = []
        self.station.journal.watch(self.facts.append)

    def make_station(self) -> Station:
        """Return a node that stops with the test."""
        station = Station()
        self.addCleanup(station.stop)
        return station

    def ask(self, method: str = "INVITE", **headers: str) -> None:
        """Let bob ask for alice."""
        body = LINK_OFFER if method == "INVITE" else b""
        contact = {"Contact": "<sip:bob@example.com;gr=1>"} if method in ("INVITE", "SUBSCRIBE") else {}
        self.station.from_peer(self.peer, method, f"sip:{ALICE}", BOB, ALICE, body, **contact, **headers)

    def test_wishes(self) -> None:
        """Each method asks for what it wants, with the names of the peer, whatever From says."""
        phone = self.station.register(ALICE)
        for method, wish in (
            ("INVITE", Wish.CALL),
            ("MESSAGE", Wish.MESSAGE),
            ("SUBSCRIBE", Wish.PRESENCE),
            ("NOTIFY", Wish.PRESENCE),
            ("PUBLISH", Wish.PRESENCE),
            ("OPTIONS", Wish.CALL),
            ("INFO", Wish.CALL),
        ):
            self.ask(method)
            self.assertEqual(self.station.screening.asked[-1], (ALICE, BOB, wish), method)
            self.assertEqual(phone.requests()[-1].method, method)

    def test_refused_sounds_like_nobody(self) -> None:
        """Octet for octet and at the same moment, for each method: with a phone that may not ring, and with none at all."""
        for method in ("INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS"):
            heard = []
            for registered in (True, False):
                self.setUp()
                if registered:
                    phone = self.station.register(ALICE)
                    self.station.screening.decision = REFUSED
                else:
                    self.station.keyring.create(ALICE)
                self.ask(method)
                heard.append([_OWN.sub(b"", message.encode()) for message in self.peer.sent])
                if registered:
                    self.assertEqual([each.method for each in phone.requests()], [])
            self.assertEqual(heard[0], heard[1], method)
            self.assertEqual(self.peer.responses()[-1].status, 480, method)

    def test_story(self) -> None:
        """The owner sees by which rule a call was refused, and why."""
        self.station.register(ALICE)
        self.station.screening.decision = REFUSED
        self.ask()
        failed = [fact for fact in self.facts if isinstance(fact, CallFailed)]
        self.assertIn("bob is blocked (block list)", str(failed[0]))
        self.assertEqual(self.station.journal.counts["screen.block-list"], 1)
        self.assertNotIn(b"block", b"".join(message.encode() for message in self.peer.sent))

    def test_slow_decision(self) -> None:
        """A rule may take its time; meanwhile the caller may give up, and then nothing rings."""
        phone = self.station.register(ALICE)
        slow = self.station.screening.decision = Deferred()
        self.ask()
        self.assertEqual(phone.requests(), [])
        slow.callback(ALLOWED)
        self.assertEqual([each.method for each in phone.requests()], ["INVITE"])
        slow = self.station.screening.decision = Deferred()
        self.ask(Call_ID="second")
        self.station.proxy.peer_lost(self.peer, "gone", [])
        slow.callback(ALLOWED)
        self.assertEqual([each.call_id for each in phone.requests() if each.method == "INVITE"], ["call-1"])

    def test_failing_rule(self) -> None:
        """Where a rule fails nobody is let in."""
        phone = self.station.register(ALICE)
        slow = self.station.screening.decision = Deferred()
        self.ask()
        slow.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.peer.responses()[-1].status, phone.requests()), (480, []))

    def test_forgotten_dialog(self) -> None:
        """Somebody who was blocked does not get in by a dialog that never was, though they know the phone's address."""
        phone = self.station.register(ALICE)
        self.ask()
        self.station.answer(phone.requests()[0], 486, phone)
        gruu = f"sip:{ALICE};gr={self.station.keyring.device.hit.hex()}.{self.station.bindings.of(ALICE)[0].token}"
        for decision, status in ((ALLOWED, None), (REFUSED, 481)):
            self.setUp()
            phone = self.station.register(ALICE)
            gruu = f"sip:{ALICE};gr={self.station.keyring.device.hit.hex()}.{self.station.bindings.of(ALICE)[0].token}"
            self.station.screening.decision = decision
            within = {"To": f"<sip:{ALICE}>;tag=old", "Contact": "<sip:bob@example.com;gr=1>"}
            self.station.from_peer(self.peer, "INVITE", gruu, BOB, ALICE, LINK_OFFER, **within)
            self.assertEqual(len(phone.requests()), 1 if status is None else 0)
            self.assertEqual(
                [each.status for each in self.peer.responses()], [] if status is None else [status]
            )

    def test_changed_key(self) -> None:
        """Somebody with another key than was confirmed is refused; the journal and alice's phone are told, but not each time."""
        phone = self.station.register(ALICE)
        self.peer.verdict = Verdict(NameGrade.CHANGED, Acquaintance.STRANGER)
        self.station.screening.decision = Decision(False, "changed key", "the key changed")
        for call_id in ("1", "2", "3"):
            self.ask(Call_ID=call_id)
            self.assertEqual(self.peer.responses()[-1].status, 480)
        self.assertEqual([each.method for each in phone.requests()], ["MESSAGE"])
        self.assertEqual(
            [fact for fact in self.facts if isinstance(fact, ChangedRefused)], [ChangedRefused(ALICE, BOB)]
        )
