"""Tests for :mod:`p2pship.sip.nonces`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip import nonces
from p2pship.sip.nonces import FAILURES, LIFETIME, WINDOW, Nonces
from tests.sip.fakes import counting

NOW = 1_800_000_000.0
HOST = "192.0.2.9"


class NoncesTests(SynchronousTestCase):
    """Each answer is taken once, and only here, and only for a while."""

    def setUp(self) -> None:
        self.nonces = Nonces(counting())
        self.nonce = self.nonces.make(HOST, NOW)

    def test_lifetime(self) -> None:
        """A nonce is fresh until it is too old, and not from another address, another node or another time."""
        for later, fresh in ((0.0, True), (LIFETIME - 1, True), (LIFETIME, False), (-60.0, False)):
            self.assertEqual(self.nonces.is_fresh(self.nonce, HOST, NOW + later), fresh, later)
        self.assertFalse(self.nonces.is_fresh(self.nonce, "192.0.2.10", NOW))
        random = counting()
        random(1)
        self.assertFalse(Nonces(random).is_fresh(self.nonce, HOST, NOW))

    def test_forged(self) -> None:
        """Nothing else than what was made is fresh: no octet may be another, none fewer, and no other spelling."""
        for at in range(len(self.nonce)):
            letter = "0" if self.nonce[at] != "0" else "1"
            forged = self.nonce[:at] + letter + self.nonce[at + 1 :]
            self.assertFalse(self.nonces.is_fresh(forged, HOST, NOW), at)
            self.assertFalse(self.nonces.is_fresh(self.nonce[:at], HOST, NOW), at)
        for other in ("", "x", "é", self.nonce + "00"):
            self.assertFalse(self.nonces.is_fresh(other, HOST, NOW), other)

    def test_counts(self) -> None:
        """Each count is taken once; they may come in another order, but not too late."""
        for count, taken in ((1, True), (1, False), (3, True), (2, True), (2, False), (3, False), (0, False)):
            self.assertEqual(self.nonces.take(self.nonce, "alice", count, NOW), taken, count)
        self.assertTrue(self.nonces.take(self.nonce, "alice", 100, NOW))
        self.assertFalse(self.nonces.take(self.nonce, "alice", 100 - WINDOW, NOW))
        self.assertTrue(self.nonces.take(self.nonce, "alice", 101 - WINDOW, NOW))
        self.assertTrue(self.nonces.take(self.nonce, "alice", 0xFFFFFFFF, NOW))
        self.assertFalse(self.nonces.take(self.nonce, "alice", 100, NOW))

    def test_failures(self) -> None:
        """A nonce that others guess with is good for nothing soon; one that was never answered rightly costs nothing."""
        self.nonces.failed(self.nonce)
        self.assertEqual(len(self.nonces), 0)
        self.nonces.take(self.nonce, "alice", 1, NOW)
        for _ in range(FAILURES):
            self.assertTrue(self.nonces.is_fresh(self.nonce, HOST, NOW))
            self.nonces.failed(self.nonce)
        self.assertFalse(self.nonces.is_fresh(self.nonce, HOST, NOW))

    def test_bounded(self) -> None:
        """Only so many are remembered; what was forgotten counts as stale, so that nothing can be used twice."""
        self.patch(nonces, "MOST", 20)
        made = [self.nonces.make(HOST, NOW + at) for at in range(50)]
        for at, nonce in enumerate(made):
            self.assertTrue(self.nonces.take(nonce, "alice", 1, NOW + at))
            self.assertLessEqual(len(self.nonces), 20)
        for nonce in made:
            fresh = self.nonces.is_fresh(nonce, HOST, NOW + 50)
            self.assertFalse(fresh and self.nonces.take(nonce, "alice", 1, NOW + 50))
