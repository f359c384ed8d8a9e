"""Directions that DNSSEC proves, and how each way to lie about them leads nowhere."""

from __future__ import annotations

import os
from typing import Any

import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.lookup.dns.discovery import NODE_LABELS, SERVER_LABELS, Discovery
from p2pship.lookup.dns.proven import proven_only
from p2pship.testing.programs import free_ports
from p2pship.trust.dnssec import DNSSEC, DNSFailed
from p2pship.trust.resolver import Resolver
from tests.trust.certificates import NOW
from tests.trust.zones import UDPServer, Zones

DOMAIN = "p2pship-test.net"
ZONE = f"{DOMAIN}."


def records(labels: str, target: str) -> dns.rrset.RRset:
    """Return SRV records of the domain."""
    port = 443 if labels == SERVER_LABELS else 5568
    return dns.rrset.from_text(f"{labels}.{ZONE}", 300, "IN", "SRV", f"0 0 {port} {target}")


class ProvenTests(TestCase):
    """Only what is proven is believed."""

    def setUp(self) -> None:
        """Serve signed zones."""
        self.zones = Zones(NOW)
        clock = Clock()
        clock.advance(NOW)
        where = free_ports(1)
        udp: Any = reactor.listenUDP(where, UDPServer(self.zones), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(udp.stopListening)
        ask = Resolver(reactor, [HostPort("127.0.0.1", where)]).ask
        asking = proven_only(ask, DNSSEC(ask, clock, self.zones.anchors))
        self.discovery = Discovery(asking, clock, os.urandom)

    async def servers(self) -> list[str]:
        """Return the servers of the domain."""
        return list(map(str, (await self.discovery.directions(DOMAIN)).servers))

    async def test_proven(self) -> None:
        """What the zone has signed is believed."""
        self.zones.put(records(SERVER_LABELS, "rv.example."), ZONE)
        self.assertEqual(await self.servers(), ["https://rv.example"])

    async def test_not_signed(self) -> None:
        """What anybody on the way can have made up is not; what is proven beside it is."""
        self.zones.put(records(SERVER_LABELS, "evil.example."), ZONE, signed=False)
        self.zones.put(records(NODE_LABELS, "node.example."), ZONE)
        self.assertEqual(await self.servers(), [])
        self.assertEqual(
            [each.target for each in (await self.discovery.directions(DOMAIN)).nodes], ["node.example."]
        )

    async def test_signed_by_another(self) -> None:
        """What is signed with another key, or altered since, is not."""
        self.zones.put(
            records(SERVER_LABELS, "evil.example."), ZONE, key=ec.generate_private_key(ec.SECP256R1())
        )
        self.zones.put(records(NODE_LABELS, "node.example."), ZONE)
        kept = self.zones.records[f"{NODE_LABELS}.{ZONE}", "SRV"]
        self.zones.records[f"{NODE_LABELS}.{ZONE}", "SRV"] = [records(NODE_LABELS, "evil.example."), kept[1]]
        await self.assertFailure(self.discovery.directions(DOMAIN), DNSFailed)

    async def test_nothing_proven(self) -> None:
        """An alias, which is not followed then, leads nowhere either."""
        alias = f"{SERVER_LABELS}.{ZONE}"
        self.zones.put(records(SERVER_LABELS, "evil.example."), ZONE, signed=False)
        self.zones.records[alias, "SRV"].insert(
            0, dns.rrset.from_text(alias, 300, "IN", "CNAME", f"{NODE_LABELS}.{ZONE}")
        )
        await self.assertFailure(self.discovery.directions(DOMAIN), DNSFailed)
