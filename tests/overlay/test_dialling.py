"""Tests for :mod:`p2pship.overlay.dialling` and the search: which way is taken, and what comes after a failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from p2pship.address import Locator
from p2pship.errors import NotReached
from p2pship.interfaces import IDevice, ILink
from p2pship.overlay.dialling import ENCRYPTED_SECONDS, GREET_SECONDS
from p2pship.testing.bearer import MemoryBearer
from tests.overlay.nodes import ALICE, BOB, Node, OverlayCase


class PlainBearer(MemoryBearer):
    """A bearer whose links are not encrypted."""

    name = "plain"
    encrypted = False

    def _pair(self, *arguments: Any) -> Any:
        pair = super()._pair(*arguments)
        for link in pair:
            link.encrypted = False
        return pair


class FussyBearer(MemoryBearer):
    """A bearer that keeps what it was asked to dial, and fails when told to."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.dialled: list[Sequence[Locator]] = []
        self.broken = False
        self.mute = False
        "whether dials neither succeed nor fail"

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        """Dial, or fail."""
        self.dialled.append(locators)
        if self.mute:
            return Deferred()
        return super().dial(device_key, [] if self.broken else locators, own)


def both(node: Node) -> list[MemoryBearer]:
    """Return an encrypted bearer and one that is not."""
    arguments = (node.clock, node.network, node.keyring.device)
    return [FussyBearer(*arguments), PlainBearer(*arguments)]


