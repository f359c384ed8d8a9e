"""Whole nodes in one process, joined by memory bearers and a memory lookup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.task import deferLater

from p2pship.address import HostPort
from p2pship.config import load
from p2pship.interfaces import IBearer, ILookup, INetwork
from p2pship.journal import Fact
from p2pship.node import Node
from p2pship.sections import sections
from p2pship.testing.bearer import MemoryBearer, MemoryLink, MemoryNetwork
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup
from p2pship.testing.network import StaticNetwork
from p2pship.testing.nodeprocess import ASKS_NOBODY


class MemoryNodes:
    """Nodes that find and reach each other in memory; phones reach them over real sockets on loopback."""

    def __init__(self, reactor: Any, folder: Path, names: Sequence[str], options: Sequence[str] = ()) -> None:
        """Prepare a node for each name; its state is in the folder of that name. They ask no domain of the real world.

        ``options`` are assignments such as ``sip.domain=example.com``, the same for all nodes.
        """
        self._reactor = reactor
        self._folder = folder
        self._options = ("sip.port=0", *ASKS_NOBODY, *options)
        self.links = MemoryNetwork()
        self.directory = MemoryDirectory()
        self.bearers: dict[str, MemoryBearer] = {}
        self.lookups: dict[str, MemoryLookup] = {}
        self.facts: dict[str, list[Fact]] = {name: [] for name in names}
        "what each journal was told, in order; it goes on when a node is started anew"
        self.nodes = {name: self._make(name) for name in names}

    def _make(self, name: str) -> Node:
        def bearers(node: Node) -> Mapping[str, IBearer]:
            return self.bearers_of(name, node)

        def lookups(node: Node) -> Mapping[str, ILookup]:
            return self.lookups_of(name, node)

        network: INetwork = StaticNetwork()
        config = load(None, sections(), self._options)
        node = Node(
            self._reactor, config, self.state(name), lookups=lookups, bearers=bearers, network=network
        )
        node.journal.watch(self.facts[name].append)
        return node

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookups of a node; a subclass may make others, or add some."""
        self.lookups[name] = self.make_lookup()
        return {"memory": self.lookups[name]}

    def make_lookup(self) -> MemoryLookup:
        """Make the lookup of a node; a subclass may make another kind."""
        return MemoryLookup(self._reactor, self.directory)

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make the bearers of a node; a subclass may add others."""
        self.bearers[name] = MemoryBearer(
            self._reactor, self.links, node.keyring.device, devices=node.keyring.devices
        )
        return {"memory": self.bearers[name]}

    def state(self, name: str) -> Path:
        """Return the state folder of a node."""
        return self._folder / name

    def start(self) -> Deferred[Any]:
        """Start every node; fires when phones can register."""
        return gatherResults([self.start_one(name) for name in self.nodes])

    def start_one(self, name: str) -> Deferred[None]:
        """Start one node."""
        self.nodes[name].startService()
        return self.nodes[name].when_started()

    def stop(self) -> Deferred[Any]:
        """Stop every node that runs."""
        return gatherResults([self.stop_one(name) for name in self.nodes])

    def stop_one(self, name: str) -> Deferred[Any]:
        """Stop one node in good order; harmless when it does not run."""
        node = self.nodes[name]
        return maybeDeferred(node.stopService) if node.running else gatherResults([])

    def start_anew(self, name: str) -> Deferred[None]:
        """Start another node on the state of one that has stopped."""
        self.nodes[name] = self._make(name)
        return self.start_one(name)

    def restart(self, name: str) -> Deferred[None]:
        """Stop a node, and start another one on its state."""
        return self.stop_one(name).addCallback(lambda _: self.start_anew(name))

    def kill(self, name: str) -> None:
        """Let a node vanish from the network as one does whose machine loses its power: nobody is told."""
        others = [bearer for other, bearer in self.bearers.items() if other != name]
        self.links.partition([self.bearers[name]], others)

    def crash(self, name: str) -> Deferred[Any]:
        """End a node as a process that is killed: its links break without a goodbye, its records stay published."""
        self.kill(name)
        for link in self._links_of(name):
            link.lose()
        published = dict(self.directory.items)

        def stopped(_: object) -> None:
            self.directory.items.update(published)
            self.links.heal()

        told = deferLater(self._reactor, 0, lambda: None)  # both sides know that the links broke
        return told.addCallback(lambda _: self.stop_one(name)).addCallback(stopped)

    def break_links(self, name: str) -> None:
        """Break the links of a node; they can be dialled again."""
        for link in self._links_of(name):
            link.lose()

    def _links_of(self, name: str) -> list[MemoryLink]:
        return [link for link in self.links.links if link.bearer is self.bearers[name]]

    def proxy(self, name: str) -> HostPort:
        """Return where phones register with a node."""
        return HostPort("127.0.0.1", self.nodes[name].status()["sip"]["port"])


class TwoNodes(MemoryNodes):
    """Alice's node and Bob's."""

    def __init__(self, reactor: Any, folder: Path, options: Sequence[str] = ()) -> None:
        super().__init__(reactor, folder, ("alice", "bob"), options)
