"""Tests of keys in the DNS: signed zones, and every way to lie about them."""

from __future__ import annotations

from typing import Any

import dns.dnssec
import dns.name
import dns.rrset
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssecalgs.rsa import PublicRSA
from dns.dnssectypes import Algorithm
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.testing.programs import free_ports
from p2pship.trust.dnssec import (
    DNSSEC,
    LABEL,
    MOST_SIGNATURES,
    MOST_TRIES,
    MOST_UNDERWAY,
    ROOT_ANCHORS,
    TIMEOUT,
)
from p2pship.trust.resolver import Resolver
from p2pship.trust.vouch import Vouch
from p2pship.trust.wellknown import key_hash, name_hash
from tests.identity import example
from tests.trust.certificates import DAY, NOW
from tests.trust.zones import TCPServer, UDPServer, Zones

ZONE = "p2pship-test.net."
AOR = "alice@p2pship-test.net"
NAME = f"{name_hash(AOR)}.{LABEL}.{ZONE}"
KEY = example.IDENTITY_KEY


def text(key: bytes = KEY, expires: int = NOW + DAY, name: str = NAME) -> dns.rrset.RRset:
    """Return the record that names a key."""
    return dns.rrset.from_text(name, 300, "IN", "TXT", f'"v=p2pship1; k={key_hash(key).hex()}; x={expires}"')


