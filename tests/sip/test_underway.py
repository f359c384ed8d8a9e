"""Tests for p2pship.sip.underway: loops and floods."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.sip import underway
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"


class LoopTests(TestCase):
    """A node whose phones send on what they get."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(ALICE)
        self.station.register(BOB)

    def send_on(self, uri: str, hops: str = "70", cseq: str = "7 INVITE") -> int:
        """Let the phone send the same INVITE to somebody; returns the status that it hears at once, 0 for none."""
        before = len(self.phone.responses())
        self.station.from_phone(
            self.phone,
            "INVITE",
            uri,
            ALICE,
            BOB,
            OFFER,
            Contact="<sip:alice@127.0.0.1:5070>",
            Max_Forwards=hops,
            CSeq=cseq,
        )
        heard = self.phone.responses()[before:]
        return heard[-1].status if heard else 0

    def test_loop(self) -> None:
        """What comes here again for the same person while the first waits has looped: 482 (RFC 3261 §16.3 item 4)."""
        self.assertEqual(self.send_on(f"sip:{CAROL}"), 0)
        self.assertEqual(self.send_on(f"sip:{CAROL}", "60"), 482)
        self.assertEqual(len(self.station.overlay.searches), 1)
        self.assertEqual(self.station.journal.counts["sip.loop"], 1)

    def test_spiral(self) -> None:
        """For another person it is a spiral, which may be (RFC 3261 §6); so may the next try after the first has ended."""
        self.assertEqual(self.send_on(f"sip:{CAROL}"), 0)
        self.assertEqual(self.send_on("sip:dave@example.com"), 0)
        self.assertEqual(self.send_on(f"sip:{CAROL}", cseq="8 INVITE"), 0)
        for search in self.station.overlay.searches:
            search.end()
        self.assertEqual(self.send_on(f"sip:{CAROL}"), 0)

    def test_over_the_link(self) -> None:
        """A peer that sends the same again by another way hears 482 too."""
        peer = FakePeer(BOB, CAROL)
        for _ in range(2):
            self.station.from_peer(
                peer,
                "INVITE",
                f"sip:{BOB}",
                CAROL,
                BOB,
                LINK_OFFER,
                Contact=f"<sip:{CAROL};gr=c.1>",
                CSeq="7 INVITE",
            )
        self.assertEqual([response.status for response in peer.responses()], [482])

    def test_another_identity(self) -> None:
        """Who asks one identity for what rings at another one hears what they would if that were on another node."""
        statuses = []
        for own in (BOB, ALICE, "nobody@example.com"):
            peer = FakePeer(own, CAROL)
            self.station.from_peer(
                peer,
                "INVITE",
                f"sip:{BOB}",
                CAROL,
                BOB,
                LINK_OFFER,
                Contact=f"<sip:{CAROL};gr=c.1>",
                CSeq="7 INVITE",
            )
            statuses.append([response.status for response in peer.responses()])
        self.assertEqual(statuses, [[], [403], [403]])
        self.assertEqual(self.station.journal.counts["sip.loop"], 0)

    def test_nothing_is_kept(self) -> None:
        """When all has been answered nothing is remembered."""
        self.send_on(f"sip:{CAROL}")
        self.station.overlay.searches[-1].end()
        under_way = self.station.proxy._under_way
        self.assertEqual((len(under_way), under_way._paths, under_way._strange), (0, set(), {}))


class StrangerTests(TestCase):
    """Many people whom nobody knows, all at once."""

    def setUp(self) -> None:
        self.patch(underway, "MOST_OF_STRANGERS", 6)
        self.patch(underway, "MOST_OF_STRANGER", 3)
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.phone = self.station.register(BOB)

    def call(self, peer: FakePeer, number: int = 0) -> int:
        """Let a peer call; returns the status that it hears at once, 0 for none."""
        before = len(peer.responses())
        self.station.from_peer(
            peer,
            "INVITE",
            f"sip:{BOB}",
            peer.aor,
            BOB,
            LINK_OFFER,
            Contact=f"<sip:{peer.aor};gr=c.1>",
            Call_ID=f"{peer.aor}-{number}",
        )
        heard = peer.responses()[before:]
        return heard[-1].status if heard else 0

    def test_new_names_are_no_way_round(self) -> None:
        """However many names a stranger makes up, only so many calls ring; people we know get through all the same."""
        statuses = [self.call(FakePeer(BOB, f"mallory{number}@example.com")) for number in range(20)]
        self.assertEqual(statuses, 6 * [0] + 14 * [480])
        self.assertEqual(self.station.journal.counts["screen.strangers"], 14)
        friend = FakePeer(BOB, ALICE)
        friend.verdict = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
        self.assertEqual(self.call(friend), 0)

    def test_one_leaves_room(self) -> None:
        """One stranger takes no more than half, and what is over makes room, also for one who is no stranger any more."""
        mallory, other = FakePeer(BOB, "mallory@example.com"), FakePeer(BOB, "other@example.com")
        statuses = [self.call(mallory, number) for number in range(5)]
        self.assertEqual(statuses, [0, 0, 0, 480, 480])
        self.assertEqual(self.call(other), 0)
        mallory.verdict = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
        for invite in [each for each in self.phone.requests() if each.method == "INVITE"]:
            self.station.answer(invite, 486, self.phone)
        under_way = self.station.proxy._under_way
        self.assertEqual((dict(under_way._strange), dict(under_way._strangers)), ({}, {}))
