"""Tests of what domains publish, with a real TLS server on loopback."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.trust.pages import (
    FAILURE_KEPT,
    LONGEST_KEPT,
    MOST_IN_SPAN,
    MOST_OF_DOMAIN,
    MOST_UNDERWAY,
    SHORTEST_KEPT,
    TIMEOUT,
    PageFailed,
    Pages,
    https,
)
from p2pship.trust.wellknown import LONGEST_PAGE
from p2pship.webclient import CertifiedHosts
from tests.trust.test_reach import ResolverThatChanges, SlowResolver
from tests.trust.webserver import Answers, GusherFactory, endpoint_to, listen, listen_with

DOMAIN = "p2pship-test.net"
PATH = "/.well-known/p2pship/x"


class ReachTests(SynchronousTestCase):
    """To where a domain can have a node connect, and how long it can keep others waiting."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()

    def test_own_machine(self) -> None:
        """A domain whose name is this machine's, or one's in a network that we are not on, is not connected to; one in the Internet is."""
        self.reactor.nameResolver = ResolverThatChanges(["127.0.0.1", "169.254.169.254", "10.255.0.1"])
        pages = Pages(https(self.reactor), self.reactor)
        self.failureResultOf(pages.fetch("rebound.test-domain.net", "x"), PageFailed)
        self.assertEqual(self.reactor.tcpClients, [])
        self.reactor.nameResolver.answers = [["127.0.0.1", "198.51.99.7"]]
        pages.fetch("good.test-domain.net", "x")
        self.assertEqual([host for host, *_ in self.reactor.tcpClients], ["198.51.99.7"])

    def test_slow_names(self) -> None:
        """Names that do not resolve take as many threads as pages may be asked for at once, also when nobody waits for them any longer."""
        self.reactor.nameResolver = slow = SlowResolver()
        pages = Pages(https(self.reactor), self.reactor)
        for number in range(3 * MOST_UNDERWAY):
            pages.fetch(f"{number}.test-domain.net", "x").addErrback(lambda _: None)
            if number % MOST_UNDERWAY == 0:
                self.reactor.advance(TIMEOUT)
        self.assertEqual(len(slow.asked), MOST_UNDERWAY)