class WaysTests(OverlayCase):
    """Encrypted and other ways to a device."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two(bearers=both)
        fussy = self.alice.bearers[0]
        assert isinstance(fussy, FussyBearer)
        self.fussy = fussy

    def test_encrypted_first(self) -> None:
        """The encrypted way is taken when it works."""
        peer = self.alice.reach(BOB)
        self.assertTrue(peer.encrypted)
        self.assertTrue(peer.path.startswith("memory"))

    def test_clear_as_last_resort(self) -> None:
        """The other is taken when no encrypted one leads to the device, and the peer says so."""
        self.fussy.broken = True
        peer = self.alice.reach(BOB)
        self.assertFalse(peer.encrypted)
        self.assertEqual(len(self.fussy.dialled), 1)
        self.assertFalse(self.bob.peer(ALICE).encrypted)

    def test_blocked_without_a_word(self) -> None:
        """Where nothing is heard of the encrypted way the other gets its turn in time; a firewall says nothing."""
        self.fussy.mute = True
        reached = self.alice.people(BOB)
        self.clock.pass_time(ENCRYPTED_SECONDS - 0.1)
        self.assertEqual(reached.peers, [])
        self.clock.pass_time(0.5)
        self.assertFalse(reached.peers[0].encrypted)

    def test_clear_link_that_is_up(self) -> None:
        """Nor does another hello take a link in the clear that is up, when the device was reached encrypted meanwhile."""
        alice = self.node(ALICE, "eve@example.com", bearers=both)
        fussy = alice.bearers[0]
        assert isinstance(fussy, FussyBearer)
        fussy.broken = True
        self.assertFalse(alice.reach(BOB).encrypted)
        alice.keyring.mark_encrypted(self.bob.hit)
        fussy.broken = False
        self.assertTrue(alice.reach(BOB, alice.keyring.identities()[1]).encrypted)

    def test_never_again_in_the_clear(self) -> None:
        """A device that was once reached encrypted is never dialled in the clear."""
        peer = self.alice.reach(BOB)
        peer.watch(True)
        self.fussy.broken = True
        self.network.links[0].lose()
        self.clock.pass_time(5)
        self.assertEqual((peer.path, self.network.links), ("", []))
        self.fussy.broken = False
        self.clock.pass_time(5)
        self.assertTrue(peer.encrypted)

    def test_hello_in_the_clear(self) -> None:
        """Nor is its hello taken over a link that is not encrypted."""
        peer = self.alice.reach(BOB)
        peer.close("enough")
        self.clock.pass_time(1)
        restarted = self.alice.state
        self.alice.kill()
        self.alice = self.node(ALICE, bearers=both, state=restarted)
        fussy = self.alice.bearers[0]
        assert isinstance(fussy, FussyBearer)
        fussy.broken = True
        reached = self.alice.people(BOB)
        self.clock.pass_time(6)
        self.assertEqual(reached.peers, [])
        self.assertIn("reached encrypted before", str(self.bob.facts[-1]))


class FailureTests(OverlayCase):
    """What comes after a failure."""

    def test_more_locators(self) -> None:
        """When those dialled lead nowhere and more become known, those are dialled."""
        alice, bob = self.two()
        self.directory.nodes.remove(bob)
        right = bob.found(BOB)
        wrong = replace(right, locators=(Locator("memory", "127.0.0.1", 1),))
        self.directory.extra = [wrong, right]
        reached = alice.people(BOB)
        self.clock.pass_time(0.5)
        self.assertEqual([peer.hit for peer in reached.peers], [bob.hit])
        self.assertEqual([tried.reached for tried in reached.outcomes[0].tried], [True])

    def test_dialled_in_vain(self) -> None:
        """Whoever keeps what was found is told of a device that was dialled in vain."""
        vain: list[tuple[str, bytes]] = []
        alice = self.node(ALICE, dialled_in_vain=lambda *device: vain.append(device))
        bob = self.node(BOB)
        self.directory.nodes.remove(bob)
        self.directory.extra = [replace(bob.found(BOB), locators=(Locator("memory", "127.0.0.1", 1),))]
        reached = alice.people(BOB)
        self.clock.pass_time(0.5)
        self.assertEqual(vain, [(BOB, bob.keyring.device.key)])
        self.assertIn("127.0.0.1:1", reached.outcomes[0].tried[0].reason)
        self.assertEqual(list(alice.overlay._peers), [])

    def test_no_locator(self) -> None:
        """A device without an address that can be dialled is not reached, and that is said."""
        alice, bob = self.two()
        self.directory.nodes.remove(bob)
        self.directory.extra = [replace(bob.found(BOB), locators=())]
        reached = alice.people(BOB)
        one = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
        self.clock.pass_time(0.5)
        self.assertIn("no address", reached.outcomes[0].tried[0].reason)
        self.assertIsInstance(one[0], NotReached)

    def test_no_common_bearer(self) -> None:
        """A device that listens on bearers which this node does not have is not reached, and it is said which they are."""
        alice, bob = self.two()
        self.directory.nodes.remove(bob)
        self.directory.extra = [replace(bob.found(BOB), locators=(Locator("pigeon", "127.0.0.1", 1),))]
        reached = alice.people(BOB)
        self.clock.pass_time(0.5)
        self.assertIn("switch on one of its own (pigeon)", reached.outcomes[0].tried[0].reason)
        reached = alice.people(BOB, alice.keyring.create("alice@work.example", separate=True))
        self.clock.pass_time(0.5)
        reason = reached.outcomes[0].tried[0].reason
        self.assertIn("device of its own here, of which only memory makes links", reason)
        self.assertIn("it listens on pigeon: it must switch on memory", reason)

    def test_no_locator_but_a_link(self) -> None:
        """Without an address it is reached all the same over a link that is up."""
        alice, bob = self.node(ALICE, "eve@example.com"), self.node(BOB)
        alice.reach(BOB)
        self.directory.nodes.remove(bob)
        self.directory.extra = [replace(bob.found(BOB), locators=())]
        peer = alice.reach(BOB, alice.keyring.identities()[1])
        self.assertEqual(peer.hit, bob.hit)

    def test_link_lost_during_hello(self) -> None:
        """A link that is lost while the hello is under way is a failure, told with its reason."""
        alice, bob = self.two(admit=lambda *_: Deferred())
        reached = alice.people(BOB)
        self.clock.pass_time(0.05)
        self.network.links[0].lose("cable cut")
        self.clock.pass_time(0.1)
        self.assertEqual(reached.outcomes[0].tried[0].reason, "cable cut")
        self.assertEqual((alice.overlay.peers(), bob.overlay.peers()), ((), ()))

    def test_receiver_fails(self) -> None:
        """A receiver that raises when a peer is reached hears of the end all the same."""
        alice, _bob = self.two()
        reached = alice.people(BOB)
        reached.peer_reached = lambda peer, tried: 1 // 0  # type: ignore[method-assign, assignment]
        self.clock.pass_time(0.5)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(reached.outcomes), 1)

    def test_refused_at_one_locator(self) -> None:
        """A refused hello lets the next locator try: what answers there may be more willing."""
        wishes = iter([False, True])
        alice, bob = self.node(ALICE), self.node(BOB, admit=lambda *_: next(wishes))
        first = bob.locators()
        bob.bearer.listen(bob.overlay.link_made, lambda: None)  # it has two places now
        self.directory.nodes.remove(bob)
        self.directory.extra = [replace(bob.found(BOB), locators=(*first, *bob.locators()))]
        reached = alice.people(BOB)
        self.clock.pass_time(0.5)
        self.assertEqual([peer.hit for peer in reached.peers], [bob.hit])
        self.assertEqual(reached.peers[0].dialled, bob.locators()[0])

    def test_refused_everywhere(self) -> None:
        """Each locator is tried once, and the refusal is told."""
        asked: list[str] = []
        alice, bob = self.node(ALICE), self.node(BOB, admit=lambda papers, *_: asked.append(papers.aor))
        first = bob.locators()
        bob.bearer.listen(bob.overlay.link_made, lambda: None)
        self.directory.nodes.remove(bob)
        self.directory.extra = [replace(bob.found(BOB), locators=(*first, *bob.locators()))]
        reached = alice.people(BOB)
        self.clock.pass_time(0.5)
        self.assertIn("would not talk", reached.outcomes[0].tried[0].reason)
        self.assertEqual(asked, [ALICE, ALICE])

    def test_identity_is_removed(self) -> None:
        """Where our own identity goes while its hello is on the way to be said or answered, that is no bug of the node's."""
        for gone in (ALICE, BOB):
            self.setUp()
            alice, bob = self.two()
            alice.keyring.create("eve@example.com")
            self.network.latency = 0.1
            reached = alice.people(BOB)
            self.clock.pass_time(0.15)
            (alice if gone == ALICE else bob).keyring.remove(gone)
            self.clock.pass_time(6)
            self.assertEqual((len(reached.outcomes), reached.peers), (1, []))

    def test_dead_link(self) -> None:
        """A link that has died unnoticed costs 2 s; then another is dialled, and who was on the dead one moves there."""
        alice, bob = self.node(ALICE, "eve@example.com"), self.node(BOB)
        before = alice.reach(BOB)
        self.network.links[0].cut()
        reached = alice.people(BOB, alice.keyring.identities()[1])
        self.clock.pass_time(GREET_SECONDS + 0.5)
        self.assertEqual([peer.hit for peer in reached.peers], [bob.hit])
        self.assertEqual(alice.overlay._dialling._locks, {})
        answers = self.watch(before.send("test", b"x"))
        self.clock.pass_time(0.5)
        self.assertEqual(answers, [b"took x"])

    def test_one_device_disbelieved(self) -> None:
        """Whatever is wrong with a device that is asked for by its HIT, it is not reached, and why is told."""
        alice, bob = self.two(admit=lambda *_: Deferred())
        one = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
        self.clock.pass_time(0.05)
        self.network.links[0].lose("cable cut")
        self.clock.pass_time(0.1)
        self.assertIsInstance(one[0], NotReached)
        self.assertEqual(str(one[0]), "cable cut")
