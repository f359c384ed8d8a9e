"""Tests for p2pship.bearer.hip.following: sockets for addresses that cannot be used at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.hip.following import MOST_TRIES, RETRY_TIME, Following
from p2pship.bearer.hip.sockets import Sockets
from tests.bearer.fakes import FakeNetwork

ANYWHERE = ("0.0.0.0", "::")
NEW = "2001:db8::7"


class TentativeSockets:
    """Sockets of a system that lets an address be used after some attempts."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.told: list[set[str]] = []
        self.refusals = 0
        self.attempts = 0
        self.hosts: list[str] = []

    def change(self, hosts: Sequence[str]) -> bool:
        """Use them, but for the new one as long as there are refusals left."""
        self.attempts += 1
        before = self.hosts
        refused = self.refusals > 0 and NEW in hosts
        self.refusals -= refused
        self.missing = {NEW} if refused else set()
        self.hosts = [host for host in hosts if host not in self.missing]
        return self.hosts != before

    def tell_missing(self) -> None:
        """Note what is told."""
        self.told.append(self.missing)


class FollowingTests(SynchronousTestCase):
    """A machine that gets another address."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = FakeNetwork("192.0.2.1")
        self.sockets = TentativeSockets()
        self.changes = 0
        sockets = cast(Sockets, self.sockets)
        self.following = Following(self.clock, self.network, ANYWHERE, sockets, self.changed)
        self.following.begin()

    def changed(self) -> None:
        """Count."""
        self.changes += 1

    def test_at_once(self) -> None:
        """An address that can be used is used at once, and nothing is tried again."""
        self.network.become("192.0.2.1", NEW)
        self.assertEqual((self.sockets.hosts, self.changes), (["192.0.2.1", NEW], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_soon(self) -> None:
        """One that cannot be used yet is tried again until it can be, though nobody says when."""
        self.sockets.refusals = 5
        self.network.become("192.0.2.1", NEW)
        self.assertNotIn(NEW, self.sockets.hosts)
        self.clock.pump([RETRY_TIME] * 5)
        self.assertIn(NEW, self.sockets.hosts)
        self.assertEqual((self.changes, self.sockets.told), (2, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never(self) -> None:
        """One that can never be used is not tried for ever, and told then; until the addresses change again."""
        self.sockets.refusals = 1000
        self.network.become("192.0.2.1", NEW)
        self.clock.pump([RETRY_TIME] * 3 * MOST_TRIES)
        self.assertEqual((self.sockets.attempts, self.sockets.told), (MOST_TRIES + 1, [{NEW}]))
        self.network.become("192.0.2.2", NEW)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_ends(self) -> None:
        """Nothing is followed after the end, and nothing is left waiting."""
        self.sockets.refusals = 3
        self.network.become("192.0.2.1", NEW)
        self.following.end()
        self.following.end()
        self.assertEqual((self.clock.getDelayedCalls(), self.network.watchers), ([], []))
