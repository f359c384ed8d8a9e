"""Whole nodes in one process, joined by memory bearers and a memory lookup."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from p2pship.address import HostPort
from p2pship.config import load
from p2pship.interfaces import INetwork
from p2pship.node import Node
from p2pship.sections import sections
from p2pship.testing.bearer import MemoryBearer, MemoryNetwork
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup
from p2pship.testing.network import StaticNetwork


class MemoryNodes:
    """Nodes that find and reach each other in memory; phones reach them over real sockets on loopback."""

    def __init__(self, reactor: Any, folder: Path, names: Sequence[str]) -> None:
        """Prepare a node for each name; its state is in the folder of that name."""
        self._reactor = reactor
        self._folder = folder
        self.links = MemoryNetwork()
        self.directory = MemoryDirectory()
        self.bearers: dict[str, MemoryBearer] = {}
        self.lookups: dict[str, MemoryLookup] = {}
        self.nodes = {name: self._make(name) for name in names}

    def _make(self, name: str) -> Node:
        def bearers(node: Node) -> dict[str, MemoryBearer]:
            self.bearers[name] = MemoryBearer(self._reactor, self.links, node.keyring.device)
            return {"memory": self.bearers[name]}

        def lookups(node: Node) -> dict[str, MemoryLookup]:
            self.lookups[name] = MemoryLookup(self._reactor, self.directory)
            return {"memory": self.lookups[name]}

        network: INetwork = StaticNetwork()
        config = load(None, sections(), ["sip.port=0"])
        return Node(self._reactor, config, self._folder / name, lookups=lookups, bearers=bearers, network=network)

    def start(self) -> Deferred[Any]:
        """Start every node; fires when phones can register."""
        return gatherResults([self.start_one(name) for name in self.nodes])

    def start_one(self, name: str) -> Deferred[None]:
        """Start one node."""
        self.nodes[name].startService()
        return self.nodes[name].when_started()

    def stop(self) -> Deferred[Any]:
        """Stop every node that runs."""
        return gatherResults([maybeDeferred(node.stopService) for node in self.nodes.values() if node.running])

    def restart(self, name: str) -> Deferred[None]:
        """Stop a node, and start another one on its state."""
        stopped: Deferred[Any] = maybeDeferred(self.nodes[name].stopService)

        def again(_: object) -> Deferred[None]:
            self.nodes[name] = self._make(name)
            return self.start_one(name)

        return stopped.addCallback(again)

    def kill(self, name: str) -> None:
        """Let a node vanish from the network as one does whose machine loses its power: nobody is told."""
        others = [bearer for other, bearer in self.bearers.items() if other != name]
        self.links.partition([self.bearers[name]], others)

    def proxy(self, name: str) -> HostPort:
        """Return where phones register with a node."""
        return HostPort("127.0.0.1", self.nodes[name].status()["sip"]["port"])


class TwoNodes(MemoryNodes):
    """Alice's node and Bob's."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        super().__init__(reactor, folder, ("alice", "bob"))
