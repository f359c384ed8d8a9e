"""Whole nodes: two people's names on one node, each with a device of its own, over real links of HIP and in memory."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from p2pship.bearer.datagramlink import DatagramLink
from p2pship.bearer.hip.bearer import HIPBearer
from p2pship.bearer.hip.link import HIPLink
from p2pship.bearer.hip.packet import HIT_SIZE
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.bearer.hip.signalling import Signalling
from p2pship.identity.hit import format_hit
from p2pship.interfaces import IBearer, IIdentity
from p2pship.node import Node
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import Phone
from tests.node.calling import BOB, CAROL, NodeTestCase

HOST = "127.0.0.1"

HOME, WORK = "me@home.example", "dr.smith@work.example"

_SENDER = 8
"Where the sender's HIT is in a control packet (RFC 7401 §5.1)."


class HIPNodes(MemoryNodes):
    """Nodes with HIP alone, over real sockets."""

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make the bearer."""
        super().bearers_of(name, node)
        settings = HIPSettings(listen=(HOST,), port=0)
        made: IBearer = HIPBearer(
            reactor, settings, node.keyring, node.network, node.ports, node.journal, node.random
        )
        return {"hip": made}


def names_of(identity: IIdentity) -> dict[str, bytes]:
    """Return all by which an identity and its device could be known, in the forms in which they travel."""
    device = identity.device
    return {
        "name": identity.aor.encode(),
        "identity key": identity.key[-64:-32],
        "Host Identity": device.key[-64:-32],
        "HIT": device.hit,
        "HIT in hex": device.hit.hex().encode(),
        "HIT as text": format_hit(device.hit).encode(),
        "publication key": device.publication_key,
        "sealing key": device.sealing_key,
    }


class SeparateCase(NodeTestCase):
    """Alice has a node with two names that nobody is to connect; Bob and Carol call."""

    names = ("alice", "bob", "carol")

    def identity(self, aor: str) -> IIdentity:
        """Return one of Alice's identities."""
        found = self.node("alice").keyring.identity(aor)
        assert found is not None
        return found

    async def is_published(self, aor: str) -> None:
        """Wait until the device that one of Alice's identities has now is published."""
        key = self.identity(aor).device.publication_key
        await self.eventually(lambda: key in {slot.publication_key for slot in self.nodes.directory.items})

    async def everybody(self) -> tuple[Phone, Phone, Phone, Phone]:
        """Return Alice's two phones, one for each name, Bob's and Carol's."""
        for aor in (HOME, WORK):
            self.node("alice").keyring.create(aor, separate=True)
        home, work = await self.phone(HOME, node="alice"), await self.phone(WORK, node="alice")
        return home, work, await self.phone(BOB), await self.phone(CAROL)


