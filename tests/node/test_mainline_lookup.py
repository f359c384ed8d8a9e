"""Whole nodes that share nothing but a DHT: one finds the other by its name, and calls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from p2pship.interfaces import IBearer, ILookup
from p2pship.lookup.mainline import search
from p2pship.lookup.mainline.protocol import make
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.node import Node
from p2pship.testing.bearer import MemoryBearer
from p2pship.testing.dht import PrivateDHT
from p2pship.testing.nodes import MemoryNodes
from tests.node.calling import ALICE, BOB, NodeTestCase

HOSTS = {"alice": "198.51.99.1", "bob": "198.51.99.2"}
"Where the nodes say that they are: at public addresses, as those of loopback mean nothing to others."

DHT_HOSTS = {"alice": "127.0.101.1", "bob": "127.0.102.1"}
"Where their nodes of the DHT are."


class MainlineNodes(MemoryNodes):
    """Nodes that have the lookup ``mainline`` alone."""

    def __init__(self, folder: Path, dht: PrivateDHT) -> None:
        self._dht = dht
        super().__init__(reactor, folder, ("alice", "bob"))

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookup of a node."""
        settings = MainlineSettings(
            enabled=True,
            listen=(DHT_HOSTS[name],),
            dht_port=self._dht.port,
            question_port=0,
            bootstrap=self._dht.bootstrap,
            private=True,
        )
        return {"mainline": make(reactor, settings, node)}

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make a bearer that says that it is at a public address."""
        self.bearers[name] = MemoryBearer(
            reactor, self.links, node.keyring.device, HOSTS[name], devices=node.keyring.devices
        )
        return {"memory": self.bearers[name]}


class ThroughMainlineTests(NodeTestCase):
    """Two nodes in a DHT of 24 others."""

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Start the DHT, and the nodes when it is whole."""
        self.dht = PrivateDHT()
        self.addCleanup(self.dht.stop)
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        while not self.dht.is_whole():
            await deferLater(reactor, 0.05, lambda: None)
        await super().setUp()

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes."""
        return MainlineNodes(folder, self.dht)

    async def test_call(self) -> None:
        """Alice calls Bob, whom she has never met; then his node is away without a word, and hers finds what is in the DHT."""
        bob = await self.phone(BOB)
        alice = await self.phone(ALICE, node="alice")
        await self.talk(*await self.up(alice, bob))
        lookup = self.nodes.nodes["bob"].lookups["mainline"]
        while lookup._items._under_way or not lookup._items._kept:
            await deferLater(reactor, 0.02, lambda: None)
        await lookup.stop()
        self.patch(search, "FIND_TIME", 1.0)
        found: list[str] = []
        while not found:  # on a busy machine it may take longer than that
            answer = await self.nodes.nodes["alice"].standing.find({"aor": BOB})
            found = [device["lookup"] for device in answer["devices"]]
        self.assertEqual(found, ["mainline"])
