"""Whole nodes: a newcomer who knows nothing but a name finds its person through the DNS, and calls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from p2pship.interfaces import IBearer, ILookup
from p2pship.lookup.dns.discovery import NODE_LABELS, SERVER_LABELS
from p2pship.lookup.dns.protocol import DNSLookup
from p2pship.lookup.http.protocol import HTTPLookup
from p2pship.lookup.http.server.service import make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.node import Node
from p2pship.testing.bearer import MemoryBearer
from p2pship.testing.dnsserver import DNSServer, Zone
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.programs import free_ports
from p2pship.trust.resolver import Resolver
from tests.lookup.dns.dnscase import DOMAIN, TLSFiles, address, dns_lookup, srv
from tests.node.calling import NodeTestCase, refusal

BOB = f"bob@{DOMAIN}"
NEWCOMER = "alice@example.org"

HOSTS = {"alice": "198.51.99.1", "bob": "198.51.99.2"}
"Where the nodes say that they are: at public addresses, as no others are told to the wide area."


class DNSNodes(MemoryNodes):
    """Alice's node has the lookup ``dns`` alone, Bob's what each test gives it."""

    def __init__(self, folder: Path, resolver: Resolver, tls: TLSFiles, port: int, server: int) -> None:
        self.resolver, self.tls, self.port, self.server = resolver, tls, port, server
        super().__init__(reactor, folder, ("alice", "bob"))

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookups of a node."""
        asks: ILookup = dns_lookup(self.resolver.ask, self.tls.policy())
        if name == "alice":
            return {"dns": asks}
        if self.port:
            answers: ILookup = dns_lookup(self.resolver.ask, self.tls.policy(), port=self.port)
            return {"dns": answers}
        servers = (f"https://localhost:{self.server}",)
        publishes: ILookup = HTTPLookup(reactor, servers, self.tls.policy(), {}, os.urandom, node.journal)
        return {"http": publishes}

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make a bearer that says that it is at a public address."""
        self.bearers[name] = MemoryBearer(
            reactor, self.links, node.keyring.device, HOSTS[name], devices=node.keyring.devices
        )
        return {"memory": self.bearers[name]}


class NewcomerCase(NodeTestCase):
    """A zone on a DNS server, and two nodes that share no network."""

    answers = False

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Start the servers and the nodes."""
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.zone = Zone(DOMAIN)
        self.dns = DNSServer(reactor, self.zone)
        self.addCleanup(self.dns.stop)
        self.tls = TLSFiles(folder)
        settings = ServerSettings(
            listen=("127.0.0.1",), port=0, certificate=self.tls.certificate, key=self.tls.key
        )
        server = make_server(reactor, settings, folder, os.urandom)
        server.startService()
        await server.when_started()
        self.addCleanup(server.stopService)
        self.server = server.addresses()[0][1]
        self.port = free_ports(1) if self.answers else 0
        await super().setUp()

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes."""
        return DNSNodes(folder, Resolver(reactor, [self.dns.at]), self.tls, self.port, self.server)

    def _is_published(self, name: str) -> bool:
        """Tell whether whoever publishes at all has done so: Alice's node has nowhere to."""
        return name == "alice" or super()._is_published(name)

    async def call(self) -> None:
        """Have Alice call Bob, whom she has never met."""
        bob = await self.phone(BOB)
        alice = await self.phone(NEWCOMER, node="alice")
        await self.talk(*await self.up(alice, bob))


class ThroughServerTests(NewcomerCase):
    """Through the domain's rendezvous server."""

    async def test_call(self) -> None:
        """The domain's SRV record leads to its server, and what Bob published there to Bob; nobody's name was in a question."""
        self.zone.put(f"{SERVER_LABELS}.{DOMAIN}", srv("localhost", self.server))
        await self.call()
        asked = " ".join(name for name, _ in self.zone.asked)
        self.assertIn(SERVER_LABELS, asked)
        self.assertNotIn("bob", asked)

    async def test_nobody_named(self) -> None:
        """Where the domain names nobody, and there is no other lookup, nobody could be asked, and the phone is told why."""
        alice = await self.phone(NEWCOMER, node="alice")
        refused = await refusal(alice.call(f"sip:{BOB}"))
        self.assertEqual(refused.status, 500, self.reasons("alice"))
        self.assertIn("names nobody in the DNS", self.reasons("alice"))


class ThroughNodeTests(NewcomerCase):
    """Through the domain's node, without any server."""

    answers = True

    async def test_call(self) -> None:
        """The domain's SRV record leads to Bob's own node, which answers the question."""
        self.zone.put(f"{NODE_LABELS}.{DOMAIN}", srv(f"node.{DOMAIN}", self.port))
        self.zone.put(f"node.{DOMAIN}", address("127.0.0.1"))
        await self.call()
        self.assertIsInstance(self.node("bob").lookups["dns"], DNSLookup)
