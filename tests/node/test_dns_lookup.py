"""Whole nodes: a newcomer who knows nothing but a name finds its person through the DNS, and calls."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dns.rrset
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from p2pship.address import HostPort
from p2pship.commands.table import commands
from p2pship.interfaces import IBearer, ILookup
from p2pship.lookup.dns.discovery import NODE_LABELS, SERVER_LABELS
from p2pship.lookup.dns.protocol import DNSLookup
from p2pship.lookup.http.protocol import HTTPLookup
from p2pship.lookup.http.server.service import make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.lookup.search import SEARCH_TIME
from p2pship.node import Node
from p2pship.testing.bearer import MemoryBearer
from p2pship.testing.dnsserver import DNSServer, Zone
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import Phone
from p2pship.testing.programs import free_ports
from p2pship.trust import dnssec, pages, resolver, vouching
from p2pship.trust.publishing import published_files
from p2pship.trust.resolver import Resolver
from p2pship.trust.wellknown import FOLDER, key_hash, name_file, name_hash
from tests.lookup.dns.dnscase import DOMAIN, TLSFiles, address, dns_lookup, srv
from tests.node.calling import NodeTestCase, refusal
from tests.trust.webserver import Answers, endpoint_to, listen
from tests.trust.zones import UDPServer, Zones

BOB = f"bob@{DOMAIN}"
NEWCOMER = "alice@example.org"

HOSTS = {"alice": "198.51.99.1", "bob": "198.51.99.2", "mallory": "198.51.99.3", "ann": "198.51.99.4"}
"Where the nodes say that they are: at public addresses, as no others are told to the wide area."


class DNSNodes(MemoryNodes):
    """Alice's node has the lookup ``dns`` alone, and asks domains of their names; each other one has what a test gives it."""

    def __init__(self, folder: Path, tls: TLSFiles, port: int, servers: Mapping[str, int]) -> None:
        """``port`` is where Bob's node answers questions, if not 0; ``servers`` are the ports of those on which others publish."""
        self.ask, self.tls, self.port, self.servers = Resolver(reactor).ask, tls, port, servers
        options = ("trust.domains=true", "trust.dnssec=true")
        super().__init__(reactor, folder, ("alice", *servers), options)

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookups of a node."""
        asks: ILookup = dns_lookup(self.ask, self.tls.policy())
        if name == "alice":
            return {"dns": asks}
        if self.port:
            answers: ILookup = dns_lookup(self.ask, self.tls.policy(), port=self.port)
            return {"dns": answers}
        servers = (f"https://localhost:{self.servers[name]}",)
        publishes: ILookup = HTTPLookup(
            reactor, servers, self.tls.policy(), {}, os.urandom, node.journal, node.network
        )
        return {"http": publishes}

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make a bearer that says that it is at a public address."""
        self.bearers[name] = MemoryBearer(
            reactor, self.links, node.keyring.device, HOSTS[name], devices=node.keyring.devices
        )
        return {"memory": self.bearers[name]}


class NewcomerCase(NodeTestCase):
    """Two nodes that share no network, and what Bob's domain runs: a DNS server, which is the system's resolver as well, and a web server."""

    answers = False
    others: tuple[str, ...] = ()
    "whose nodes publish as well, each on a server of its own"

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Start the servers and the nodes."""
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.zone = Zone(DOMAIN)
        self.dns = DNSServer(reactor, self.zone)
        self.addCleanup(self.dns.stop)
        self.patch(resolver, "system_resolvers", lambda: [self.dns.at])
        self.patch(vouching, "PATIENCE", SEARCH_TIME)  # a busy machine may need longer for a page
        self.web = Answers()
        web = listen(reactor, self.web, [DOMAIN])
        self.addCleanup(web.stopListening)
        self.patch(pages, "https", lambda _: endpoint_to(reactor, web.getHost().port))
        self.tls = TLSFiles(folder)
        self.servers = {name: await self._server(folder / name) for name in ("bob", *self.others)}
        self.port = free_ports(1) if self.answers else 0
        await super().setUp()

    async def _server(self, folder: Path) -> int:
        """Start a rendezvous server, and return its port."""
        folder.mkdir()
        settings = ServerSettings(
            listen=("127.0.0.1",), port=0, certificate=self.tls.certificate, key=self.tls.key
        )
        server = make_server(reactor, settings, folder, os.urandom)
        server.startService()
        await server.when_started()
        self.addCleanup(server.stopService)
        port: int = server.addresses()[0][1]
        return port

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes."""
        return DNSNodes(folder, self.tls, self.port, self.servers)

    def _is_published(self, name: str) -> bool:
        """Tell whether whoever publishes at all has done so: Alice's node has nowhere to."""
        return name == "alice" or super()._is_published(name)

    def lead(self, *names: str) -> None:
        """Have the DNS name the servers of these nodes; whom first is to be asked first."""
        records = [srv("localhost", self.servers[name], priority) for priority, name in enumerate(names)]
        self.zone.put(f"{SERVER_LABELS}.{DOMAIN}", *records)

    async def call(self, grade: str = "known", bob: Phone | None = None) -> None:
        """Have Alice call Bob, whom she has never met; ``grade`` is how true his name is then."""
        bob = bob or await self.phone(BOB)
        alice = await self.phone(NEWCOMER, node="alice")
        await self.talk(*await self.up(alice, bob))
        (call,) = self.node("alice").standing.live_calls()
        self.assertEqual(call["name_grade"], grade, call)


