"""Tests for p2pship.bearer.hip.acquaintances."""

from __future__ import annotations

from p2pship.bearer.hip.acquaintances import EACH, MOST_KEPT, TOGETHER, Acquaintances
from p2pship.bearer.hip.r1limit import PER_PORT, SECOND_CHANCES
from tests.bearer.hip.hosts import path
from tests.bearer.hip.respondercase import ResponderCase


class AcquaintancesTests(ResponderCase):
    """Who gets R1s of their own."""

    def test_limits(self) -> None:
        """Strangers get none; each of the others some in a second, and all together no more than one line bears."""
        known = Acquaintances()
        self.assertFalse(known.admits(b"nobody", 10.0))
        for number in range(TOGETHER):
            known.met(b"%d" % number)
        for now in (10.0, 11.0):
            self.assertEqual(sum(known.admits(b"7", now) for _ in range(50)), EACH)
        admitted = [known.admits(b"%d" % number, 12.0) for _ in range(EACH) for number in range(TOGETHER)]
        self.assertEqual(sum(admitted), TOGETHER)

    def test_bounded(self) -> None:
        """Of very many the latest are remembered, also those that were met before and again."""
        known = Acquaintances()
        for number in (1, 2, 1, *range(100, 100 + MOST_KEPT - 1)):
            known.met(b"%d" % number)
        admitted = [known.admits(b"%d" % number, 10.0) for number in (1, 2, 100, 98 + MOST_KEPT)]
        self.assertEqual(admitted, [True, False, True, True])

    def test_address_forged(self) -> None:
        """Attack: I1s without end, some again and again, from the address and port of a host that was here before: it gets its R1."""
        friend = self.initiator()
        friend.deliver(1, self.asked[friend])
        friend.talk()
        self.now += 60.0
        forged = [self.i1() for _ in range(PER_PORT + SECOND_CHANCES)]
        for octets in 2 * forged:
            self.answer(octets, path(0))
        self.assertEqual(self.answer(self.i1(), path(0)), [])
        self.assertEqual(len(self.answer(self.asked[friend], path(0))), 1)
