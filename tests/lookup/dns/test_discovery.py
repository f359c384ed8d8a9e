"""From a domain to those who may be asked, on a real DNS server."""

from __future__ import annotations

import os

import dns.message
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.names.dns import NAPTR, SRV, TXT, Record_CNAME
from twisted.trial.unittest import TestCase

from p2pship.lookup.dns.discovery import (
    DISCOVERY_TIME,
    MOST_NODES,
    MOST_POINTERS,
    MOST_SERVERS,
    NODE_SERVICE,
    SERVER_LABELS,
    SERVER_SERVICE,
    Directions,
    Discovery,
)
from p2pship.lookup.dns.kept import FAILURE_KEPT, LONGEST_KEPT, SHORTEST_KEPT
from p2pship.trust.dnssec import DNSFailed
from p2pship.trust.resolver import Resolver
from tests.lookup.dns.dnscase import DOMAIN, DNSTestCase, naptr, srv, txt


class DiscoveryTests(DNSTestCase):
    """What a zone says."""

    def setUp(self) -> None:
        """Begin with a discovery that knows nothing."""
        super().setUp()
        self.discovery = Discovery(self.resolver.ask, reactor, os.urandom)

    async def found(self) -> tuple[list[str], list[str]]:
        """Return the servers and the nodes of the domain."""
        found = await self.discovery.directions(DOMAIN)
        return list(map(str, found.servers)), [f"{each.target}:{each.port}" for each in found.nodes]

    async def test_usual_names(self) -> None:
        """SRV records at the usual names are enough."""
        self.servers(srv("rv.p2pship-test.net"), srv("rv2.p2pship-test.net", 8443, priority=1))
        self.nodes(srv("node.p2pship-test.net", 5568))
        self.assertEqual(
            await self.found(),
            (
                ["https://rv.p2pship-test.net", "https://rv2.p2pship-test.net:8443"],
                ["node.p2pship-test.net.:5568"],
            ),
        )

    async def test_nothing(self) -> None:
        """A domain that says nothing, as nearly all do, leads nowhere; that is no failure, and is asked once."""
        for _ in range(2):
            self.assertFalse(await self.discovery.directions(DOMAIN))
        self.assertEqual(len(self.zone.asked), 4)

    async def test_no_personal_name(self) -> None:
        """The questions are the same for everybody of a domain: they tell nobody who is looked for."""
        await self.discovery.directions(DOMAIN)
        self.assertEqual(
            sorted(self.zone.asked),
            sorted(
                [
                    (DOMAIN, NAPTR),
                    (f"_p2pship-rendezvous._tcp.{DOMAIN}", SRV),
                    (f"_p2pship._udp.{DOMAIN}", SRV),
                    (f"_p2pship.{DOMAIN}", TXT),
                ]
            ),
        )

    async def test_elsewhere(self) -> None:
        """NAPTR records lead elsewhere, to a provider too, and then the usual name does not count."""
        self.zone.put(
            DOMAIN,
            naptr(SERVER_SERVICE, f"second.{DOMAIN}", preference=20),
            naptr(SERVER_SERVICE.lower(), f"first.{DOMAIN}"),
            naptr(SERVER_SERVICE, f"later.{DOMAIN}", order=20),
            naptr("SIP+D2U", f"_sip._udp.{DOMAIN}", order=1),
        )
        self.zone.put(f"first.{DOMAIN}", srv("rv.provider.example", 8443))
        self.zone.put(f"second.{DOMAIN}", srv("rv2.provider.example", priority=1))
        self.zone.put(f"later.{DOMAIN}", srv("rv3.provider.example"))
        self.servers(srv("usual.p2pship-test.net"))
        self.nodes(srv("node.p2pship-test.net", 5568))
        self.assertEqual(
            await self.found(),
            (
                ["https://rv.provider.example:8443", "https://rv2.provider.example"],
                ["node.p2pship-test.net.:5568"],
            ),
        )

    async def test_circles(self) -> None:
        """NAPTR records that lead to NAPTR records, rewrite, or lead to themselves are not followed; nor are aliases round and round."""
        self.zone.put(
            DOMAIN,
            naptr(SERVER_SERVICE, DOMAIN, flags=b""),
            naptr(SERVER_SERVICE, "", regexp=b"!^.*$!https://evil.example!"),
            naptr(NODE_SERVICE, f"one.{DOMAIN}"),
        )
        self.zone.put(f"one.{DOMAIN}", Record_CNAME(f"two.{DOMAIN}", 60))
        self.zone.put(f"two.{DOMAIN}", Record_CNAME(f"one.{DOMAIN}", 60))
        self.servers(srv("rv.p2pship-test.net"))
        self.assertEqual(await self.found(), (["https://rv.p2pship-test.net"], []))
        self.assertLess(len(self.zone.asked), 8)

    async def test_text(self) -> None:
        """Where there is no SRV record, a text may name servers, https alone; texts of others at the same name do not disturb."""
        self.text(
            txt("something else"),
            txt("v=p2pship1; rendezvous=http://clear.example; rendezvous=https://a.exam", "ple/x;unknown=1"),
            txt("v=p2pship1; rendezvous=https://user@b.example; rendezvous=https://c.example"),
            txt("v=p2pship12; rendezvous=https://d.example"),
            txt(
                "v=p2pship1; rendezvous=https://" + "e" * 64 + ".example"
            ),  # of which the machine's resolver makes an error
        )
        self.assertEqual(await self.found(), (["https://a.example/x", "https://c.example"], []))

    async def test_path(self) -> None:
        """A text gives servers that SRV records name a folder, and names no others beside them."""
        self.servers(srv("rv.p2pship-test.net"))
        self.text(txt("v=p2pship1; path=/p2pship/; rendezvous=https://other.example"))
        self.assertEqual(await self.found(), (["https://rv.p2pship-test.net/p2pship"], []))

    async def test_bad_path(self) -> None:
        """A path cannot make another host or port of the address that SRV records name."""
        self.servers(srv("rv.p2pship-test.net", 8444))
        for path in ("@evil.example", ".evil.example", "0", "/x?y", "/x#y", "x", "/%2f", "//x"):
            self.discovery = Discovery(self.resolver.ask, reactor, os.urandom)
            self.text(txt(f"v=p2pship1; path={path}"))
            self.assertEqual((await self.found())[0], ["https://rv.p2pship-test.net:8444"])

    async def test_denied(self) -> None:
        """A domain may say that there is decidedly no such service (RFC 2782): then no text is read either."""
        self.servers(srv(""))
        self.nodes(srv(""))
        self.text(txt("v=p2pship1; rendezvous=https://a.example"))
        self.assertEqual(await self.found(), ([], []))

    async def test_too_many(self) -> None:
        """However much a domain says, little is taken of it and few questions are asked."""
        self.zone.put(DOMAIN, *(naptr(SERVER_SERVICE, f"s{at}.{DOMAIN}") for at in range(30)))
        for at in range(30):
            self.zone.put(f"s{at}.{DOMAIN}", *(srv(f"r{at}-{each}.example") for each in range(20)))
        self.nodes(*(srv(f"node{at}.example", 5568) for at in range(40)))
        servers, nodes = await self.found()
        self.assertEqual((len(servers), len(nodes)), (MOST_SERVERS, MOST_NODES))
        asked = {name for name, kind in self.zone.asked if kind == SRV and name.startswith("s")}
        self.assertEqual(len(asked), MOST_POINTERS)

    async def test_no_pointers_answered(self) -> None:
        """Where questions for NAPTR records are never answered, as by some routers, the rest is found all the same."""
        self.zone.ignored = {NAPTR}
        self.servers(srv("rv.p2pship-test.net"))
        self.assertEqual(await self.found(), (["https://rv.p2pship-test.net"], []))

    async def test_low_ports(self) -> None:
        """A domain cannot have servers of other well-known protocols knocked at, which might take what they hear for something else."""
        self.servers(*(srv("victim.example", port) for port in (25, 1023, 444)))
        self.nodes(srv("victim.example", 53))
        found = await self.discovery.directions(DOMAIN)
        self.assertEqual((found.servers, found.nodes, bool(found)), ((), (), False))
        wanted = ("https://victim.example:1023", "https://victim.example:25", "https://victim.example:444")
        self.assertEqual(sorted(found.passed_over), [*wanted, "victim.example:53"])

    async def test_silence(self) -> None:
        """A DNS that does not answer is a failure, which is kept for a little while."""
        discovery = Discovery(Resolver(reactor, []).ask, reactor, os.urandom)
        for _ in range(2):
            await self.assertFailure(discovery.directions(DOMAIN), DNSFailed)


