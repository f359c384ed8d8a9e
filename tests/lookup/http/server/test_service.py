"""A server as a whole: how it starts and stops, how it is, and TLS."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import crypto
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred, fail
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import BrowserLikePolicyForHTTPS, ResponseNeverReceived

from p2pship.errors import ConfigError
from p2pship.lookup.http.server import front
from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import ServerSettings, check_storage
from p2pship.lookup.http.server.sqlitestore import SQLiteStore
from p2pship.lookup.http.server.store import Kept, Put, Quotas, StoreFailed
from p2pship.lookup.http.wire import slots_path
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher
from tests.lookup.http.server.browsing import Browser
from tests.lookup.http.server.servercase import ServerCase, fresh
from tests.trust.webserver import KEY, web_certificate

ALICE = Publisher(1)


class FailingStore(SQLiteStore):
    """A store whose disk is in trouble when it is told so."""

    failing = False

    def put(self, put: Put) -> Deferred[Kept]:
        return fail(StoreFailed("no disk")) if self.failing else super().put(put)

    def listed(self, lookup_key: bytes, now: float) -> Deferred[Sequence[bytes]]:
        return fail(StoreFailed("no disk")) if self.failing else super().listed(lookup_key, now)

    def held(self) -> Deferred[int]:
        return fail(StoreFailed("no disk")) if self.failing else super().held()


class SlowStore(SQLiteStore):
    """A store that opens when a test lets it."""

    def start(self) -> Deferred[None]:
        self.opening: Deferred[None] = Deferred()
        return self.opening.addCallback(lambda _: super(SlowStore, self).start())


class HealthTests(ServerCase):
    """How a server is."""

    async def test_health(self) -> None:
        """It says that it is well, and when its store is not, so that a balancer sends nobody there."""
        store = FailingStore(reactor, ":memory:", Quotas(10, 10))
        settings = ServerSettings(listen=("127.0.0.1",), port=0)
        browser = await self.started(RendezvousServer(reactor, settings, store))
        self.assertEqual((await browser.ask("/health")).said, {"health": "good"})
        store.failing = True
        answers = [await browser.ask("/health"), await browser.ask(slots_path(LOOKUP_KEY))]
        answers.append(await browser.put(fresh(ALICE)))
        self.assertEqual([answer.status for answer in answers], [503] * 3)
        self.assertEqual([answer.header("retry-after") for answer in answers], ["10"] * 3)
        store.failing = False
        self.assertEqual((await browser.put(fresh(ALICE))).status, 200)

    async def test_full_disk(self) -> None:
        """A server that cannot keep what is put is not well for a while, though it can tell what it has."""
        store = FailingStore(reactor, ":memory:", Quotas(10, 10))
        settings = ServerSettings(listen=("127.0.0.1",), port=0)
        browser = await self.started(RendezvousServer(reactor, settings, store))
        store.failing = True
        self.assertEqual((await browser.put(fresh(ALICE))).status, 503)
        store.failing = False
        self.assertEqual((await browser.ask("/health")).status, 503)
        self.patch(front, "UNWELL", 0.0)
        self.assertEqual((await browser.ask("/health")).status, 200)

    async def test_bug(self) -> None:
        """A mistake of the server's own is logged, and nobody waits for ever for an answer."""
        store = SQLiteStore(reactor, ":memory:", Quotas(10, 10))
        settings = ServerSettings(listen=("127.0.0.1",), port=0)
        browser = await self.started(RendezvousServer(reactor, settings, store))
        self.patch(store, "listed", lambda *_: 1 / 0)
        answer = await browser.ask(slots_path(LOOKUP_KEY))
        self.assertEqual((answer.status, answer.said["error"]), (503, "unavailable"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((await browser.ask("/health")).status, 200)

    async def test_metrics(self) -> None:
        """What was asked and answered is counted, for those who may see it; lines have the form of Prometheus."""
        browser = await self.served()
        await browser.put(fresh(ALICE))
        await browser.put(fresh(ALICE, ahead=-1))
        await browser.ask(slots_path(LOOKUP_KEY))
        metrics = (await browser.ask("/metrics")).body.decode()
        for line in (
            'p2pship_rendezvous_requests_total{request="put",status="200"} 1',
            'p2pship_rendezvous_requests_total{request="put",status="409"} 1',
            'p2pship_rendezvous_puts_total{outcome="stale"} 1',
            'p2pship_rendezvous_request_seconds_count{request="list"} 1',
            "p2pship_rendezvous_subscriptions 0",
        ):
            self.assertIn(line, metrics.splitlines())
        for line in metrics.splitlines():
            self.assertRegex(
                line, r"^(# TYPE [a-z0-9_]+ (counter|gauge|histogram)|[a-z0-9_]+(\{[^}]*\})? [0-9.]+)$"
            )
        hidden = await self.served(observers=())
        self.assertEqual((await hidden.ask("/metrics")).status, 404)

    async def test_no_address_in_the_log(self) -> None:
        """Who asked for what is not written to the log."""
        events: list[Any] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        browser = await self.served()
        said = f"the rendezvous server listens at http://127.0.0.1:{self.server.addresses()[0][1]}"
        self.assertIn(said, [formatEvent(event) for event in events])
        events.clear()
        await browser.put(fresh(ALICE))
        await browser.ask(slots_path(LOOKUP_KEY))
        self.assertEqual([event for event in events if LOOKUP_KEY.hex() in str(event)], [])


class StartTests(ServerCase):
    """How it starts and stops."""

    async def test_port_taken(self) -> None:
        """A port that is taken is told in words."""
        await self.served()
        taken = ServerSettings(listen=("127.0.0.1",), port=self.server.addresses()[0][1])
        other = make_server(reactor, taken, Path(self.mktemp()).parent, lambda length: bytes(length))
        other.startService()
        self.addCleanup(other.stopService)
        starting: Deferred[Any] = other.when_started()
        error = await self.assertFailure(starting, ConfigError)
        self.assertIn("cannot listen on 127.0.0.1", str(error))

    async def test_half_started(self) -> None:
        """One that can listen on only some of its addresses listens on none."""
        await self.served()
        port = self.server.addresses()[0][1]
        other = make_server(
            reactor,
            ServerSettings(listen=("127.0.0.2", "127.0.0.1"), port=port),
            Path(self.mktemp()).parent,
            bytes,
        )
        other.startService()
        self.addCleanup(other.stopService)
        await self.assertFailure(other.when_started(), ConfigError)
        self.assertEqual(other.addresses(), [])
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))

    async def test_stopped_while_it_starts(self) -> None:
        """One that is stopped before its store is open listens nowhere afterwards."""
        store = SlowStore(reactor, ":memory:", Quotas(10, 10))
        server = RendezvousServer(reactor, ServerSettings(listen=("127.0.0.1",), port=0), store)
        server.startService()
        stopping = server.stopService()
        store.opening.callback(None)
        await stopping
        self.assertEqual(server.addresses(), [])
        self.failureResultOf(store.held(), StoreFailed)

    async def test_started_again(self) -> None:
        """It can be stopped and started, and has what it had."""
        browser, slot = await self.served(), fresh(ALICE)
        await browser.put(slot)
        await self.server.stopService()
        self.server.startService()
        await self.server.when_started()
        self.assertEqual((await self.browser().ask(slots_path(LOOKUP_KEY))).body[1:], slot.print())

    async def test_expired_are_forgotten(self) -> None:
        """What has expired is swept when it starts."""
        browser = await self.served()
        await browser.put(ALICE.signed(now=time.time(), lifetime=1))
        await self.server.stopService()
        self.server._reactor = _Later(reactor, 10)
        self.server.startService()
        await self.server.when_started()
        held = await self.server._store.held()
        self.assertEqual(held, 0)


