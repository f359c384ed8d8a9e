"""Tests of calls between nodes that have nothing but UDP in the clear, over real sockets, also through a bad path."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor

from p2pship.address import Locator
from p2pship.bearer.udp import UDPBearer, UDPSettings
from p2pship.interfaces import IBearer
from p2pship.journal import CallStarted, PeerReached
from p2pship.node import Node
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import Ending
from tests.bearer.roughrelay import HOST, RoughRelay
from tests.node.calling import ALICE, BOB, NodeTestCase, statuses
from tests.scale import scaled

CALLS = scaled(2, 20)


class RelayedBearer(UDPBearer):
    """Says that it is where a relay is."""

    relay: RoughRelay | None = None

    def locators(self) -> list[Locator]:
        if not self._listeners:
            return []
        if self.relay is None:
            self.relay = RoughRelay(reactor, self._listeners[0].number)
        return [Locator(self.name, HOST, self.relay.port)]


class UDPNodes(MemoryNodes):
    """Nodes with UDP alone."""

    def __init__(self, *arguments: Any) -> None:
        self.udp: dict[str, RelayedBearer] = {}
        super().__init__(*arguments)

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        super().bearers_of(name, node)
        settings = UDPSettings(listen=(HOST,), port=0)
        device = node.keyring.device
        self.udp[name] = RelayedBearer(
            reactor, settings, device, node.network, node.ports, node.journal, node.random
        )
        return {"udp": self.udp[name]}


class UDPCallTests(NodeTestCase):
    """Calls between them."""

    nodes: UDPNodes

    def make_nodes(self, folder: Path) -> UDPNodes:
        """Make the nodes, and close their relays at the end."""
        nodes = UDPNodes(reactor, folder, self.names)
        self.addCleanup(self._close_relays)
        return nodes

    def _close_relays(self) -> None:
        for made in self.nodes.udp.values():
            if made.relay is not None:
                made.relay.close()

    @property
    def relay(self) -> RoughRelay:
        """What is before Bob's node."""
        made = self.nodes.udp["bob"].relay
        assert made is not None
        return made

    async def test_call(self) -> None:
        """A phone calls another, both hear each other, one hangs up, and everything says that it is not encrypted."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        rung.answer()
        await call.answered
        self.assertEqual(statuses(call), [100, 180, 200])
        await self.talk(call, rung, packets=10)
        await call.hang_up()
        self.assertEqual(await rung.ended, Ending(remote=True))
        (reached,) = self.told("alice", PeerReached)
        self.assertIn("over udp", str(reached))
        self.assertIn("NOT ENCRYPTED", str(reached))
        (started,) = self.told("bob", CallStarted)
        self.assertEqual((started.caller, started.callee), (ALICE, BOB))

    async def test_bad_path(self) -> None:
        """Through a path that loses a fifth of all datagrams, repeats and overtakes, calls are made and ended."""
        alice, bob = await self.two_phones()
        random = Random(1)

        def bad(datagram: bytes) -> list[tuple[float, bytes]]:
            copies = 0 if random.random() < 0.2 else 2 if random.random() < 0.1 else 1
            return [(0.002 + 0.01 * random.random(), datagram) for _ in range(copies)]

        self.relay.there = self.relay.back = bad
        for _ in range(CALLS):
            call, answered = await self.up(alice, bob)
            await self.talk(call, answered, packets=10)
            await call.hang_up()
            self.assertEqual(await answered.ended, Ending(remote=True))

    async def test_router_forgets(self) -> None:
        """When a router gives the caller's node another port in the middle of a call, it goes on."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        port = self.relay.move()
        await self.talk(call, answered, packets=20)
        (peer,) = self.node("bob").status()["peers"]
        self.assertEqual(peer["path"], f"udp {HOST}:{port}")
        self.assertEqual(len(self.told("alice", PeerReached)), 1, "over the same link")
