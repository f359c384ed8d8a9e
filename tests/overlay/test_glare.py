"""Tests for two nodes that call each other at the same moment: they end up with the same link, and lose nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Verdict
from p2pship.interfaces import IDevice, IIdentity, ILink, ITrustPolicy
from p2pship.journal import Fact, PeerReached
from tests.overlay.nodes import ALICE, BOB, STRANGER, Node, OverlayCase, Reached, StartedClock


@implementer(ITrustPolicy)
class SlowTrust:
    """Takes its time to judge."""

    def __init__(self, clock: StartedClock, random: Random) -> None:
        self._clock = clock
        self._random = random

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge after a while, or at once."""
        if self._random.random() < 0.5:
            return succeed(STRANGER)
        judged: Deferred[Verdict] = Deferred()
        self._clock.callLater(self._random.random() / 20, self._tell, judged)
        return judged

    def wants_chain(self, authority: bytes) -> bool:
        """Want none."""
        return False

    def _tell(self, judged: Deferred[Verdict]) -> None:
        if not judged.called:
            judged.callback(STRANGER)


class GlareTests(OverlayCase):
    """Both sides dial."""

    def _assert_one_link(self, alice: Node, bob: Node) -> None:
        self.assertEqual(len(self.links_between(alice, bob)), 1)
        self.assertEqual([len(one.berths) for one in alice.greeted()], [1])
        self.assertEqual([len(one.berths) for one in bob.greeted()], [1])

    def test_at_once(self) -> None:
        """When both hellos cross, the link that the smaller HIT dialled stays, on both sides."""
        for _ in range(4):
            self.setUp()
            alice, bob = self.two()
            ones, others = alice.people(BOB), bob.people(ALICE)
            self.clock.pass_time(1)
            self.assertEqual((len(ones.peers), len(others.peers)), (1, 1))
            self._assert_one_link(alice, bob)
            self.assertEqual(alice.greeted()[0].link.dialled, alice.hit < bob.hit)
            answers = [
                self.watch(ones.peers[0].send("test", b"a")),
                self.watch(others.peers[0].send("test", b"b")),
            ]
            self.clock.pass_time(0.1)
            self.assertEqual(answers, [[b"took a"], [b"took b"]])
            self.assertEqual((alice.test.lost, bob.test.lost), ([], []))

    def test_whenever(self) -> None:
        """Whatever the delays, both reach each other, with one link in the end and every payload once."""
        for seed in range(60):
            self._dial_both(Random(seed))

    def _dial_both(self, random: Random) -> None:
        self.setUp()
        self.network.latency = random.choice((0.0, 0.001, 0.02))
        alice, bob = (
            self.node(aor, random=random, trust=SlowTrust(self.clock, random)) for aor in (ALICE, BOB)
        )
        reached = [Reached(), Reached()]
        for node, other, receiver in ((alice, BOB, reached[0]), (bob, ALICE, reached[1])):
            delay = random.choice((0.0, 0.0005, 0.001, random.random() / 10))
            self.clock.callLater(delay, node.overlay.people, other, node.own, receiver)
        self.clock.pass_time(0.15)
        answers = []
        for step in range(20):
            for receiver in reached:
                answers += [self.watch(peer.send("test", b"%d" % step)) for peer in receiver.peers]
            self.clock.pass_time(0.01)
        self.clock.pass_time(7)
        self.assertEqual([len(receiver.peers) for receiver in reached], [1, 1])
        self._assert_one_link(alice, bob)
        self.assertEqual([len(answer) for answer in answers], [1] * len(answers))
        self.assertTrue(all(isinstance(answer[0], bytes) for answer in answers))
        for node in (alice, bob):
            self.assertEqual(node.test.payloads, sorted(node.test.payloads, key=int))
            self.assertEqual(len(set(node.test.payloads)), len(node.test.payloads))
            self.assertEqual(node.test.lost, [])

    def test_different_peers(self) -> None:
        """Two links for different identities of the same two nodes become one, and both peers go on."""
        alice, bob = self.node(ALICE, "eve@example.com"), self.node(BOB, "bill@example.com")
        ones = alice.people(BOB)
        others = bob.people("eve@example.com", bob.keyring.identities()[1])
        self.clock.pass_time(0.5)
        self.clock.pass_time(6)
        self.assertEqual(len(self.links_between(alice, bob)), 1)
        self.assertEqual(alice.greeted()[0].link.dialled, alice.hit < bob.hit)
        answers = [
            self.watch(ones.peers[0].send("test", b"a")),
            self.watch(others.peers[0].send("test", b"b")),
        ]
        self.clock.pass_time(0.1)
        self.assertEqual(answers, [[b"took a"], [b"took b"]])
        self.assertEqual((alice.test.lost, bob.test.lost), ([], []))

    def test_winner_fails(self) -> None:
        """When the hello that counts comes to nothing, the one that was held is answered."""
        alice, bob = sorted(self.two(), key=lambda node: node.hit)
        small, large = alice, bob
        there = large.own.aor
        reached = Reached()
        large.overlay.people(small.own.aor, large.own, reached)
        ours = small.people(there)
        while len(self.network.links) < 4:
            self.clock.pass_time(0.0005)
        dialled_by_small = next(link for link in small.links() if link.dialled)
        dialled_by_small.cut()
        self.clock.pass_time(0.1)
        dialled_by_small.lose()
        self.clock.pass_time(1)
        self.assertEqual((len(ours.peers), len(reached.peers)), (1, 1))
        self._assert_one_link(small, large)

    def test_redial(self) -> None:
        """Who gets a link by the other side's dial at the very moment at which its own has one, too, uses the former alone."""
        alice, bob = self.two()
        alice.reach(BOB)
        made, told = self._told_late(alice)
        for peer in (alice.peer(BOB), bob.peer(ALICE)):
            peer.watch(True)
        alice.links()[0].lose()

        def tell(fact: Fact) -> None:
            if isinstance(fact, PeerReached) and not told.called:
                told.callback(made[0])

        alice.journal.watch(tell)
        self.clock.pass_time(5)
        self.assertTrue(told.called)
        self._assert_one_link(alice, bob)
        self.assertEqual([link.dialled for link in bob.links()], [True])
        for node in (alice, bob):
            self.assertEqual(sum(isinstance(fact, PeerReached) for fact in node.facts), 2)

    def _told_late(self, node: Node) -> tuple[list[ILink], Deferred[ILink]]:
        """Return where the link will be that a node dials next, and what tells the node of it."""
        made: list[ILink] = []
        told: Deferred[ILink] = Deferred()
        dial = node.bearer.dial

        def held(device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
            dial(device_key, locators, own).addCallback(made.append)
            return told

        self.patch(node.bearer, "dial", held)
        return made, told