class ThroughServerTests(NewcomerCase):
    """Through the domain's rendezvous server."""

    async def test_call(self) -> None:
        """The domain's SRV record leads to its server, and what Bob published there to Bob; nobody's name was in a question."""
        self.lead("bob")
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
        self.assertIn("dns not asked", refused.response.first("Warning") or "")


class ThroughNodeTests(NewcomerCase):
    """Through the domain's node, without any server."""

    answers = True

    async def test_call(self) -> None:
        """The domain's SRV record leads to Bob's own node, which answers the question."""
        self.zone.put(f"{NODE_LABELS}.{DOMAIN}", srv(f"node.{DOMAIN}", self.port))
        self.zone.put(f"node.{DOMAIN}", address("127.0.0.1"))
        await self.call()
        self.assertIsInstance(self.node("bob").lookups["dns"], DNSLookup)


class VerifiedTests(NewcomerCase):
    """The domain says over HTTPS whose the name is; a domain says nothing else that is believed."""

    others = ("mallory",)

    def vouched(self) -> dict[str, str]:
        """Have the authority of the domain, which is at Bob's node, vouch for him; return the files for the web server."""
        self.give("ca create", domain=DOMAIN)
        issued = self.give("ca issue", request=self.give("identity request", aor=BOB)["content"])
        self.give("identity import", file=issued["content"])
        return published_files(self.node("bob").desk.authorities, DOMAIN, [], reactor.seconds())[0]

    def give(self, command: str, **given: str) -> Any:
        """Give Bob's node a command; a file stands in it as text."""
        for each in {"request", "file"} & set(given):
            given[each] = b64encode(given[each].encode()).decode()
        return commands(lambda: self.node("bob").desk)[command](dict(given))

    def publish(self, files: Mapping[str, str]) -> None:
        """Put files on the web server."""
        self.web.pages |= {f"/{FOLDER}/{name}": content.encode() for name, content in files.items()}

    async def test_authority(self) -> None:
        """The web server names the authority, and no person; Bob's papers have its certificate."""
        self.lead("bob")
        bob = await self.phone(BOB)
        files = self.vouched()
        self.publish({name: files[name] for name in files if not name.endswith(".json")})
        await self.call("verified", bob)
        self.assertIn(f"/{FOLDER}/ca.pem", self.web.asked)

    async def test_liar(self) -> None:
        """A DNS that leads to somebody else first gets them nothing: whom the web server names is called."""
        self.lead("mallory", "bob")
        await self.phone(BOB, node="mallory")
        bob = await self.phone(BOB)
        self.publish({name: text for name, text in self.vouched().items() if name.endswith(".json")})
        await self.call("verified", bob)

    async def test_liar_alone(self) -> None:
        """A DNS that leads to somebody else only gets them no call either: the web server names another key than theirs."""
        self.lead("mallory")
        mallory = await self.phone(BOB, node="mallory")
        file = name_file(BOB, [key_hash(b"another")], int(reactor.seconds()) + 3600)
        self.publish({f"{name_hash(BOB)}.json": file})
        alice = await self.phone(NEWCOMER, node="alice")
        refused = await refusal(alice.call(f"sip:{BOB}"))
        self.assertEqual(refused.status, 403, self.reasons("alice"))
        self.assertIn("or its domain names", refused.response.first("Warning") or "")
        found = await self.node("alice").standing.find({"aor": BOB})
        self.assertEqual(found["devices"], [])
        self.assertIn(f"{DOMAIN} names another key", found["reason"])
        self.assertNotIn("INVITE", [getattr(message, "method", "") for message in mallory.received])


class SignedTests(NewcomerCase):
    """The domain has no web server that would say anything, but its zone is signed."""

    async def test_call(self) -> None:
        """The signed zone leads to Bob, and says that his key is true."""
        zones = Zones(reactor.seconds())
        where = free_ports(1)
        given: Any = reactor
        self.addCleanup(given.listenUDP(where, UDPServer(zones), interface="127.0.0.1").stopListening)
        self.patch(resolver, "system_resolvers", lambda: [HostPort("127.0.0.1", where)])
        self.patch(dnssec, "DNSSEC", partial(dnssec.DNSSEC, anchors=zones.anchors))
        bob = await self.phone(BOB)
        key = self.node("bob").keyring.identities()[0].key
        expires = int(reactor.seconds()) + 3600
        text = f'"v=p2pship1; k={key_hash(key).hex()}; x={expires}"'
        for name, kind, data in (
            (SERVER_LABELS, "SRV", f"0 0 {self.servers['bob']} localhost."),
            (f"{name_hash(BOB)}.{dnssec.LABEL}", "TXT", text),
        ):
            zones.put(dns.rrset.from_text(f"{name}.{DOMAIN}.", 300, "IN", kind, data), f"{DOMAIN}.")
        await self.call("verified", bob)