class DNSSECTests(TestCase):
    """What the DNS says of a name."""

    def setUp(self) -> None:
        self.zones = Zones(NOW)
        self.zones.put(text(), ZONE)
        self.clock = Clock()
        self.clock.advance(NOW)
        factory: Any = Factory.forProtocol(TCPServer)
        TCPServer.zones = self.zones
        where = free_ports(1)
        tcp = reactor.listenTCP(where, factory, interface="127.0.0.1")
        self.addCleanup(tcp.stopListening)
        udp: Any = reactor.listenUDP(where, UDPServer(self.zones), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(udp.stopListening)
        self.resolver = Resolver(reactor, [HostPort("127.0.0.1", where)])
        self.dns = self.asker()

    def asker(self) -> DNSSEC:
        """Return one that knows nothing yet but the root."""
        return DNSSEC(self.resolver.ask, self.clock, self.zones.anchors)

    async def hint(self, why: str) -> Vouch:
        """Assert that the answer raises nothing, and return what was said."""
        vouch = await self.dns.vouch(AOR, KEY)
        self.assertFalse(vouch)
        self.assertRegex(" ".join(vouch.reasons), why)
        return vouch

    async def test_proven(self) -> None:
        """What is signed from the root down proves the name, and is asked for once."""
        for _ in range(2):
            vouch = await self.dns.vouch(AOR, KEY)
            self.assertEqual(vouch.by, "domain")
            self.assertTrue(NOW < vouch.until <= NOW + 300)
        self.assertEqual(len(self.zones.asked), 6)

    async def test_over_tcp(self) -> None:
        """What is too large for UDP is asked for over TCP."""
        self.zones.truncate = True
        self.assertTrue(await self.dns.vouch(AOR, KEY))

    async def test_another_key(self) -> None:
        """The DNS proves one key, not another."""
        vouch = await self.dns.vouch(AOR, example.DEVICE.key)
        self.assertFalse(vouch)
        self.zones.put(text(expires=NOW - 1), ZONE)
        await self.hint("expired")

    async def test_unsigned(self) -> None:
        """A plain answer, which anybody on the way can make up, is a hint and no more."""
        self.zones.put(text(), ZONE, signed=False)
        await self.hint("hint only.*no signed TXT")

    async def test_spoofed(self) -> None:
        """An answer signed by somebody else's key, or altered after it was signed, is a hint and no more."""
        self.zones.put(text(), ZONE, key=ec.generate_private_key(ec.SECP256R1()))
        await self.hint("does not hold")
        self.zones.put(text(example.DEVICE.key), ZONE)
        kept = self.zones.records[NAME, "TXT"]
        self.zones.records[NAME, "TXT"] = [text(), kept[1]]
        await self.hint("does not hold")

    async def test_wrong_zone(self) -> None:
        """A zone signs for what is in it: a sister, one below, or a zone that no zone above names is not believed."""
        own = ec.generate_private_key(ec.SECP256R1())
        for zone in ("attacker.net.", f"x.{ZONE}"):
            self.zones.keys[zone] = own
            self.zones.put(dns.rrset.from_rdata(zone, 300, self.zones.dnskey(zone)), zone)
            self.zones.put(dns.rrset.from_rdata(zone, 300, self.zones.ds(zone)), "net.")
            kept = text()
            self.zones.put(kept, zone)
            await self.hint("cannot sign")
        self.zones.keys[ZONE] = own
        self.zones.put(dns.rrset.from_rdata(ZONE, 300, self.zones.dnskey(ZONE)), ZONE)
        self.zones.put(text(), ZONE)
        await self.hint("no key of")

    async def test_signs_own_digest(self) -> None:
        """A zone cannot vouch for its own key in place of the zone above."""
        own = ec.generate_private_key(ec.SECP256R1())
        self.zones.keys[ZONE] = own
        self.zones.put(dns.rrset.from_rdata(ZONE, 300, self.zones.dnskey(ZONE)), ZONE)
        self.zones.put(dns.rrset.from_rdata(ZONE, 300, self.zones.ds(ZONE)), ZONE)
        self.zones.put(text(), ZONE)
        await self.hint("cannot sign")

    async def test_another_root(self) -> None:
        """The root itself is known by its digest: without it nothing is proven."""
        self.dns = DNSSEC(self.resolver.ask, self.clock, ROOT_ANCHORS)
        await self.hint(r"no key of \.")

    async def test_dates(self) -> None:
        """A signature that has expired, or is not valid yet, of the answer or of a zone above, proves nothing."""
        wrong: tuple[dict[str, Any], ...] = ({"expiration": NOW - 1}, {"inception": NOW + 60})
        for dates in wrong:
            self.zones.put(text(), ZONE, **dates)
            await self.hint("does not hold")
        self.zones.put(text(), ZONE)
        self.zones.put(dns.rrset.from_rdata(ZONE, 300, self.zones.ds(ZONE)), "net.", expiration=NOW - 1)
        self.dns = self.asker()
        await self.hint("does not hold")

    async def test_wildcard(self) -> None:
        """What a wildcard answers for every name is not about this one."""
        star = text(name=f"*.{LABEL}.{ZONE}")
        self.zones.put(star, ZONE)
        signature = self.zones.records.pop((star.name.to_text(), "TXT"))[1]
        moved = dns.rrset.from_rdata(NAME, 300, signature[0])
        self.zones.records[NAME, "TXT"] = [text(), moved]
        await self.hint("does not hold")

    async def test_alias(self) -> None:
        """An alias is not followed: the name that was asked for must have the answer."""
        other = text(name=f"other.{ZONE}")
        self.zones.put(other, ZONE)
        kept = self.zones.records[other.name.to_text(), "TXT"]
        alias = dns.rrset.from_text(NAME, 300, "IN", "CNAME", f"other.{ZONE}")
        self.zones.records[NAME, "TXT"] = [alias, *kept]
        await self.hint("does not name")

    async def test_too_many(self) -> None:
        """An answer with very many signatures is not worked through."""
        kept = self.zones.records[NAME, "TXT"]
        many = dns.rrset.RRset(kept[1].name, kept[1].rdclass, kept[1].rdtype, kept[1].covers)
        for number in range(MOST_SIGNATURES + 1):
            many.add(kept[1][0].replace(expiration=NOW + 7200 + number), 300)
        self.zones.records[NAME, "TXT"] = [kept[0], many]
        await self.hint("too many")

    def weigh_down(self, *keys: bytes) -> list[bytes]:
        """Have the zone list further RSA keys, and sign the answer with the first as often as may be; return what is then verified."""
        tried: list[bytes] = []

        def verify(_: PublicRSA, signature: bytes, data: bytes) -> None:
            tried.append(signature)
            raise InvalidSignature

        self.patch(PublicRSA, "verify", verify)
        more = [DNSKEY(RdataClass.IN, RdataType.DNSKEY, 256, 3, Algorithm.RSASHA256, key) for key in keys]
        listed = dns.rrset.from_rdata(ZONE, 300, self.zones.dnskey(ZONE), *more)
        self.zones.put(listed, ZONE)
        (signature,) = self.zones.records[NAME, "TXT"][1]
        made = [
            signature.replace(
                algorithm=Algorithm.RSASHA256,
                key_tag=dns.dnssec.key_id(more[0]),
                signature=bytes([number]) * 256,
            )
            for number in range(MOST_SIGNATURES)
        ]
        self.zones.records[NAME, "TXT"][1] = dns.rrset.from_rdata(NAME, 300, *made)
        self.dns, self.zones.truncate = self.asker(), True
        return tried

    async def test_keys_of_one_tag(self) -> None:
        """A zone whose keys have one tag, which all its signatures name, has few pairs of them verified."""
        modulus = bytes(range(1, 255)) + b"\1\1"
        swapped = [modulus[at : at + 2] + modulus[:at] + modulus[at + 2 :] for at in range(0, 30, 2)]
        tried = self.weigh_down(*(b"\3\1\0\1" + each for each in swapped))
        await self.hint("does not hold")
        self.assertEqual(len(tried), MOST_TRIES)

    async def test_slow_keys(self) -> None:
        """Keys that are made to be slow are not tried, nor those that cannot be read."""
        for key in (
            b"\0\1\0" + bytes(range(256)) + b"\1" * 384,
            b"\x09" + b"\1" * 9 + b"\1" * 256,
            b"\3\1\0\1" + b"\1" * 513,
            b"\3\1\0\1",
            b"\0",
            b"",
        ):
            self.zones.put(text(), ZONE)
            tried = self.weigh_down(key)
            await self.hint("does not hold")
            self.assertEqual(tried, [])

    def test_many_at_once(self) -> None:
        """However many names strangers come by, few are asked for at once; whoever waits too long makes room."""
        asked: list[str] = []

        def ask(name: str, kind: str) -> Deferred[Any]:
            asked.append(name)
            return Deferred()

        slow = DNSSEC(ask, self.clock)
        told = [slow.vouch(f"{number}@{ZONE}", KEY) for number in range(MOST_UNDERWAY + 1)]
        self.assertEqual(len(asked), MOST_UNDERWAY)
        self.assertIn("too much", self.successResultOf(told[-1]).reasons[0])
        self.clock.advance(TIMEOUT)
        self.assertIn("does not answer", self.successResultOf(told[0]).reasons[0])
        slow.vouch(AOR, KEY)
        self.assertEqual(len(asked), MOST_UNDERWAY + 1)

    async def test_nothing(self) -> None:
        """A name without an answer, and a resolver that does not answer, prove nothing."""
        del self.zones.records[NAME, "TXT"]
        await self.hint("does not name")
        self.dns = DNSSEC(Resolver(reactor, []).ask, self.clock)
        await self.hint("does not answer")
