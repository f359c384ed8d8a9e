"""Tests for :mod:`p2pship.overlay.search`: who is the person that is searched for, when others say that they are."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from p2pship.identity.device import Device
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IIdentity
from p2pship.lookup.candidate import Answer
from tests.overlay.nodes import ALICE, BOB, Node, OverlayCase, Reached


class TrustsAs:
    """A trust policy that thinks the same of everybody."""

    def __init__(self, grade: NameGrade) -> None:
        self._verdict = Verdict(grade, Acquaintance.STRANGER)

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge."""
        return succeed(self._verdict)


class ImpostorTests(OverlayCase):
    """Somebody has said hello to Alice in Bob's name."""

    def impostor(self, alice: Node, bob: Node | None = None) -> Node:
        """Return a node of another Bob, who has come to Alice and whom no search finds."""
        node = self.node(BOB)
        self.directory.nodes.remove(node)
        if bob is not None:
            self.directory.nodes.remove(bob)
        node.reach(ALICE)
        if bob is not None:
            self.directory.nodes.append(bob)
        self.assertEqual(alice.peer(BOB).hit, node.hit)
        return node

    def called(self, alice: Node) -> list[bytes]:
        """Return the devices that a call of Alice to Bob goes to."""
        reached = alice.people(BOB)
        self.clock.pass_time(1)
        self.assertEqual(len(reached.outcomes), 1)
        return [peer.hit for peer in reached.peers]

    def test_other_key_found(self) -> None:
        """The call goes to the Bob who is found, and not to who came in his name."""
        alice, bob = self.two()
        self.impostor(alice, bob)
        self.assertEqual(self.called(alice), [bob.hit])
        self.assertEqual(self.called(alice), [bob.hit])

    def test_comes_during_a_call(self) -> None:
        """Who was found stays the one, whoever else comes meanwhile."""
        alice, bob = self.two()
        alice.reach(BOB)
        other = self.node(BOB)
        self.directory.nodes.remove(other)
        other.reach(ALICE)
        self.assertEqual(self.called(alice), [bob.hit])

    def test_nobody_found(self) -> None:
        """Where nobody else is found, who came can be called back."""
        alice = self.node(ALICE)
        came = self.impostor(alice)
        asked = len(self.directory.asked)
        self.assertEqual(self.called(alice), [came.hit])
        self.assertEqual(len(self.directory.asked), asked + 1)

    def test_two_came(self) -> None:
        """Of two who came with different keys neither is called."""
        alice = self.node(ALICE)
        self.impostor(alice)
        other = self.node(BOB)
        self.directory.nodes.remove(other)
        other.reach(ALICE)
        self.assertEqual(self.called(alice), [])

    def test_own_identity(self) -> None:
        """A name that lives on this very node is never looked for in those who came."""
        alice = self.node(ALICE, BOB)
        self.impostor_of_own(alice)
        self.assertEqual(self.called(alice), [alice.hit])

    def impostor_of_own(self, alice: Node) -> None:
        """Let somebody come to Alice in the name of Bob, who lives on her node."""
        node = self.node(BOB)
        self.directory.nodes.remove(node)
        node.reach(ALICE)

    def test_came_and_found(self) -> None:
        """Who came by himself and is then found is called over the link that is up."""
        alice, bob = self.two()
        peer = self.came(alice, bob)
        reached = alice.people(BOB)
        self.clock.pass_time(1)
        self.assertEqual(reached.peers, [peer])
        self.assertEqual(len(self.links_between(alice, bob)), 1)

    def came(self, alice: Node, bob: Node) -> Any:
        """Let Bob come, and return him as Alice sees him."""
        bob.reach(ALICE)
        return alice.peer(BOB)

    def test_proven(self) -> None:
        """Who came with a proven name is called at once."""
        alice = self.node(ALICE, trust=TrustsAs(NameGrade.VERIFIED))
        came = self.impostor(alice)
        asked = len(self.directory.asked)
        self.assertEqual(self.called(alice), [came.hit])
        self.assertEqual(len(self.directory.asked), asked)

    def test_changed(self) -> None:
        """Who came with another key than the confirmed one is never called."""
        alice = self.node(ALICE, trust=TrustsAs(NameGrade.CHANGED))
        self.impostor(alice)
        self.assertEqual(self.called(alice), [])


