"""Tests for :mod:`p2pship.overlay.peers`: several devices of a person, devices no longer listed, too many peers."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from twisted.internet.defer import Deferred

from p2pship.errors import NotReached
from p2pship.identity.holdings import STATEMENT_FILE
from p2pship.identity.identity import folder_name
from p2pship.identity.papers import ListedDevice
from p2pship.identity.statement import host_identity_hash, sign_statement
from p2pship.identity.validity import STATEMENT_LIFETIME
from p2pship.interfaces import IPeer, IReaching
from p2pship.overlay import peers as module
from p2pship.overlay.peer import Surroundings
from p2pship.overlay.peerkey import PeerKey
from p2pship.overlay.peers import Peers
from p2pship.overlay.reach import Tried
from tests.identity import example
from tests.overlay.nodes import ALICE, BOB, OWN, STRANGER, Node, OverlayCase, Reached


def listed(node: Node) -> ListedDevice:
    """Return a node's device as statements list it."""
    device = node.keyring.device
    return ListedDevice(host_identity_hash(device.key), device.publication_key)


class Quick(Reached):
    """Is content with the first device that is reached."""

    search: IReaching

    def peer_reached(self, peer: IPeer, tried: Tried) -> None:
        """Keep it, and look no further."""
        super().peer_reached(peer, tried)
        self.search.cancel()


