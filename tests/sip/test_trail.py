"""Tests for p2pship.sip.trail: what the story of a call says, and how much."""

from __future__ import annotations

import json

from p2pship.lookup.candidate import Answer, Asked, FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.message import request, response_to
from p2pship.sip.trail import MOST_ENTRIES, MOST_HEARD, OTHER_SIDE, OUR_PHONE, Trail
from tests.sip.fakes import HIT, FakePeer
from tests.sip.test_callbook import ALICE, BOB, CallBookCase


class TrailTests(CallBookCase):
    """What a story says."""

    def finished(self, trail: Trail) -> tuple[str, str]:
        """Return how a call ended, and by whom."""
        return trail.story["state"], trail.story["ended_by"]

    def test_states(self) -> None:
        """The word for the end of a call that was not answered."""
        for status, cancelled, elsewhere, rang, out, into in (
            (404, None, False, False, "failed", "failed"),
            (486, None, False, True, "failed", "failed"),
            (302, None, False, False, "redirected", "redirected"),
            (487, OUR_PHONE, False, False, "cancelled", "cancelled"),
            (487, OUR_PHONE, False, True, "cancelled", "missed"),
            (487, OUR_PHONE, True, True, "elsewhere", "elsewhere"),
            (480, None, False, True, "failed", "missed"),
            (480, None, False, False, "failed", "failed"),
        ):
            for trail, state in ((self.outgoing(), out), (self.incoming(), into)):
                if rang:
                    trail.sent("b", "phone")
                    trail.heard("b", response_to(request("INVITE", f"sip:{ALICE}", []), 180))
                trail.finished(status, "why", cancelled, elsewhere)
                self.assertEqual(self.finished(trail), (state, cancelled or ""), status)

    def test_refused(self) -> None:
        """A rule of this node that refuses is named."""
        trail = self.incoming()
        trail.refused("forged-from")
        trail.finished(403, "Forbidden")
        self.assertEqual((trail.story["state"], trail.story["rule"]), ("refused", "forged-from"))

    def test_two_dialogs(self) -> None:
        """A call that two phones answered at once ends with the second dialog; what comes later changes nothing."""
        trail, peer = self.outgoing(), FakePeer(ALICE, BOB)
        trail.up("one", peer)
        trail.up("two", peer)
        trail.finished(200, "OK")
        trail.down("one", OUR_PHONE, "our phone hung up")
        self.assertEqual(trail.story["state"], "up")
        trail.down("two", OTHER_SIDE, "the other side hung up")
        self.assertEqual(self.finished(trail), ("ended", OTHER_SIDE))
        trail.finished(487, "late", OUR_PHONE)
        trail.down("three", OUR_PHONE, "late")
        self.assertEqual(self.finished(trail), ("ended", OTHER_SIDE))

    def test_answer_without_a_dialog(self) -> None:
        """A 2xx that makes no dialog leaves no call that never ends."""
        trail = self.outgoing()
        trail.finished(200, "OK")
        self.assertEqual((trail.live, self.book._live), (False, {}))

    def test_printable(self) -> None:
        """Nothing that others say steers a terminal, and no text or list of theirs is long."""
        peer = FakePeer(ALICE, "m@example.com")
        peer.path = "x"
        trail = self.book.begin("\x1b[2J\ud800\n" + "i" * 10_000, "f", peer, "m\x07@example.com", ALICE)
        for number in range(100):
            trail.sent(number, "\x1b]0;" + "p" * 10_000)
            for status in range(100, 200):
                trail.heard(number, response_to(request("INVITE", "sip:x", []), status, "\x9b" + "w" * 5000))
            trail.failed(number, "\r\n" + "e" * 10_000)
            trail.note("\u202e" + "n" * 10_000)
        asked = tuple(Asked("l", Answer.FAILED, 1.0, "\x00" + "r" * 10_000) for _ in range(100))
        tried = tuple(
            Tried(number.to_bytes(16, "big"), False, "l", 0, 0, 0, "t" * 10_000) for number in range(100)
        )
        trail.searched(BOB, ReachOutcome(FindOutcome(asked, 0, True, ("\x1b" * 10_000,) * 100), tried, False))
        trail.finished(480, "\x1b" + "z" * 100_000)
        text = json.dumps(self.book.story(trail.story["id"]), ensure_ascii=False)
        self.assertTrue(text.isprintable())
        self.assertLess(len(text), 60_000)
        self.assertEqual(len(trail.story["branches"]), MOST_ENTRIES)
        self.assertEqual(len(trail.story["branches"][0]["heard"]), MOST_HEARD)

    def test_clock_set_back(self) -> None:
        """A clock that is set back makes no time negative."""
        trail = self.outgoing()
        self.clock.rightNow -= 3600
        trail.finished(404, "Not Found")
        self.assertEqual(trail.story["ended"], 0.0)

    def test_search_again(self) -> None:
        """Of several attempts at one device the last is told."""
        trail, tried = self.outgoing(), Tried(HIT, False, "lan", 0.1, 0.2, 0.0, "first")
        trail.searched(BOB, ReachOutcome(None, (tried,), False))
        trail.reached(FakePeer(ALICE, BOB), Tried(HIT, True, "lan", 0.1, 0.2, 0.3))
        self.assertEqual([each["reached"] for each in trail.story["tried"]], [True])