class SoFarTests(OverlayCase):
    """What a search that is given up says."""

    def test_asked(self) -> None:
        """While nobody has answered, the lookups that were asked are named, and nobody was tried."""
        alice, _ = self.two()
        self.directory.silent = True
        search = alice.overlay.people(BOB, alice.own, Reached())
        self.assertIsNone(search.so_far().find)
        self.clock.pass_time(0.5)
        outcome = search.so_far()
        assert outcome.find is not None
        self.assertEqual([asked.answer for asked in outcome.find.asked], [Answer.UNDER_WAY])
        self.assertEqual((outcome.tried, outcome.met), ((), False))

    def test_dialled(self) -> None:
        """A device that is being dialled is told with its locators and for how long; one that was reached as such."""
        alice, bob = self.two()
        self.network.partition([alice.bearer], [bob.bearer])
        search = alice.overlay.people(BOB, alice.own, Reached())
        self.clock.pass_time(1)
        (tried,) = search.so_far().tried
        self.assertEqual((tried.hit, tried.reached, tried.locators), (bob.hit, False, tuple(bob.locators())))
        self.assertAlmostEqual(tried.dial_seconds, 0.99, 1)
        search.cancel()
        reached = alice.people(BOB)
        self.clock.pass_time(5.1)
        (outcome,) = reached.outcomes
        self.assertEqual((reached.peers, outcome.tried[0].reason), ([], "it did not answer in time"))
        self.assertAlmostEqual(outcome.tried[0].dial_seconds, 4.99, 1)
        self.network.heal()
        alice.reach(BOB)
        again = alice.overlay.people(BOB, alice.own, Reached())
        self.clock.pass_time(0.1)
        self.assertEqual([tried.reached for tried in again.so_far().tried], [True])


class NoFurtherTests(OverlayCase):
    """When the lookups are asked no further."""

    def searched(self, grade: NameGrade, *listed: Device) -> tuple[int, bool]:
        """Call Bob, of whom one device is found, and say how many were reached and whether the search was then cancelled."""
        alice, bob = self.node(ALICE, trust=TrustsAs(grade)), self.node(BOB)
        for device in listed:
            bob.keyring.add_device(BOB, device.listed)
        self.directory.lasting = True
        reached = Reached()
        searching = alice.overlay.people(BOB, alice.own, reached)
        self.clock.pass_time(1)
        cancelled = self.directory.searches[-1].cancelled
        self.assertEqual(cancelled, bool(reached.outcomes))
        searching.cancel()
        return len(reached.peers), cancelled

    def test_all_reached(self) -> None:
        """A proven person whose only device is reached is searched for no longer."""
        self.assertEqual(self.searched(NameGrade.KNOWN), (1, True))

    def test_another_listed(self) -> None:
        """Where another device is listed, the search goes on."""
        self.assertEqual(self.searched(NameGrade.KNOWN, Device.new()), (1, False))

    def test_not_proven(self) -> None:
        """Whoever is not proven ends no search by saying that they have no other device."""
        self.assertEqual(self.searched(NameGrade.UNPROVEN), (1, False))


class TwoKeysTests(OverlayCase):
    """Somebody else is found under a name whose bearer is connected already; nothing is proven of either."""

    def test_one_call_reaches_one_key(self) -> None:
        """Only the key that was met is reached: whoever answers first would be taken for the person from then on."""
        alice, bob = self.node(ALICE), self.node(BOB)
        bob.keyring.add_device(BOB, Device.new().listed)  # so that others are looked for
        alice.reach(BOB)
        impostor = self.node(BOB)
        reached = alice.people(BOB)
        self.clock.pass_time(20)
        self.assertEqual({peer.hit for peer in reached.peers}, {bob.hit})
        (outcome,) = reached.outcomes
        reasons = [tried.reason for tried in outcome.tried if tried.hit == impostor.hit]
        self.assertEqual(reasons, ["it has another identity key than who is connected under the name"])