class DevicesTests(OverlayCase):
    """Bob has two devices with the same identity."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.first = self.node(ALICE), self.node(BOB)
        state = Path(self.mktemp())
        shutil.copytree(self.first.state / "identities", state / "identities")
        self.second = self.node(BOB, state=state)

    def restate(self, *devices: Node, revoked: tuple[bytes, ...] = ()) -> None:
        """Let Bob sign a statement that lists these devices, and both devices have it."""
        identity = self.first.own
        raw = sign_statement(
            identity.sign,
            aor=BOB,
            key=identity.key,
            version=int(self.clock.seconds()) + 1000,
            issued=int(self.clock.seconds()),
            expires=int(self.clock.seconds()) + STATEMENT_LIFETIME,
            devices=[listed(device) for device in devices],
            certificate_hash=hashlib.sha256(identity.certificate).digest(),
            revoked=revoked,
        )
        for node in (self.first, self.second):
            (node.state / "identities" / folder_name(BOB) / STATEMENT_FILE).write_bytes(raw)

    def restart(self, node: Node) -> Node:
        """Start a node anew on its state."""
        node.kill()
        return self.node(BOB, state=node.state)

    def test_both(self) -> None:
        """Both are reached, each as a peer of its own; then nobody is searched for any more."""
        self.restate(self.first, self.second)
        self.first, self.second = self.restart(self.first), self.restart(self.second)
        reached = self.alice.people(BOB)
        self.clock.pass_time(0.5)
        self.assertEqual({peer.hit for peer in reached.peers}, {self.first.hit, self.second.hit})
        asked = len(self.directory.asked)
        again = self.alice.people(BOB)
        self.clock.pass_time(0.5)
        self.assertEqual(set(again.peers), set(reached.peers))
        self.assertEqual(len(self.directory.asked), asked)

    def test_cancelled_by_the_receiver(self) -> None:
        """A receiver that cancels when it hears of one device hears of no other."""
        self.restate(self.first, self.second)
        self.first, self.second = self.restart(self.first), self.restart(self.second)
        self.alice.people(BOB)
        self.clock.pass_time(0.5)
        quick = Quick()
        quick.search = self.alice.overlay.people(BOB, self.alice.own, quick)
        self.clock.pass_time(1)
        self.assertEqual((len(quick.peers), quick.outcomes), (1, []))

    def test_one_connected(self) -> None:
        """One that is connected is told at once, and the other is searched for all the same."""
        self.restate(self.first, self.second)
        self.first, self.second = self.restart(self.first), self.restart(self.second)
        one = self.watch(self.alice.overlay.peer(BOB, self.alice.own, self.second.hit))
        self.clock.pass_time(0.5)
        reached = self.alice.people(BOB)
        self.clock.settle()
        self.assertEqual(reached.peers, one)
        self.clock.pass_time(0.5)
        self.assertEqual([peer.hit for peer in reached.peers], [self.second.hit, self.first.hit])
        self.assertEqual([tried.lookup for tried in reached.outcomes[0].tried], ["link", "memory"])

    def test_no_longer_listed(self) -> None:
        """When a new statement comes that does not list a device, its live link is of no more use."""
        self.directory.nodes.remove(self.second)
        peer = self.alice.reach(BOB)
        self.restate(self.second)
        self.directory.nodes.append(self.second)
        self.second = self.restart(self.second)
        self.watch(self.alice.overlay.peer(BOB, self.alice.own, self.second.hit))
        self.clock.pass_time(1)
        self.assertTrue(peer.over)
        self.assertEqual([one.hit for one in self.alice.overlay.peers()], [self.second.hit])
        self.assertEqual(len(self.first.test.lost), 1)


class TableTests(OverlayCase):
    """The table itself."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(module, "MAX_PEERS", 2)
        self.home = self.node(ALICE)
        self.ended: list[str] = []
        self.peers = Peers(lambda octets: bytes(octets))
        self.around = Surroundings(
            self.clock, self.home.journal, {}, lambda peer: None, lambda peer, _: self.end(peer.aor)
        )

    def end(self, aor: str) -> None:
        """Forget a peer that has ended, as the switchboard does."""
        self.ended.append(aor)
        self.peers.forget(next(peer for peer in self.peers if peer.aor == aor))

    def claim(self, aor: str) -> PeerKey:
        """Claim a peer and return its key."""
        key = PeerKey(ALICE, aor, bytes(16))
        self.peers.claim(key, self.home.own, b"key", STRANGER, self.around)
        return key

    def test_one_each(self) -> None:
        """There is one peer of each key, with a session number above 0."""
        key = self.claim("a@x")
        peer = self.peers.get(key)
        assert peer is not None
        self.claim("a@x")
        self.assertIs(self.peers.get(key), peer)
        self.assertEqual(peer.session.own, 1)

    def test_newer(self) -> None:
        """What one device's peer has heard of the person is known to the next one's, which may come with an older statement."""
        first = self.peers.get(self.claim("a@x"))
        assert first is not None
        first.newer = example.papers_of_another_key(1, 1).statement
        other = PeerKey(ALICE, "a@x", bytes(15) + b"2")
        second = self.peers.claim(other, self.home.own, b"other key", STRANGER, self.around)
        self.assertIs(second.newer, first.newer)

    def test_room(self) -> None:
        """The eldest with nothing under way gives way; when all are busy there is no room."""
        first, second = self.claim("a@x"), self.claim("b@x")
        self.claim("c@x")
        self.assertEqual((self.ended, self.peers.get(first)), (["a@x"], None))
        for peer in self.peers:
            peer.watch(True)
        self.assertRaises(NotReached, self.claim, "d@x")
        self.assertIsNotNone(self.peers.get(second))

    def test_crowd(self) -> None:
        """A stranger without a link gives way before those who are known or have one; and no trace of it is left."""
        known = self.peers.claim(
            PeerKey(ALICE, "friend@x", bytes(16)), self.home.own, b"key", OWN, self.around
        )
        for number in range(5):
            self.claim(f"{number}@x")
        self.assertEqual(self.ended, ["0@x", "1@x", "2@x", "3@x"])
        self.assertIs(self.peers.get(known.key), known)
        self.assertEqual(set(self.peers._of), {"friend@x", "4@x"})


class ManyPayloadsTests(OverlayCase):
    """Limits on what waits."""

    def test_unanswered(self) -> None:
        """What waits for answers is bounded, and so is what waits to be sent."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        bob.test.answer = lambda _: Deferred()
        results = [self.watch(peer.send("test", b"x")) for _ in range(1025)]
        self.assertEqual([len(result) for result in results], [0] * 1024 + [1])
        self.network.links[0].lose()
        self.clock.pass_time(1)
        self.assertEqual(len(bob.test.payloads), 1024)

    def test_octets(self) -> None:
        """At most 4 MiB wait to be sent."""
        alice, bob = self.two()
        bob.test.answer = lambda _: None
        peer = alice.reach(BOB)
        self.network.links[0].cut()
        results = [self.watch(peer.send("test", bytes(65_536))) for _ in range(80)]
        refused = sum(map(len, results))
        self.assertTrue(10 < refused < 20)
        self.network.links[0].mend()
        self.clock.pass_time(1)
        self.assertEqual(sum(map(len, results)), 80)