class _Later:
    """A reactor whose clock is ahead."""

    def __init__(self, reactor: Any, seconds: float) -> None:
        self._reactor = reactor
        self._ahead = seconds

    def seconds(self) -> float:
        return float(self._reactor.seconds()) + self._ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


class _Trusting(BrowserLikePolicyForHTTPS):
    """Trusts the test's authority, for the name of the test's server."""

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        root = crypto.X509.from_cryptography(web_certificate([], authority=True))
        return ssl.optionsForClientTLS(
            "rendezvous.example", trustRoot=ssl.trustRootFromCertificates([ssl.Certificate(root)])
        )


class TLSTests(ServerCase):
    """HTTPS by itself."""

    def setUp(self) -> None:
        self.certificate, self.key = Path(self.mktemp()), Path(self.mktemp())
        pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.key.write_bytes(pem)
        self.write(["rendezvous.example"])

    def write(self, hosts: list[str]) -> None:
        """Write another certificate."""
        self.certificate.write_bytes(web_certificate(hosts).public_bytes(Encoding.PEM))

    def asking(self) -> Browser:
        """Return who asks over a connection of its own."""
        port = self.server.addresses()[0][1]
        browser = Browser(reactor, f"https://127.0.0.1:{port}", _Trusting())
        self.addCleanup(browser.close)
        return browser

    async def test_tls(self) -> None:
        """It serves over TLS with its certificate, and nothing in the clear."""
        clear = await self.served(certificate=str(self.certificate), key=str(self.key))
        self.assertEqual((await self.asking().put(fresh(ALICE))).status, 200)
        asking = Deferred.fromCoroutine(clear.ask("/health"))
        await self.assertFailure(asking, ResponseNeverReceived)

    async def test_renewed(self) -> None:
        """A certificate that was replaced is used at the next connection; while the files are bad, the last good one."""
        self.write(["elsewhere.example"])
        await self.served(certificate=str(self.certificate), key=str(self.key))
        refused = Deferred.fromCoroutine(self.asking().ask("/health"))
        await self.assertFailure(refused, ResponseNeverReceived)
        self.write(["rendezvous.example"])
        self.assertEqual((await self.asking().ask("/health")).status, 200)
        self.certificate.write_bytes(b"nothing")
        self.assertEqual((await self.asking().ask("/health")).status, 200)

    async def test_bad_files(self) -> None:
        """Files that cannot be used are told in words, and which one is missing."""
        self.key.write_bytes(b"nothing")
        self.assertIn(str(self.key), await self.refusal())
        self.key.unlink()
        self.assertIn(f"{self.key}: No such file or directory", await self.refusal())

    async def refusal(self) -> str:
        """Return why a server with these files does not start."""
        settings = ServerSettings(
            listen=("127.0.0.1",), port=0, certificate=str(self.certificate), key=str(self.key)
        )
        server = make_server(reactor, settings, Path(self.mktemp()).parent, lambda length: bytes(length))
        server.startService()
        self.addCleanup(server.stopService)
        starting: Deferred[Any] = server.when_started()
        return str(await self.assertFailure(starting, ConfigError))


class SettingsTests(SynchronousTestCase):
    """What cannot be configured."""

    def test_together(self) -> None:
        """A certificate wants its key, and a server an address."""
        self.assertRaises(ValueError, ServerSettings, certificate="a.pem")
        self.assertRaises(ValueError, ServerSettings, listen=())

    def test_storage(self) -> None:
        """Slots are kept in a file or in Redis, whose URL is looked at before anything is begun."""
        for right in (
            "sqlite",
            "redis://127.0.0.1:6379/0",
            "rediss://:secret@[::1]:6380",
            "unix:///run/redis.sock",
        ):
            check_storage(right)
        for wrong in ("", "redis", "redis:", "mysql://localhost", "redis://127.0.0.1:port/0", "redis://[::1"):
            self.assertIn("such as", str(self.assertRaises(ValueError, check_storage, wrong)))
