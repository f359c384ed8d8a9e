"""The zones in the reference can be pasted, and lead where the page says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.zone
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.lookup.dns.discovery import Discovery
from p2pship.lookup.dns.hosts import Hosts

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "dns-lookup.md"


class ZoneTests(TestCase):
    """Each zone of the page."""

    def zone(self, at: int) -> dns.zone.Zone:
        """Return one of the zones."""
        texts = re.findall(r"```zone\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        zone: dns.zone.Zone = dns.zone.from_text(texts[at], check_origin=False, relativize=False)
        return zone

    async def test_own_servers(self) -> None:
        """The first one leads to both servers, in their folder, and to the node, whose HIT is that of its key."""
        zone = self.zone(0)

        async def ask(name: str, kind: str) -> dns.message.Message:
            return answered(zone, name, kind)

        clock = Clock()
        found = await Discovery(ask, clock, os.urandom).directions("example.com")
        self.assertEqual(
            list(map(str, found.servers)),
            ["https://rendezvous.example.com/p2pship", "https://rendezvous2.example.com:5580/p2pship"],
        )
        (node,) = found.nodes
        host = await Hosts(ask, clock).host(node.target)
        self.assertEqual((node.port, host.addresses, len(host.hits)), (5568, ("192.0.2.20",), 1))

    async def test_provider(self) -> None:
        """The second one leads to the provider's SRV records."""
        zone = self.zone(1)
        asked: list[str] = []

        async def ask(name: str, kind: str) -> dns.message.Message:
            asked.append(name)
            return answered(zone, name, kind)

        await Discovery(ask, Clock(), os.urandom).directions("example.org")
        self.assertEqual(asked[-1], "_p2pship-rendezvous._tcp.example.net.")


def answered(zone: dns.zone.Zone, name: str, kind: str) -> dns.message.Message:
    """Return what a server that has a zone answers."""
    answer = dns.message.make_response(dns.message.make_query(name, kind))
    owner = dns.name.from_text(name)
    found = zone.get_rrset(owner, kind) if owner.is_subdomain(zone.origin or owner) else None
    if found is not None:
        answer.answer.append(found)
    read: dns.message.Message = dns.message.from_wire(answer.to_wire())
    return read