class CapturedTests(SeparateCase):
    """All that leaves Alice's node, seen by those who can read it."""

    def make_nodes(self, folder: Path) -> HIPNodes:
        """Make the nodes."""
        return HIPNodes(reactor, folder, self.names)

    def capture(self) -> dict[bytes, bytearray]:
        """Return what will have been said by each HIT: in control packets, and within ESP."""
        said: dict[bytes, bytearray] = defaultdict(bytearray)
        signal, send, cast = Signalling._send, DatagramLink.send, DatagramLink.cast

        def signalled(signalling: Signalling, packet: Any) -> None:
            said[packet.octets[_SENDER : _SENDER + HIT_SIZE]] += packet.octets
            signal(signalling, packet)

        def sent(link: HIPLink, frame: bytes) -> None:
            said[link.association.agreement.own.hit] += frame
            send(link, frame)

        def casted(link: HIPLink, datagram: bytes) -> None:
            said[link.association.agreement.own.hit] += datagram
            cast(link, datagram)

        self.patch(Signalling, "_send", signalled)
        self.patch(HIPLink, "send", sent)
        self.patch(HIPLink, "cast", casted)
        return said

    async def test_nothing_in_common(self) -> None:
        """Two calls, one for each name: nothing that is sent as one device, or published, names the other or the node's own."""
        home, work, bob, carol = await self.everybody()
        said = self.capture()
        calls = [*await self.up(bob, home), *await self.up(work, carol)]
        await self.talk(*calls)
        for call in calls[::2]:
            await call.hang_up()
        node = self.node("alice").keyring.device
        self.assertFalse(node.hit in said, "nobody has called anybody as the node's own device")
        for mine, other in ((HOME, WORK), (WORK, HOME)):
            own, others = names_of(self.identity(mine)), names_of(self.identity(other))
            octets = bytes(said[self.identity(mine).device.hit])
            self.assertGreater(len(octets), 2500)
            for what in own:
                if what != "HIT as text":
                    self.assertIn(own[what], octets, what)
                self.assertNotIn(others[what], octets, what)
            for of_node in (node.hit, node.key[-64:-32], node.publication_key, node.hit.hex().encode()):
                self.assertNotIn(of_node, octets)

    async def test_published(self) -> None:
        """What is published for one name has a publication key of its own, and no octets by which another could be known."""
        await self.everybody()
        keys = {aor: self.identity(aor).device.publication_key for aor in (HOME, WORK)}
        items = self.nodes.directory.items
        slots = {aor: {slot for slot in items if slot.publication_key == key} for aor, key in keys.items()}
        self.assertTrue(all(slots.values()))
        self.assertFalse(
            {slot.lookup_key for slot in slots[HOME]} & {slot.lookup_key for slot in slots[WORK]}
        )
        mine = {device.publication_key for device in self.node("alice").keyring.devices()}
        self.assertEqual({slot.publication_key for slot in items} & mine, set(keys.values()))
        for aor, other in ((HOME, WORK), (WORK, HOME)):
            for slot in slots[aor]:
                for what, octets in names_of(self.identity(other)).items():
                    self.assertNotIn(octets, items[slot], what)

    async def test_one_removed(self) -> None:
        """When one name is removed from the node in the middle of two calls, the other's call goes on."""
        home, work, bob, carol = await self.everybody()
        ours, theirs = await self.up(home, bob)
        calls = await self.up(carol, work)
        await self.talk(ours, theirs, *calls)
        self.node("alice").keyring.remove(HOME)
        await theirs.ended
        await self.talk(*calls)
        (left,) = [peer for peer in self.node("alice").overlay.peers() if peer.path]
        self.assertEqual((left.identity.aor, left.own_hit), (WORK, self.identity(WORK).device.hit))
        await calls[0].hang_up()

    async def test_restart(self) -> None:
        """A node that is started anew has the same devices, and is called at them."""
        home, _, bob, _ = await self.everybody()
        before = {aor: self.identity(aor).device.hit for aor in (HOME, WORK)}
        await home.stop()
        self.phones.remove(home)
        await self.nodes.restart("alice")
        self.assertEqual({aor: self.identity(aor).device.hit for aor in (HOME, WORK)}, before)
        home = await self.phone(HOME, node="alice")
        await self.is_published(HOME)
        calls = await self.up(bob, home)
        await self.talk(*calls)
        (peer,) = [peer for peer in self.node("bob").overlay.peers() if peer.path]
        self.assertEqual(peer.hit, before[HOME])
        await calls[0].hang_up()

    async def test_given_one(self) -> None:
        """A name that gets a device of its own during a call is called at that afterwards, and the old one is refused for it."""
        node = self.node("alice").keyring
        node.create(HOME)
        home, bob = await self.phone(HOME, node="alice"), await self.phone(BOB)
        calls = await self.up(bob, home)
        await self.talk(*calls)
        (before,) = self.node("bob").overlay.peers()
        self.assertEqual(before.hit, node.device.hit)
        node.separate(HOME)
        await calls[0].ended
        await self.eventually(lambda: bool(before.over))
        await self.is_published(HOME)
        again = await self.up(bob, home)
        await self.talk(*again)
        (after,) = [peer for peer in self.node("bob").overlay.peers() if peer.path]
        self.assertEqual(after.hit, self.identity(HOME).device.hit)
        await again[0].hang_up()


class NamesakeTests(SeparateCase):
    """Somebody elsewhere who takes the name of one of them."""

    async def test_calls_the_other(self) -> None:
        """They are let in and ring like anybody whom nobody knows: refused, they would know that both are here."""
        _, work, *_ = await self.everybody()
        self.node("carol").keyring.create(HOME)
        calls = await self.up(await self.phone(HOME, node="carol"), work)
        await self.talk(*calls)
        await calls[0].hang_up()


class HereTests(SeparateCase):
    """Within the node."""

    async def test_each_other(self) -> None:
        """The two names call each other like anybody else, each as its own device."""
        home, work, *_ = await self.everybody()
        calls = await self.up(home, work)
        await self.talk(*calls)
        peers = [peer for peer in self.node("alice").overlay.peers() if peer.path]
        seen = {(peer.identity.aor, peer.own_hit, peer.hit) for peer in peers}
        hits = {aor: self.identity(aor).device.hit for aor in (HOME, WORK)}
        self.assertEqual(seen, {(HOME, hits[HOME], hits[WORK]), (WORK, hits[WORK], hits[HOME])})
        await calls[0].hang_up()
