"""Whole nodes that find each other through rendezvous servers alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from p2pship.interfaces import IBearer, ILookup
from p2pship.lookup.http.card import make
from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.lookup.http.settings import HTTPSettings
from p2pship.node import Node
from p2pship.testing.bearer import MemoryBearer
from p2pship.testing.nodes import MemoryNodes
from tests.node.calling import BOB, NodeTestCase, refusal

PUBLIC = "55.5.0.1"
"Where the nodes say that they are: what only means something on one's own network is not published for everybody."

DEAD = "http://127.0.0.1:9"
"Where nobody listens."


class ServedNodes(MemoryNodes):
    """Nodes that have no other lookup than rendezvous servers."""

    servers: tuple[str, ...] = ()

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookup as the card does."""
        lookup = make(node.reactor, HTTPSettings(servers=self.servers), node)
        assert lookup is not None
        return {"http": lookup}

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make a bearer that is at a public address."""
        keyring = node.keyring
        self.bearers[name] = MemoryBearer(
            self._reactor, self.links, keyring.device, PUBLIC, lambda: keyring.devices()
        )
        return {"memory": self.bearers[name]}


class RendezvousTests(NodeTestCase):
    """Two servers, one of which is dead, and two nodes that have both."""

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]
        """Start the server first."""
        return Deferred.fromCoroutine(self._served())

    async def _served(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir()
        await self.serve()
        self.addCleanup(lambda: self.server.stopService())
        host, port = self.server.addresses()[0]
        ServedNodes.servers = (DEAD, f"http://{host}:{port}")
        await super().setUp()

    async def serve(self, port: int = 0) -> None:
        """Start a server on what the last one has kept."""
        options = ServerSettings(listen=("127.0.0.1",), port=port)
        self.server: RendezvousServer = make_server(
            reactor, options, self.state, lambda length: bytes(length)
        )
        self.server.startService()
        await self.server.when_started()

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make nodes that use it."""
        return ServedNodes(reactor, folder, self.names)

    async def test_call(self) -> None:
        """Who is found through a server is called; a name that nobody has is not found, whatever became of the other server."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        self.assertEqual((await refusal(alice.call("sip:nobody@example.com"))).status, 404)

    async def test_gone(self) -> None:
        """Who has gone takes back what was published: it is not found any more."""
        alice, _ = await self.two_phones()
        self.assertEqual(len((await self.node("alice").standing.find({"aor": BOB}))["devices"]), 1)
        await self.nodes.stop_one("bob")
        self.node("alice").finder.forget(BOB, self.node("bob").keyring.device.key)
        self.assertEqual((await refusal(alice.call(f"sip:{BOB}"))).status, 404)

    async def test_server_restarted(self) -> None:
        """A server that is restarted has what was published; while it is away the caller hears that nobody could be asked."""
        alice, bob = await self.two_phones()
        port = self.server.addresses()[0][1]
        await self.server.stopService()
        self.assertEqual((await refusal(alice.call(f"sip:{BOB}"))).status, 500)
        await self.serve(port)
        await self.eventually(lambda: self.node("alice").lookups["http"]._upkeeps[1].remote.wait(True) == 0.0)
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
