"""Tests for bearers that have one link between two devices, however many dial, and move it by themselves: as HIP does."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from p2pship.address import Locator
from p2pship.testing.bearer import MemoryBearer
from tests.overlay.nodes import ALICE, BOB, Node, OverlayCase, Reached
from tests.scale import SEED, scaled


class OneLinkBearer(MemoryBearer):
    """A bearer of which a dial ends with the link that there is, though the other side may have made it."""

    def _connect(self, own: bytes, device_key: bytes, locator: Locator, result: Deferred[Any]) -> None:
        ends = (own, device_key)
        standing = next((link for link in self._own_links() if (link.own, link.proof) == ends), None)
        if standing is None:
            super()._connect(own, device_key, locator, result)
        else:
            result.callback(standing)


def one(node: Node) -> list[MemoryBearer]:
    """Return such a bearer."""
    return [OneLinkBearer(node.clock, node.network, node.keyring.device, devices=node.keyring.devices)]


class GlareTests(OverlayCase):
    """Both sides dial, and get the same link."""

    def test_at_once(self) -> None:
        """At the same moment: each end of the link is taken once, one hello passes, and nothing is closed or lost."""
        alice, bob = self.two(bearers=one)
        ones, others = alice.people(BOB), bob.people(ALICE)
        self.clock.pass_time(1)
        self.assertEqual((len(ones.peers), len(others.peers)), (1, 1))
        self.check_one_link(alice, bob)
        answers = [
            self.watch(receiver.peers[0].send("test", word))
            for receiver, word in ((ones, b"a"), (others, b"b"))
        ]
        self.clock.pass_time(0.1)
        self.assertEqual(answers, [[b"took a"], [b"took b"]])
        self.clock.pass_time(10)
        self.check_one_link(alice, bob)
        self.assertEqual((alice.test.lost, bob.test.lost), ([], []))

    def check_one_link(self, *nodes: Node) -> None:
        """Assert that one link is up, with a place for one peer at each end."""
        self.assertEqual(len(self.network.links), 2)
        for node in nodes:
            self.assertEqual([len(one.berths) for one in node.greeted()], [1])

    def test_whenever(self) -> None:
        """It is so whoever is earlier, and by how much."""
        random = Random(SEED)
        for _ in range(scaled(6, 300)):
            self.setUp()
            alice, bob = self.two(bearers=one)
            reached = [Reached(), Reached()]
            for node, other, receiver in ((alice, BOB, reached[0]), (bob, ALICE, reached[1])):
                delay = random.choice((0.0, 0.0005, 0.001, random.random() / 50))
                self.clock.callLater(delay, node.overlay.people, other, node.own, receiver)
            self.clock.pass_time(7)
            self.assertEqual([len(receiver.peers) for receiver in reached], [1, 1])
            self.check_one_link(alice, bob)

    def test_other_identity(self) -> None:
        """Whoever waits for the other side's hello, which is for another person, says one's own when that has passed."""
        alice, bob = self.node(ALICE, "eve@example.com", bearers=one), self.node(BOB, bearers=one)
        ones = alice.people(BOB)
        others = bob.people("eve@example.com")
        self.clock.pass_time(2)
        self.assertEqual((len(ones.peers), len(others.peers)), (1, 1))
        self.assertEqual(len(self.network.links), 2)
        self.assertEqual([len(one.berths) for one in alice.greeted()], [2])


class StalledTests(OverlayCase):
    """A link that the other side dialled, and over which nothing comes for a while."""

    def test_dialled_again(self) -> None:
        """Whoever dials then gets that link: a hello is said over it at once, as the other side's has passed."""
        alice, bob = self.two(bearers=one)
        alice.reach(BOB)
        bob.peer(ALICE).watch(True)
        (conduit,) = bob.overlay._conduits
        conduit.link_stalled()
        reached = bob.people(ALICE)
        self.clock.pass_time(1)
        self.assertEqual([peer.lost_since for peer in reached.peers], [None])
        self.assertEqual(list(bob.overlay._conduits), [conduit])


class AstrayTests(OverlayCase):
    """A link whose bearer says that it has lost the other side."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.alice.overlay._whereabouts._dialled_in_vain = self.directory.forget
        self.peer = self.alice.reach(BOB)
        self.peer.watch(True)
        self.clock.pass_time(0.1)
        self.conduit = next(iter(self.alice.overlay._conduits))
        self.told: list[Sequence[Locator]] = []

    def test_sought(self) -> None:
        """The device is searched for afresh, what was known of it being forgotten, and the link hears where it is."""
        self.bob.bearer.move()
        self.conduit.link_astray(self.told.append)
        self.clock.pass_time(0.1)
        self.assertEqual(self.told, [tuple(self.bob.locators())])
        self.assertIn((BOB, self.bob.keyring.device.key), self.directory.forgotten)
        self.assertIs(self.alice.reach(BOB), self.peer)
        self.assertEqual(len(self.network.links), 2)

    def test_once_at_a_time(self) -> None:
        """One search is under way at a time, and another may follow."""
        asked = len(self.directory.asked)
        for _ in range(3):
            self.conduit.link_astray(self.told.append)
        self.assertEqual(len(self.directory.asked), asked + 1)
        self.clock.pass_time(0.1)
        self.conduit.link_astray(self.told.append)
        self.assertEqual(len(self.directory.asked), asked + 2)

    def test_nobody_waits(self) -> None:
        """Nobody is searched for when nothing has to come."""
        self.peer.watch(False)
        self.clock.pass_time(1)
        asked = len(self.directory.asked)
        self.conduit.link_astray(self.told.append)
        self.assertEqual(len(self.directory.asked), asked)

    def test_stops(self) -> None:
        """A search ends with the node."""
        self.directory.silent = True
        self.conduit.link_astray(self.told.append)
        self.alice.overlay.stop()
        self.assertTrue(self.directory.searches[-1].cancelled)
