"""Tests for p2pship.bearer.hip.peerlocators: which addresses are forgotten when there are too many."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.hip.peerlocator import Status
from p2pship.bearer.hip.peerlocators import MOST_KNOWN, PeerLocators
from tests.bearer.hip.hosts import path

USED = path(1)
SEEN, NAMED, MERELY = (f"198.51.100.{number}" for number in (1, 2, 3))


class PeerLocatorsTests(SynchronousTestCase):
    """One address that was seen, one that was named, one that something has merely come from, and others."""

    def test_forgotten(self) -> None:
        """What was never verified is forgotten first, and of that what nobody has named; the one in use is not at all."""
        known = PeerLocators(USED)
        for where, is_named in ((SEEN, False), (NAMED, True), (MERELY, False)):
            learnt = known.learn(where, 10500, USED, is_named=is_named)
            assert learnt is not None
            if where == SEEN:
                learnt.status = Status.ACTIVE
        for number in range(MOST_KNOWN - len(list(known))):
            known.learn(f"203.0.113.{number}", 10500, USED)
        for number, gone in enumerate((MERELY, NAMED, "203.0.113.0")):
            before = {one.host for one in known}
            known.learn(f"203.0.112.{number}", 10500, USED)
            self.assertEqual(before - {one.host for one in known}, {gone})
