"""The DNS lookup over real sockets: a DNS server, a rendezvous server with TLS and nodes that answer, all on loopback."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs, formatEvent
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from p2pship.interfaces import ILookup, ISearch
from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Publishing, Question
from p2pship.lookup.dns.protocol import SETTINGS, DNSLookup, make
from p2pship.lookup.dns.quest import ANSWER_TIME
from p2pship.lookup.http.protocol import HTTPLookup
from p2pship.lookup.http.server.service import RendezvousServer
from p2pship.lookup.http.web import trusting
from p2pship.network import Interface
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from p2pship.testing.network import StaticNetwork, loopback
from p2pship.testing.programs import free_ports
from p2pship.trust import resolver
from p2pship.trust.reach import MayAsk, in_the_internet, within_reach
from tests.lookup.dns.dnscase import DOMAIN, DNSTestCase, TLSFiles, address, dns_lookup, everybody, srv, txt
from tests.lookup.http.lookupcase import LookupCase
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher
from tests.lookup.recording import RecordingReceiver

ITEM = b"sealed" * 100
QUESTION = Question(LOOKUP_KEY, DOMAIN)
PUBLISHER = Publisher()
SLOT = PUBLISHER.slot()
NODE = f"node.{DOMAIN}"


def near() -> MayAsk:
    """Return what a node with no network but loopback lets be asked."""
    return within_reach(StaticNetwork(loopback()).interfaces)


class ProtocolCase(DNSTestCase, LookupCase):
    """A lookup, a zone, and those whom it names."""

    def setUp(self) -> None:
        """Make the certificate."""
        super().setUp()
        folder = Path(self.mktemp())
        folder.mkdir()
        self.tls = TLSFiles(folder)

    def dns(
        self, may_ask: MayAsk = everybody, policy: IPolicyForHTTPS | None = None, **settings: Any
    ) -> DNSLookup:
        """Start a lookup."""
        lookup = dns_lookup(self.resolver.ask, policy or self.tls.policy(), may_ask, **settings)
        lookup.start()
        self.addCleanup(lookup.stop)
        return lookup

    def watched(self, knocks: list[object]) -> int:
        """Listen on a port of loopback, and note who connects."""
        factory: Any = Factory.forProtocol(Protocol)
        self.patch(factory, "buildProtocol", lambda address: knocks.append(address))
        listening: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        port: int = listening.getHost().port
        return port

    async def rendezvous(self) -> int:
        """Start a rendezvous server that has the item, and return its port."""
        server: RendezvousServer = await self.server(certificate=self.tls.certificate, key=self.tls.key)
        port = server.addresses()[0][1]
        publisher = HTTPLookup(
            reactor,
            (f"https://localhost:{port}",),
            self.tls.policy(),
            {},
            lambda n: bytes(n),
            Journal(),
            StaticNetwork(),
        )
        await publisher.publish(SLOT, ITEM)
        await publisher.stop()
        return port


class ServerTests(ProtocolCase):
    """Rendezvous servers that the domain names."""

    def test_interfaces(self) -> None:
        """It provides what it says, and says that nothing is published on it unless it answers questions."""
        lookup = self.dns()
        verifyObject(ILookup, lookup)
        verifyObject(ISearch, lookup.find(Question(LOOKUP_KEY), RecordingReceiver()))
        self.assertIs(lookup.publishing, Publishing.NONE)
        self.assertIs(self.dns(port=free_ports(1)).publishing, Publishing.UNTESTED)
        self.assertIsNone(lookup.follow(QUESTION, RecordingReceiver()))

    async def test_found(self) -> None:
        """What is published on the server that the domain names is found, by who knows nothing but the name."""
        port = await self.rendezvous()
        self.servers(srv("localhost", port))
        receiver = await self.asked(self.dns(), QUESTION)
        source = f"https://localhost:{port}, which the DNS of {DOMAIN} names"
        self.assertEqual(receiver.candidates, [Candidate(ITEM, "dns", source=source)])
        self.assertEqual(receiver.ends, [None])

    async def test_unknown_key(self) -> None:
        """A server that has nothing under the lookup key has been asked truly."""
        self.servers(srv("localhost", await self.rendezvous()))
        self.assertEqual(await self.found(self.dns(), Question(bytes(32), DOMAIN)), [])

    async def test_one_dead(self) -> None:
        """A server that is dead keeps nobody from the one that lives, though it is to be asked first."""
        dead, living = free_ports(1), await self.rendezvous()
        self.servers(srv("localhost", dead), srv("localhost", living, priority=9))
        receiver = await self.asked(self.dns(), QUESTION)
        self.assertEqual([each.item for each in receiver.candidates], [ITEM])
        asked = [f"asks https://localhost:{port}" for port in (dead, living)]
        self.assertEqual(receiver.notes[:2], asked)
        self.assertIn(f"https://localhost:{dead}: ", receiver.notes[2])  # what is wrong with it

    async def test_other_certificate(self) -> None:
        """A server that cannot prove that it has the name in the SRV record is asked nothing."""
        self.servers(srv("localhost", await self.rendezvous()))
        lookup = self.dns(policy=trusting(b""))
        self.assertIn("certificate", await self.fails(lookup, QUESTION))

    async def test_nobody_named(self) -> None:
        """A domain that names nobody was not asked for the person: the search fails, and says why."""
        self.assertIn(f"{DOMAIN} names nobody in the DNS", await self.fails(self.dns(), QUESTION))

    async def test_nobody_to_be_asked(self) -> None:
        """What a domain names, and is not asked, is told: else an administrator would look for the mistake elsewhere."""
        self.servers(srv("localhost", 444))
        self.assertIn("https://localhost:444", await self.fails(self.dns(), QUESTION))
        self.nodes(srv(NODE, 5568))
        self.zone.put(NODE, address("10.0.0.1"))
        receiver = await self.asked(self.dns(may_ask=in_the_internet), QUESTION)
        for told in (receiver.ends[0], receiver.notes[0]):
            self.assertIn("https://localhost:444 is at a port that is not asked", str(told))

    async def test_other_network(self) -> None:
        """In another network the DNS is asked anew: in the one before it may have told nobody anything."""
        network = StaticNetwork(loopback())
        lookup = dns_lookup(self.resolver.ask, self.tls.policy(), network=network)
        lookup.start()
        await self.fails(lookup, QUESTION)
        self.servers(srv("localhost", await self.rendezvous()))
        await self.fails(lookup, QUESTION)
        network.change(loopback())
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])
        await lookup.stop()
        self.assertEqual(network.watchers, [])

    async def test_nobodys_domain(self) -> None:
        """Names of home networks, of examples and of no domain are not asked about."""
        lookup = self.dns()
        for domain in (
            "",
            "example.com",
            "box.home.arpa",
            "printer.local",
            "hidden.onion",
            "192.0.2.1",
            "[::1]",
        ):
            why = await self.fails(lookup, Question(LOOKUP_KEY, domain))
            self.assertIn("for examples or home networks, or an address) is not to be asked about", why)
        self.assertEqual(self.zone.asked, [])

    async def test_own_machine(self) -> None:
        """A domain cannot have a node knock at its own machine, by any spelling of it."""
        knocks: list[object] = []
        port = self.watched(knocks)
        self.servers(srv("localhost", port))
        self.assertIn("localhost", await self.fails(self.dns(near()), QUESTION))
        for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"):
            self.servers()
            self.text(txt(f"v=p2pship1; rendezvous=https://{host}:{port}"))
            await self.fails(self.dns(near()), QUESTION)
        self.assertEqual(knocks, [])

    async def test_another_network(self) -> None:
        """On another network a server is asked over another connection: one from an address that is gone would hang."""
        self.servers(srv("localhost", await self.rendezvous()))
        network = StaticNetwork(loopback())
        lookup = dns_lookup(self.resolver.ask, self.tls.policy(), network=network)
        lookup.start()
        self.addCleanup(lookup.stop)
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])
        assert lookup._servers is not None
        (kept,) = lookup._servers._web._made._made
        network.change()
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])
        self.assertNotIn(kept, lookup._servers._web._made._made)

    async def test_given_up(self) -> None:
        """A search that is given up tells nothing more, wherever it is; the receiver may give up while it is told."""
        lookup = self.dns()
        self.servers(srv("localhost", await self.rendezvous()))
        receiver = RecordingReceiver()
        lookup.find(QUESTION, receiver).cancel()
        search = lookup.find(QUESTION, receiver)
        receiver.on_candidate = search.cancel
        await receiver.first
        search.cancel()
        self.assertEqual((len(receiver.candidates), receiver.ends), (1, []))

    async def test_stopped(self) -> None:
        """Stopping ends the searches with a reason; whoever asks then is told at once."""
        lookup = self.dns()
        receiver = RecordingReceiver()
        lookup.find(QUESTION, receiver)
        await lookup.stop()
        lookup.find(QUESTION, receiver)
        self.assertEqual(
            [str(each) for each in receiver.ends], ["the lookup was stopped", "the lookup is stopped"]
        )

    async def test_made(self) -> None:
        """What a node makes of its settings asks the system's resolver, and goes only where that is proven if that is wanted.

        It never goes to a node within its own network.
        """
        home = Interface("eth0", 2, (("192.168.1.2", 24),), loopback=False, multicast=True)
        node: Any = SimpleNamespace(
            network=StaticNetwork(loopback(), home),
            random=os.urandom,
            ports=Ports(Database(":memory:", [SCHEMA])),
            journal=Journal(),
        )
        self.patch(resolver, "system_resolvers", lambda: [self.at])
        self.nodes(srv(NODE, 5568))
        self.zone.put(NODE, address("192.168.1.77"))
        for proven, why in ((False, "no address in the DNS that may be asked"), (True, "is not believed")):
            lookup = make(reactor, SETTINGS(proven=proven), node)
            lookup.start()
            self.assertIn(why, await self.fails(lookup, QUESTION))
            await lookup.stop()


class NodeTests(ProtocolCase):
    """Nodes that the domain names."""

    def answering(self) -> DNSLookup:
        """Start a node that answers questions, and have the domain name it."""
        node = self.dns(port=free_ports(1))
        self.nodes(srv(NODE, node.port))
        self.zone.put(NODE, address("127.0.0.1"))
        return node

    async def test_found(self) -> None:
        """A node that answers under its domain's name is asked, and what it was told last is found."""
        node = self.answering()
        await node.publish(SLOT, b"old")
        await node.publish(SLOT, ITEM)
        receiver = await self.asked(self.dns(), QUESTION)
        source = f"127.0.0.1, which the DNS of {DOMAIN} names"
        self.assertEqual(receiver.candidates, [Candidate(ITEM, "dns", over_loopback=True, source=source)])
        self.assertEqual((receiver.ends, receiver.notes), ([None], [f"asks 127.0.0.1:{node.port}"]))

    async def test_withdrawn(self) -> None:
        """What was taken back is not found; the silent node was asked, and the search completes in its time."""
        node = self.answering()
        await node.publish(SLOT, ITEM)
        await node.withdraw(SLOT)
        before = time.monotonic()
        self.assertEqual(await self.found(self.dns(), QUESTION), [])
        self.assertGreater(time.monotonic() - before, ANSWER_TIME / 2)

    async def test_not_published(self) -> None:
        """Who answers no questions holds nothing of what is published, and has no socket."""
        lookup = self.dns()
        await lookup.publish(SLOT, ITEM)
        await lookup.withdraw(SLOT)
        self.assertEqual(lookup.port, 0)

    async def test_beside_a_dead_server(self) -> None:
        """A node is found although the server that the domain names as well is dead."""
        node = self.answering()
        await node.publish(SLOT, ITEM)
        self.servers(srv("localhost", free_ports(1)))
        self.assertEqual(await self.found(self.dns(), QUESTION), [ITEM])

    async def test_private_addresses(self) -> None:
        """A domain cannot have a node send datagrams to its own machine or into private networks."""
        for host in ("127.0.0.1", "10.0.0.1", "169.254.1.1", "224.0.0.251", "255.255.255.255", "0.0.0.0"):
            self.zone.put(f"n{host}.{DOMAIN}", address(host))
            self.nodes(srv(f"n{host}.{DOMAIN}", 5568))
            self.assertIn(
                "no address in the DNS that may be asked",
                await self.fails(self.dns(in_the_internet), QUESTION),
            )

    async def test_port_taken(self) -> None:
        """If another program has the port that the domain names, the log says so."""
        node = self.answering()
        with capturedLogs() as logs:
            other = self.dns(port=node.port)
        said = " ".join(formatEvent(event) or "" for event in logs)
        self.assertNotEqual(other.port, node.port)
        self.assertIn(f"whoever goes by the DNS asks at {node.port}", said)
