"""Tests for :mod:`p2pship.sip.notices`, and for what a caller hears when the key has changed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.journal import Fact
from p2pship.lookup.candidate import Answer, Asked, FindOutcome
from p2pship.overlay.reach import ReachOutcome
from p2pship.sip.facts import ChangedRefused
from p2pship.sip.notices import AGAIN_AFTER, MOST_REMEMBERED
from tests.sip.fakes import FakeHop
from tests.sip.station import OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"
CHANGED = ReachOutcome(FindOutcome((Asked("lan", Answer.COMPLETED, 0.1),), 1, changed=True), (), True)


class NoticesTests(SynchronousTestCase):
    """What this node tells by itself."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.facts: list[Fact] = []
        self.station.journal.watch(self.facts.append)

    def notices(self, phone: FakeHop) -> list[str]:
        """Return the texts that a phone was sent; what is sent again counts once."""
        sent = {each.call_id: each.body.decode() for each in phone.requests() if each.method == "MESSAGE"}
        return list(sent.values())

    def test_tell(self) -> None:
        """Every phone of a name gets the text, from the node's own name; a phone that refuses changes nothing."""
        phones = [
            self.station.register(ALICE, port, f"<sip:alice@127.0.0.1:{port}>") for port in (5070, 5072)
        ]
        other = self.station.register(BOB, 5074)
        self.assertEqual(self.station.proxy.notices.tell(ALICE, "hello\r\nthere"), 2)
        self.assertEqual([self.notices(phone) for phone in (*phones, other)], [["hello??there"]] * 2 + [[]])
        sent = phones[0].requests()[0]
        self.assertEqual((sent.from_.uri, sent.to.uri), ("sip:p2pship@home.p2pship.alt", f"sip:{ALICE}"))
        self.station.answer(sent, 405, phones[0])
        self.station.clock.pump([1.0] * 40)
        self.assertEqual(self.station.proxy.layer.counts.clients, 0)

    def test_nobody_there(self) -> None:
        """Without a phone nothing is sent."""
        self.assertEqual(self.station.proxy.notices.tell(ALICE, "hello"), 0)

    def test_changed_key(self) -> None:
        """The caller hears 403 in words; alice's phone and the journal are told what to do, once in a while."""
        phone = self.station.register(ALICE)
        for at in range(3):
            self.station.from_phone(
                phone,
                "INVITE",
                f"sip:{BOB}",
                ALICE,
                BOB,
                OFFER,
                Contact="<sip:alice@127.0.0.1:5070>",
                Call_ID=f"c{at}",
            )
            self.station.overlay.searches[-1].end(CHANGED)
            refused = phone.responses()[-1]
            self.assertEqual(refused.status, 403)
            self.assertEqual(
                refused.reason, f"{BOB} has another key than you know, or its domain names - not connected"
            )
            self.assertIn("contact pin", refused.first("Warning") or "")
            self.assertEqual((refused.first("Reason") or "").partition(";text")[0], "SIP;cause=403")
        self.assertEqual(len(self.notices(phone)), 1)
        self.assertIn(f"p2pship contact pin {BOB}", self.notices(phone)[0])
        told = [fact for fact in self.facts if isinstance(fact, ChangedRefused)]
        self.assertEqual(told, [ChangedRefused(ALICE, BOB)])
        self.assertIn(f"p2pship contact pin {BOB}", str(told[0]))
        self.station.clock.advance(AGAIN_AFTER)
        self.station.proxy.notices.changed(ALICE, BOB)
        self.assertEqual(len(self.notices(phone)), 2)

    def test_messages_hear_it_too(self) -> None:
        """A MESSAGE to a changed key is refused in the same way."""
        phone = self.station.register(ALICE)
        self.station.from_phone(phone, "MESSAGE", f"sip:{BOB}", ALICE, BOB)
        self.station.overlay.searches[-1].end(CHANGED)
        self.assertEqual(phone.responses()[-1].status, 403)

    def test_bounded(self) -> None:
        """Somebody with ever new names makes the node remember, and tell, only so many."""
        phone = self.station.register(ALICE)
        for at in range(MOST_REMEMBERED + 50):
            self.station.proxy.notices.changed(ALICE, f"{at}@example.org")
        self.assertEqual(len(self.notices(phone)), MOST_REMEMBERED)

    def test_clock_set_back(self) -> None:
        """What was told before the clock was set back by a year is told again after a while, not after a year."""
        phone = self.station.register(ALICE)
        self.station.proxy.notices.changed(ALICE, BOB)
        self.station.clock.rightNow -= 365 * 86_400
        self.station.proxy.notices.changed(ALICE, BOB)
        self.assertEqual(len(self.notices(phone)), 2)
