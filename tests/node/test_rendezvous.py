"""Whole nodes that find each other through rendezvous servers alone."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from p2pship.cli.report import status_text
from p2pship.interfaces import IBearer, ILookup
from p2pship.lookup.http.card import make
from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.lookup.http.settings import HTTPSettings
from p2pship.node import Node
from p2pship.testing.bearer import MemoryBearer
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.programs import free_ports
from tests.lookup.http.lookupcase import PuppetServer, response
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal

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

    async def test_behind_a_router(self) -> None:
        """Who has no public address is found, and not said to be unknown; when they have called, they are called over that link."""
        self.patch(self.nodes.bearers["bob"], "_host", "10.1.2.3")
        alice, bob = await self.two_phones()
        refused = await refusal(alice.call(f"sip:{BOB}"))
        self.assertEqual(refused.status, 480)
        self.assertIn("no address that can be dialled", refused.response.first("Warning") or "")
        for caller, called in ((bob, alice), (alice, bob)):
            call, answered = await self.up(caller, called)
            await self.talk(call, answered)
            call.hang_up()

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


class OwnServer(ServedNodes):
    """Nodes of which Alice's runs the server for both."""

    def _make(self, name: str) -> Node:
        port = self.servers[0].rpartition(":")[2]
        own = ("enabled=true", f"port={port}", 'listen=["127.0.0.1"]') if name == "alice" else ()
        self._options = ("sip.port=0", *(f"application.rendezvous.{each}" for each in own))
        return super()._make(name)


class ApplicationTests(NodeTestCase):
    """A server that is an application of a node."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make nodes that use it."""
        self.patch(ServedNodes, "servers", (f"http://127.0.0.1:{free_ports(1)}",))
        return OwnServer(reactor, folder, self.names)

    async def test_call(self) -> None:
        """Its own node is found there by others, and finds them, as if it were anybody's."""
        alice, bob = await self.two_phones()
        for caller, called in ((alice, bob), (bob, alice)):
            call, answered = await self.up(caller, called)
            await self.talk(call, answered)
            call.hang_up()


class WrongClockTests(NodeTestCase):
    """A server whose clock is another, as `p2pship status` and `p2pship doctor` tell it."""

    names = ("alice",)
    refusal = b'{"error": "clock", "text": "the slot was signed 1500 s behind this server\'s clock"}'

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make a node that uses it; through a proxy, as one on this machine would have the same clock."""
        puppet: Any = PuppetServer(self.reply)
        port: Any = reactor.listenTCP(0, puppet, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        proxied = patch.dict(os.environ, http_proxy=f"http://127.0.0.1:{port.getHost().port}")
        proxied.start()
        self.addCleanup(proxied.stop)
        self.patch(ServedNodes, "servers", ("http://rendezvous.example",))
        return ServedNodes(reactor, folder, self.names)

    def reply(self, method: str, path: str) -> bytes:
        """Refuse what is put, at the server's time."""
        return response(self.refusal, 400, date=formatdate(time.time() + 1500, usegmt=True))

    async def test_doctor(self) -> None:
        """The clock is named, though nobody was found yet, and the server that does not take what is published, with its reason."""
        await self.phone(ALICE)
        name = ServedNodes.servers[0]
        ill = {
            one["subject"]: one["words"] for one in self.node("alice").standing.checkup() if not one["well"]
        }
        self.assertIn("it is behind by about 25 minutes", ill["clock"])
        self.assertRegex(
            ill[f"server {name}"], r"status 400.*1500 s behind this server's clock \(since 20..-"
        )
        shown = status_text(self.node("alice").status())
        self.assertRegex(shown, rf"server {name} +it does not take what is published .*\(since 20..-")