class LyingTests(TestCase):
    """Answers that are not what they seem, and how long they are kept."""

    def setUp(self) -> None:
        """Begin with answers that a test gives."""
        self.clock = Clock()
        self.texts: dict[str, str] = {}
        self.lost: set[str] = set()
        self.after: dict[str, float] = {}
        self.asked = 0
        self.discovery = Discovery(self.ask, self.clock, os.urandom)

    async def ask(self, name: str, kind: str) -> dns.message.Message:
        """Answer with what there is for a type, after some time if a test says so, unless it is lost."""
        self.asked += 1
        if kind in self.lost:
            raise DNSFailed("lost")
        if name in self.after or kind in self.after:
            await deferLater(self.clock, self.after.get(name, self.after.get(kind, 0.0)))
        text = f"id 1\nflags QR\n;QUESTION\n{name} IN {kind}\n;ANSWER\n{self.texts.get(kind, '')}\n"
        answer: dns.message.Message = dns.message.from_text(text)
        return answer

    async def test_other_names(self) -> None:
        """Records of another name than was asked for, or of another type, are not looked at."""
        self.texts["SRV"] = "_p2pship-rendezvous._tcp.evil.example. 300 IN SRV 0 0 443 evil.example."
        self.texts["NAPTR"] = f"{DOMAIN}. 300 IN SRV 0 0 443 evil.example."
        self.texts["TXT"] = '_p2pship.evil.example. 300 IN TXT "v=p2pship1; rendezvous=https://evil.example"'
        self.assertEqual(await self.discovery.directions(DOMAIN), Directions())

    async def test_no_hosts(self) -> None:
        """A target that is no host's name, or a port 0, is passed over."""
        name = f"{SERVER_LABELS}.{DOMAIN}."
        self.texts["SRV"] = "\n".join(
            f"{name} 300 IN SRV 0 0 {rest}"
            for rest in (
                "0 a.example.",
                "443 a\\@b.example.",
                "443 a\\.b.example.",
                "443 a\\047b.example.",
                "443 ok.example.",
            )
        )
        found = await self.discovery.directions(DOMAIN)
        self.assertEqual(list(map(str, found.servers)), ["https://ok.example"])

    async def test_kept(self) -> None:
        """An answer is kept as long as it says, an hour at most."""
        self.texts["SRV"] = f"{SERVER_LABELS}.{DOMAIN}. 1000000 IN SRV 0 0 443 a.example."
        for seconds, asked in ((0, 4), (LONGEST_KEPT - 1, 4), (1, 8)):
            self.clock.advance(seconds)
            self.assertTrue(await self.discovery.directions(DOMAIN))
            self.assertEqual(self.asked, asked)

    async def test_part_lost(self) -> None:
        """An answer that is lost is not taken for one that there is nothing: it is asked for again soon."""
        for lost in ("SRV", "TXT", "NAPTR"):
            self.lost = {lost}
            await self.assertFailure(self.discovery.directions(DOMAIN), DNSFailed)
            self.clock.advance(FAILURE_KEPT)
        self.texts["TXT"] = f'_p2pship.{DOMAIN}. 3600 IN TXT "v=p2pship1; rendezvous=https://a.example"'
        self.lost = {"SRV"}
        self.assertTrue(await self.discovery.directions(DOMAIN))
        self.lost, self.asked = set(), 0
        self.clock.advance(SHORTEST_KEPT)
        self.assertTrue(await self.discovery.directions(DOMAIN))
        self.assertEqual(self.asked, 4)

    def test_slow_pointers(self) -> None:
        """NAPTR records are waited for as long again as all else takes: a resolver that has to ask far away needs as long for each."""
        self.texts["NAPTR"] = f'{DOMAIN}. 300 IN NAPTR 10 10 "s" "{SERVER_SERVICE}" "" elsewhere.{DOMAIN}.'
        self.texts["SRV"] = f"elsewhere.{DOMAIN}. 300 IN SRV 0 0 443 a.example."
        self.after = {"SRV": 0.6, "TXT": 0.6, "NAPTR": 1.1, f"elsewhere.{DOMAIN}.": 0.4}
        looking = self.discovery.directions(DOMAIN)
        self.clock.pump([0.1] * 16)
        self.assertEqual(list(map(str, self.successResultOf(looking).servers)), ["https://a.example"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_pointers(self) -> None:
        """They are not waited for any longer, and half a second at the least."""
        self.texts["SRV"] = f"{SERVER_LABELS}.{DOMAIN}. 300 IN SRV 0 0 443 a.example."
        for others, seconds in ((0.1, 0.5), (0.4, 0.8)):
            self.after = {"SRV": others, "TXT": others, "NAPTR": 60.0}
            self.discovery.forget()
            looking = self.discovery.directions(DOMAIN)
            self.clock.pump([0.05] * (round(seconds / 0.05) - 1))
            self.assertNoResult(looking)
            self.clock.pump([0.05, 0.01])
            self.assertTrue(self.successResultOf(looking))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_asked_once(self) -> None:
        """Several searches at once ask the DNS once; one that is given up does not end the others."""
        first, second, third = (self.discovery.directions(DOMAIN) for _ in range(3))
        self.assertEqual(self.asked, 4)
        for each in (first, second, third):
            self.assertEqual(await each, Directions())

    async def test_timeout(self) -> None:
        """What takes too long fails, and nothing goes on."""
        cancelled: list[str] = []

        async def ask(name: str, kind: str) -> dns.message.Message:
            waiting: Deferred[dns.message.Message] = Deferred(lambda _: cancelled.append(kind))
            return await waiting

        discovery = Discovery(ask, self.clock, os.urandom)
        looking, given_up = discovery.directions(DOMAIN), discovery.directions(DOMAIN)
        given_up.cancel()
        self.clock.pump([DISCOVERY_TIME / 8] * 9)
        self.failureResultOf(looking, DNSFailed)
        self.failureResultOf(given_up, CancelledError)
        self.assertEqual(sorted(cancelled), ["NAPTR", "SRV", "SRV", "TXT"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
