"""The zones in the reference can be pasted into a DNS server, and lead where the page says; so can what ``p2pship hip record`` prints."""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.commands.hiprecord import RECORD
from p2pship.identity.hit import format_hit, hit_of
from p2pship.identity.keys import new_p256, spki
from p2pship.lookup.dns.discovery import Discovery
from p2pship.lookup.dns.hosts import Hosts
from p2pship.lookup.dns.wire import hip_record
from p2pship.testing.dnsserver import DNSServer, Zone
from p2pship.trust.resolver import Resolver

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "dns-lookup.md"


class ZoneTests(TestCase):
    """Each zone of the page."""

    def serve(self, name: str, text: str) -> None:
        """Serve a zone."""
        self.zone = Zone(name)
        self.zone.paste(text)
        server = DNSServer(reactor, self.zone)
        self.addCleanup(server.stop)
        ask = Resolver(reactor, [server.at]).ask
        self.discovery, self.hosts = Discovery(ask, reactor, os.urandom), Hosts(ask, reactor)

    def text(self, at: int) -> str:
        """Return one of the zones."""
        texts: list[str] = re.findall(r"```zone\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        return texts[at]

    async def test_own_servers(self) -> None:
        """The first one leads to both servers, in their folder, and to the node, whose HIT is that of its key."""
        self.serve("example.com", self.text(0))
        found = await self.discovery.directions("example.com")
        self.assertEqual(
            list(map(str, found.servers)),
            ["https://rendezvous.example.com/p2pship", "https://rendezvous2.example.com:5580/p2pship"],
        )
        (node,) = found.nodes
        host = await self.hosts.host(node.target)
        self.assertEqual((node.port, host.addresses, len(host.hits)), (5568, ("192.0.2.20",), 1))

    async def test_provider(self) -> None:
        """The second one leads to the provider's SRV records."""
        self.serve("example.org", self.text(1))
        self.assertFalse(
            await self.discovery.directions("example.org")
        )  # nobody serves the provider's zone here
        self.assertEqual(self.zone.asked[-1][0], "_p2pship-rendezvous._tcp.example.net")

    async def test_own_record(self) -> None:
        """What the command prints makes a record of the name that is put before it."""
        key = spki(new_p256())
        hit = hit_of(key)
        printed = RECORD.text({"hit": format_hit(hit), "record": hip_record(hit, key).text()})
        self.serve("example.com", f"node {printed}\n     IN A 192.0.2.20\n")
        host = await self.hosts.host("node.example.com.")
        self.assertEqual((host.hits, host.addresses), ((hit,), ("192.0.2.20",)))
