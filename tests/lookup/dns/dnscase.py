"""What the tests of the DNS lookup share: a zone on a real server in this process, and a resolver that asks it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet import reactor
from twisted.names.dns import Record_A, Record_NAPTR, Record_SRV, Record_TXT
from twisted.trial.unittest import TestCase
from twisted.web.iweb import IPolicyForHTTPS

from p2pship.interfaces import INetwork
from p2pship.journal import Journal
from p2pship.lookup.dns import discovery, hosts
from p2pship.lookup.dns.discovery import NODE_LABELS, SERVER_LABELS, TEXT_LABEL
from p2pship.lookup.dns.protocol import DNSLookup
from p2pship.lookup.dns.servers import Servers
from p2pship.lookup.dns.settings import DNSSettings
from p2pship.lookup.http.web import trusting
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from p2pship.testing.dnsserver import DNSServer, Zone
from p2pship.testing.network import StaticNetwork, loopback
from p2pship.trust.dnssec import Ask
from p2pship.trust.reach import MayAsk
from p2pship.trust.resolver import Resolver
from tests.trust.webserver import KEY, web_certificate

DOMAIN = "p2pship-test.net"
"The zone's name: one that is nobody's, and that may be asked about."

TTL = 300


def srv(target: str, port: int = 443, priority: int = 0, weight: int = 0) -> Record_SRV:
    """Return an SRV record."""
    return Record_SRV(priority, weight, port, target, TTL)


def naptr(
    service: str, target: str, order: int = 10, preference: int = 10, flags: bytes = b"s", regexp: bytes = b""
) -> Record_NAPTR:
    """Return a NAPTR record."""
    return Record_NAPTR(order, preference, flags, service.encode("ascii"), regexp, target, TTL)


def txt(*strings: str) -> Record_TXT:
    """Return a TXT record."""
    return Record_TXT(*(each.encode() for each in strings), ttl=TTL)


def address(host: str) -> Record_A:
    """Return an A record."""
    return Record_A(host, TTL)


class DNSTestCase(TestCase):
    """A zone, its server and a resolver. What few domains have is waited for as long as there is time: a busy machine is slow."""

    def setUp(self) -> None:
        """Serve the zone."""
        self.patch(discovery, "POINTER_TIME", discovery.ANSWER_TIME)
        self.patch(hosts, "IDENTITY_TIME", hosts.ADDRESS_TIME)
        self.zone = Zone(DOMAIN)
        server = DNSServer(reactor, self.zone)
        self.addCleanup(server.stop)
        self.at = server.at
        self.resolver = Resolver(reactor, [self.at])

    def servers(self, *records: Any) -> None:
        """Have these records where rendezvous servers usually are."""
        self.zone.put(f"{SERVER_LABELS}.{DOMAIN}", *records)

    def nodes(self, *records: Any) -> None:
        """Have these records where nodes usually are."""
        self.zone.put(f"{NODE_LABELS}.{DOMAIN}", *records)

    def text(self, *records: Any) -> None:
        """Have these records where the text is."""
        self.zone.put(f"{TEXT_LABEL}.{DOMAIN}", *records)


def everybody(host: str) -> bool:
    """Let every address be asked: on one machine there is only loopback."""
    return True


class TLSFiles:
    """A certificate for ``localhost`` in files, as a server reads it, and the authority that vouches for it."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = str(folder / "certificate.pem"), str(folder / "key.pem")
        chain = web_certificate(["localhost"]).public_bytes(Encoding.PEM)
        Path(self.certificate).write_bytes(chain)
        Path(self.key).write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def policy(self) -> IPolicyForHTTPS:
        """Return the policy of who believes that authority."""
        return trusting(web_certificate((), authority=True).public_bytes(Encoding.PEM))


def dns_lookup(
    ask: Ask,
    policy: IPolicyForHTTPS,
    may_ask: MayAsk = everybody,
    network: INetwork | None = None,
    **settings: Any,
) -> DNSLookup:
    """Make a lookup that asks the DNS in this way, and believes servers by this policy."""
    return DNSLookup(
        reactor,
        DNSSettings(**settings),
        ask,
        lambda: Servers(reactor, policy, {}, may_ask, os.urandom),
        may_ask,
        network or StaticNetwork(loopback()),
        Ports(Database(":memory:", [SCHEMA])),
        os.urandom,
        Journal(),
    )
