"""Nodes that dial, hang up, break, move, start anew, rotate and revoke at random moments: in the end all who may talk do."""

from __future__ import annotations

from random import Random
from typing import Any

from p2pship.identity.statement import MOST_SUCCEEDED
from p2pship.overlay.peer import Peer
from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import Device, DevicesCase
from tests.scale import SEED, scaled

CAROL = "carol@example.com"

PAUSES = (0.0, 0.0, 0.0005, 0.001, 0.002, 0.02, 0.1, 0.5, 3.0)
"Seconds between two things that happen; those of a link's making are as short."

QUIET = 300.0
"Seconds in which all comes to rest: what is lost is noticed, dialled again or given up, and own devices have looked for each other."


class RacesTests(DevicesCase):
    """Alice, Carol, and Bob with two devices, of which one may be revoked."""

    def test_any_order(self) -> None:
        """Each two nodes that want a link have one, and only one, and what they say arrives once."""
        for seed in range(scaled(10, 2000)):
            self._play(SEED + seed)

    def _play(self, seed: int) -> None:
        self.setUp()
        self.seed, self.random = seed, Random(seed)
        self.network.latency = self.random.choice((0.0, 0.001, 0.001, 0.02, 0.15))
        first = self.device(BOB)
        self.nodes = [self.device(ALICE), self.device(CAROL), first, self.another(first, BOB)]
        self.revoked, self.rotations = False, 0
        self._befriend()
        self.clock.pass_time(self.random.choice((0.0, 5.0)))
        often = (
            self._dial,
            self._dial,
            self._dial,
            self._talk,
            self._lose,
            self._send,
            self._close,
            self._cut,
            self._move,
        )
        for _ in range(30):
            self.random.choice((*often, *often, self._restart, self._rotate, self._revoke))()
            self.clock.pass_time(self.random.choice(PAUSES))
        self.network.heal()
        self.clock.pass_time(QUIET)
        self._look()

    def _befriend(self) -> None:
        people = {node.own.aor: node for node in reversed(self.nodes)}
        for node in self.nodes:
            node.befriend(*(other for aor, other in people.items() if aor != node.own.aor))

    # what happens

    def _one(self) -> Device:
        return self.random.choice(self.nodes)

    def _peer(self) -> Peer | None:
        peers = list(self._one().overlay.peers())
        return self.random.choice(peers) if peers else None

    def _dial(self) -> None:
        node, other = self._one(), self._one()
        if node.own.aor != other.own.aor:
            node.people(other.own.aor)

    def _lose(self) -> None:
        if self.network.links:
            self.random.choice(self.network.links).lose()

    def _cut(self) -> None:
        if self.network.links:
            self.random.choice(self.network.links).cut()

    def _send(self) -> None:
        peer = self._peer()
        if peer is not None:
            peer.send("test", b"meanwhile").addErrback(lambda _: None)

    def _talk(self) -> None:
        """Let a call begin, which both sides want to go on."""
        peer = self._peer()
        for node in self.nodes:
            if peer is not None and node.hit == peer.hit:
                back = [each for each in node.overlay.peers() if each.hit == peer.own_hit]
                for each in (peer, *back):
                    each.watch(True)

    def _close(self) -> None:
        peer = self._peer()
        if peer is not None:
            peer.close("for a while")

    def _move(self) -> None:
        self._one().bearer.move()

    def _restart(self) -> None:
        at = self.random.randrange(len(self.nodes))
        self.nodes[at].kill()
        self.nodes[at] = self.device(state=self.nodes[at].state)
        self._befriend_again(self.nodes[at])

    def _befriend_again(self, node: Device) -> None:
        """Enter the friends of a node that has begun anew, as the tests' ledgers are in memory."""
        others = {other.own.aor: other for other in reversed(self.nodes) if other.own.aor != node.own.aor}
        node.befriend(*others.values())

    def _rotate(self) -> None:
        if self.rotations < MOST_SUCCEEDED:  # who has heard of none of more has to be told
            self.rotations += 1
            self.nodes[2].keyring.rotate(BOB)

    def _revoke(self) -> None:
        if not self.revoked:
            self.nodes[2].keyring.revoke_device(BOB, self.nodes[3].digest)
            self.nodes.pop()
            self.revoked = True

    # what has come of it

    def _look(self) -> None:
        pairs = [(one, other) for one in self.nodes for other in self.nodes if one.own.aor != other.own.aor]
        reached = [one.people(other.own.aor) for one, other in pairs]
        self.clock.pass_time(8)
        for number, (one, other) in enumerate(pairs):
            peers = [peer for peer in reached[number].peers if peer.hit == other.hit]
            said = f"seed {self.seed}: {one.own.aor} and {other.own.aor}"
            self.assertEqual(len(peers), 1, said)
            self._look_at(peers[0], other, b"%d" % number, said)
            self.assertEqual(len(self.links_between(one, other)), 1, said)

    def _look_at(self, peer: Peer, other: Device, body: bytes, said: str) -> None:
        answers: list[Any] = self.watch(peer.send("test", body))
        self.clock.pass_time(2)
        self.assertEqual(answers, [b"took " + body], said)
        self.assertEqual(other.test.payloads.count(body), 1, said)
