"""From the name of a host to where its node is asked, on a real DNS server."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.names.dns import A, Record_AAAA, Record_CNAME

from p2pship.identity.hit import hit_of
from p2pship.identity.keys import new_p256, spki
from p2pship.lookup.dns.hiprecord import Record_HIP
from p2pship.lookup.dns.hosts import MOST_ADDRESSES, MOST_RENDEZVOUS, Hosts
from p2pship.lookup.dns.wire import TYPE, hip_record
from p2pship.trust.dnssec import DNSFailed
from p2pship.trust.resolver import Resolver
from tests.lookup.dns.dnscase import DOMAIN, TTL, DNSTestCase, address

NODE = f"node.{DOMAIN}"
KEY = spki(new_p256())
HIT = hit_of(KEY)


class HostsTests(DNSTestCase):
    """A host has addresses of its own, or rendezvous servers."""

    def setUp(self) -> None:
        """Begin with hosts of which nothing is known."""
        super().setUp()
        self.hosts = Hosts(self.resolver.ask, reactor)

    def hip(self, *servers: str, hit: bytes = HIT) -> Record_HIP:
        """Return a HIP record with these rendezvous servers."""
        return Record_HIP(hip_record(hit, KEY, servers), TTL)

    async def test_own_addresses(self) -> None:
        """A host without a HIP record has its addresses, IPv4 first; an address in another's clothes is itself."""
        self.zone.put(NODE, address("203.0.113.7"), Record_AAAA("::ffff:10.0.0.1", TTL))
        host = await self.hosts.host(f"{NODE}.")
        self.assertEqual((host.addresses, host.hits), (("203.0.113.7", "10.0.0.1"), ()))

    async def test_identity(self) -> None:
        """A HIP record tells the HIT; one without rendezvous servers means the host's own addresses."""
        self.zone.put(NODE, address("203.0.113.7"), self.hip())
        host = await self.hosts.host(f"{NODE}.")
        self.assertEqual((host.addresses, host.hits), (("203.0.113.7",), (HIT,)))

    async def test_rendezvous(self) -> None:
        """A host that is behind rendezvous servers is asked there, and at its own address only if it names itself (RFC 8005 §4.1)."""
        self.zone.put(NODE, address("203.0.113.7"), self.hip(f"rvs.{DOMAIN}."))
        self.zone.put(f"rvs.{DOMAIN}", address("203.0.113.8"))
        self.assertEqual((await self.hosts.host(f"{NODE}.")).addresses, ("203.0.113.8",))
        self.zone.put(f"b.{DOMAIN}", address("203.0.113.9"), self.hip(f"rvs.{DOMAIN}.", f"b.{DOMAIN}."))
        self.assertEqual((await self.hosts.host(f"b.{DOMAIN}.")).addresses, ("203.0.113.8", "203.0.113.9"))

    async def test_wrong_records(self) -> None:
        """A HIP record whose HIT is not that of its key, or that is garbage, is as good as none: nobody is sent elsewhere by it."""
        self.zone.put(NODE, address("203.0.113.7"), self.hip(f"rvs.{DOMAIN}.", hit=bytes(16)))
        host = await self.hosts.host(f"{NODE}.")
        self.assertEqual((host.addresses, host.hits), (("203.0.113.7",), ()))
        self.assertEqual(len(self.zone.asked), 3)

    async def test_no_circles(self) -> None:
        """The HIP records of rendezvous servers are not asked for, so that two that name each other lead nowhere."""
        for one, other in (("a", "b"), ("b", "a")):
            self.zone.put(f"{one}.{DOMAIN}", address(f"203.0.113.{ord(one)}"), self.hip(f"{other}.{DOMAIN}."))
        self.assertEqual((await self.hosts.host(f"a.{DOMAIN}.")).addresses, (f"203.0.113.{ord('b')}",))
        self.assertEqual([name for name, kind in self.zone.asked if kind == TYPE], [f"a.{DOMAIN}"])

    async def test_too_many(self) -> None:
        """However many servers and addresses are named, few are asked for and fewer taken."""
        self.zone.put(NODE, self.hip(*(f"r{at}.{DOMAIN}." for at in range(8))))
        for at in range(8):
            self.zone.put(f"r{at}.{DOMAIN}", *(address(f"203.0.{at}.{each}") for each in range(10)))
        self.assertEqual(len((await self.hosts.host(f"{NODE}.")).addresses), MOST_ADDRESSES)
        self.assertEqual(len(self.zone.asked), 3 + 2 * MOST_RENDEZVOUS)

    async def test_alias(self) -> None:
        """An alias is followed to its address."""
        self.zone.put(NODE, Record_CNAME(f"other.{DOMAIN}", TTL))
        self.zone.put(f"other.{DOMAIN}", address("203.0.113.7"))
        self.assertEqual((await self.hosts.host(f"{NODE}.")).addresses, ("203.0.113.7",))

    async def test_no_answer(self) -> None:
        """Without an answer for its addresses there is no host; without one for HIP, as some resolvers have it, there is."""
        self.zone.put(NODE, address("203.0.113.7"))
        self.zone.ignored = {TYPE}
        self.assertEqual((await self.hosts.host(f"{NODE}.")).addresses, ("203.0.113.7",))
        self.zone.put(f"v4.{DOMAIN}", address("203.0.113.7"))
        self.zone.ignored = {A}  # an answer that is lost is not one that there is nothing
        await self.assertFailure(self.hosts.host(f"v4.{DOMAIN}."), DNSFailed)
        failed = Hosts(Resolver(reactor, []).ask, reactor)
        await self.assertFailure(failed.host(f"{NODE}."), DNSFailed)
