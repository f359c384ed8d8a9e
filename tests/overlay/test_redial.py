"""Tests for :mod:`p2pship.overlay.redial`; :mod:`tests.overlay.test_resume` has it with whole nodes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import NotReached
from p2pship.overlay.redial import MOST_UNINVITED, PAUSES, SENDER_SECONDS, Redial


class LostPeer:
    """A peer that wants a link and has none."""

    berth = None
    wants_link = True
    watched = False
    uninvited = False
    over = ""

    def end(self, reason: str) -> None:
        """Be over."""
        self.over = reason


class RedialTests(SynchronousTestCase):
    """Attempts that end in one way or the other."""

    def setUp(self) -> None:
        self.clock, self.peer = Clock(), LostPeer()
        self.attempts: list[Deferred[None]] = []
        self.redial = Redial(self.clock, self.reach)
        self.redial.begin(self.peer)  # type: ignore[arg-type]
        self.clock.advance(0)

    def reach(self, peer: Any) -> Deferred[None]:
        """Begin an attempt."""
        self.attempts.append(Deferred())
        return self.attempts[-1]

    def test_in_vain(self) -> None:
        """One that leads nowhere is followed by another after a pause."""
        self.attempts[0].errback(NotReached())
        self.clock.advance(PAUSES[0] / 2)
        self.assertEqual(len(self.attempts), 1)
        self.clock.advance(PAUSES[0] / 2)
        self.assertEqual(len(self.attempts), 2)

    def test_cancelled(self) -> None:
        """One that gave way to another attempt, which then came to nothing, is followed by the next as well."""
        self.attempts[0].errback(CancelledError())
        self.clock.advance(0)
        self.assertEqual(len(self.attempts), 2)
        self.assertEqual(self.peer.over, "")

    def test_broken(self) -> None:
        """One that fails in an unforeseen way is logged, and ends the peer: nobody waits for ever."""
        self.attempts[0].errback(ZeroDivisionError())
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("this node failed", self.peer.over)
        self.assertEqual(len(self.attempts), 1)

    def test_uninvited(self) -> None:
        """Of strangers who only ever came to us, few are dialled at a time, as they may have named anybody's address; the others end in time."""
        strangers = [LostPeer() for _ in range(2 * MOST_UNINVITED)]
        for each in strangers:
            each.uninvited = True
            self.redial.begin(each)  # type: ignore[arg-type]
        self.clock.advance(0)
        self.assertEqual(len(self.attempts), 1 + MOST_UNINVITED)
        self.redial.begin(LostPeer())  # type: ignore[arg-type]
        self.clock.advance(0)
        self.assertEqual(len(self.attempts), 2 + MOST_UNINVITED)
        for attempt in self.attempts[1:-1]:
            attempt.errback(NotReached())
        self.clock.pump([0.05] * 10)
        self.assertEqual(len(self.attempts), 2 + 2 * MOST_UNINVITED)
        self.clock.pump([1.0] * int(SENDER_SECONDS + 5))
        self.assertEqual(len([each for each in strangers if each.over]), MOST_UNINVITED)