class PagesTests(TestCase):
    """Fetching a page of a domain."""

    def setUp(self) -> None:
        self.answers = Answers()
        self.port = listen(reactor, self.answers, [DOMAIN])
        self.addCleanup(self.port.stopListening)
        self.clock = Clock()
        self.pages = Pages(endpoint_to(reactor, self.port.getHost().port), self.clock)

    async def fails(self, why: str, domain: str = DOMAIN, name: str = "x") -> None:
        """Assert that a page cannot be had, and why."""
        error = await self.assertFailure(self.pages.fetch(domain, name), PageFailed)
        self.assertRegex(str(error), why)

    async def test_page(self) -> None:
        """A page is fetched once and then remembered for as long as the server says."""
        self.answers.pages[PATH] = b"hello"
        self.answers.headers[b"Cache-Control"] = b"public, max-age=1000"
        for _ in range(2):
            page = await self.pages.fetch(DOMAIN, "x")
            self.assertEqual((page.body, page.until), (b"hello", 1000))
        self.assertEqual(self.answers.asked, [PATH])
        self.clock.advance(1001)
        await self.pages.fetch(DOMAIN, "x")
        self.assertEqual(len(self.answers.asked), 2)

    def test_certified(self) -> None:
        """Outside of tests it is the web client's own policy that looks at certificates: :mod:`tests.lookup.http.test_web` tries it."""
        asked: list[tuple[bytes, int]] = []
        self.patch(CertifiedHosts, "creatorForNetloc", lambda _, *named: asked.append(named))
        https(reactor)(DOMAIN)
        self.assertEqual(asked, [(DOMAIN.encode("ascii"), 443)])

    async def test_time_kept(self) -> None:
        """However short or long a server wants it, a page is kept for five minutes to a day."""
        for said, kept in ((b"max-age=0", SHORTEST_KEPT), (b"max-age=999999999", LONGEST_KEPT)):
            self.answers.headers[b"Cache-Control"] = said
            self.answers.pages[PATH + said.decode()] = b""
            page = await self.pages.fetch(DOMAIN, "x" + said.decode())
            self.assertEqual(page.until, kept)

    async def test_quiet(self) -> None:
        """That a page was fetched is no line in the log."""
        self.answers.pages[PATH] = b"hello"
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        await self.pages.fetch(DOMAIN, "x")
        self.assertEqual([event for event in events if "web.client" in str(event.get("log_namespace"))], [])

    async def test_same_question(self) -> None:
        """Who asks for the same at the same time gets the same answer; giving one up does not disturb the others."""
        self.answers.pages[PATH] = b"hello"
        first, given_up, third = [self.pages.fetch(DOMAIN, "x") for _ in range(3)]
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        self.assertEqual([(await first).body, (await third).body], [b"hello"] * 2)
        self.assertEqual(len(self.answers.asked), 1)

    async def test_given_up_by_another(self) -> None:
        """Whoever is told first may have another give up: those after that one are told all the same."""
        self.answers.pages[PATH] = b"hello"
        first, given_up, third = [self.pages.fetch(DOMAIN, "x") for _ in range(3)]
        given_up.addErrback(lambda _: None)
        first.addCallback(lambda _: given_up.cancel())
        self.assertEqual((await third.addTimeout(5, reactor)).body, b"hello")

    async def test_missing(self) -> None:
        """That a page is not there is remembered for a while."""
        for _ in range(2):
            await self.fails("status 404")
        self.assertEqual(len(self.answers.asked), 1)
        self.clock.advance(FAILURE_KEPT + 1)
        self.answers.pages[PATH] = b"now"
        self.assertEqual((await self.pages.fetch(DOMAIN, "x")).body, b"now")

    async def test_redirection(self) -> None:
        """A redirection is followed on the same server only, and not for ever."""
        self.answers.pages["/there"] = b"hello"
        self.answers.redirections[PATH] = "/there"
        self.assertEqual((await self.pages.fetch(DOMAIN, "x")).body, b"hello")
        elsewhere = (
            "https://attacker.example/there",
            f"http://{DOMAIN}/there",
            f"https://{DOMAIN}:8443/there",
            f"https://{DOMAIN}@attacker.example/there",
            f"https://www.{DOMAIN}/there",
            "//attacker.example/there",
            "https://[/",
        )
        for number, target in enumerate(elsewhere):
            self.answers.redirections[f"/.well-known/p2pship/e{number}"] = target
            await self.fails("redirects to another server", name=f"e{number}")
        self.answers.redirections["/.well-known/p2pship/loop"] = "/.well-known/p2pship/loop"
        await self.fails("again and again", name="loop")

    async def test_too_long(self) -> None:
        """A page that is too long is not read to its end."""
        self.answers.pages[PATH] = bytes(LONGEST_PAGE + 1)
        await self.fails("longer than")
        self.answers.pages[PATH + "y"] = bytes(LONGEST_PAGE)
        self.assertEqual(len((await self.pages.fetch(DOMAIN, "xy")).body), LONGEST_PAGE)

    async def test_headers_without_end(self) -> None:
        """A server that sends headers without end is cut off soon, long before the time is over."""
        gusher = GusherFactory()
        port = listen_with(reactor, gusher, [DOMAIN])
        self.addCleanup(port.stopListening)
        self.pages = Pages(endpoint_to(reactor, port.getHost().port), self.clock)
        await self.fails("does not answer")
        self.assertLess(gusher.sent, 20_000_000)

    async def test_slow(self) -> None:
        """Who does not answer in time is not waited for, and the whole domain is left alone for a while."""
        self.answers.silent.add(PATH)
        asked = self.pages.fetch(DOMAIN, "x")
        await self._until_asked()
        self.clock.advance(TIMEOUT)
        error = await self.assertFailure(asked, PageFailed)
        self.assertIn("nothing within 3 s", str(error))
        await self.fails("nothing within", name="other")
        self.assertEqual(len(self.answers.asked), 1)

    async def test_wrong_name(self) -> None:
        """A server whose certificate is for another name is not believed, nor asked anything."""
        await self.fails("does not answer", domain="another.net")
        self.assertEqual(self.answers.asked, [])

    async def test_wrong_root(self) -> None:
        """A server whose certificate nobody known has signed is not believed."""
        from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
        from twisted.web.client import BrowserLikePolicyForHTTPS

        tls = BrowserLikePolicyForHTTPS().creatorForNetloc(DOMAIN.encode(), 443)
        port = self.port.getHost().port
        there = wrapClientTLS(tls, TCP4ClientEndpoint(reactor, "127.0.0.1", port))
        self.pages = Pages(lambda host: there, self.clock)
        await self.fails("does not answer")
        self.assertEqual(self.answers.asked, [])

    async def test_limits(self) -> None:
        """A domain is asked few things at once, and not too many in a while, whoever makes us ask."""
        asked = [self.pages.fetch(DOMAIN, f"n{number}") for number in range(MOST_OF_DOMAIN + 1)]
        error = await self.assertFailure(asked.pop(), PageFailed)
        self.assertIn("too much at once", str(error))
        for one in asked:
            await self.assertFailure(one, PageFailed)
        for number in range(MOST_IN_SPAN - MOST_OF_DOMAIN):
            await self.fails("404", name=f"m{number}")
        await self.fails("too much", name="last")
        self.clock.advance(SHORTEST_KEPT)
        await self.fails("404", name="last")

    def _until_asked(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()

        def look() -> None:
            if self.answers.asked:
                done.callback(None)
            else:
                reactor.callLater(0.01, look)

        look()
        return done
