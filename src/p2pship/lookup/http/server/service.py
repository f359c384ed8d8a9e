"""A rendezvous server as a Twisted service: opens the store, serves it, and forgets what expires."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from p2pship.address import HostPort
from p2pship.errors import ConfigError
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.lookup.http.server.front import Front
from p2pship.lookup.http.server.metrics import Metrics
from p2pship.lookup.http.server.p2pext import P2PEXT
from p2pship.lookup.http.server.p2pextvalues import P2PEXTValues
from p2pship.lookup.http.server.pace import Pace
from p2pship.lookup.http.server.places import Places
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.lookup.http.server.site import Doorway, QuietSite
from p2pship.lookup.http.server.slots import Slots
from p2pship.lookup.http.server.sqlitestore import SQLiteStore
from p2pship.lookup.http.server.store import OWNER_LENGTH, IRendezvousStore, Quotas, StoreFailed
from p2pship.lookup.http.server.subscriptions import Subscriptions
from p2pship.lookup.http.server.tlsfiles import CertificateFiles
from p2pship.lookup.http.wire import LONGEST_LIFETIME

FILE = "rendezvous.sqlite"
"The file of slots in the state folder."

P2PEXT_FILE = "p2pext.sqlite"
"The file of what the original's calls keep, whichever store the slots have."

SWEEPING = 60.0
"Seconds between two times that expired slots are forgotten; nobody is told them meanwhile."


def make_store(
    reactor: Any, settings: ServerSettings, state: Path, random: Callable[[int], bytes]
) -> IRendezvousStore:
    """Return the store that is configured."""
    quotas = Quotas(settings.slots, settings.slots_each)
    if settings.storage == "sqlite":
        return SQLiteStore(reactor, state / FILE, quotas, random)
    from p2pship.lookup.http.server.redisstore import RedisStore

    return RedisStore(reactor, settings.storage, quotas, random, careless=settings.careless)


def make_p2pext(
    reactor: Any, settings: ServerSettings, state: Path, random: Callable[[int], bytes]
) -> P2PEXT | None:
    """Return what serves the original's calls, or None."""
    if not settings.p2pext:
        return None
    quotas = Quotas(settings.p2pext_values, settings.p2pext_values_each)
    values = P2PEXTValues(reactor, state / P2PEXT_FILE, quotas, random(OWNER_LENGTH))
    return P2PEXT(values, reactor.seconds, puts=Pace(settings.puts), questions=Pace(settings.questions))


def make_server(
    reactor: Any, settings: ServerSettings, state: Path, random: Callable[[int], bytes]
) -> RendezvousServer:
    """Return the server that is configured; what it keeps in files is in the folder ``state``.

    :raises ImportError: if it wants Redis, and the package ``redis`` is not installed.
    """
    store = make_store(reactor, settings, state, random)
    return RendezvousServer(reactor, settings, store, make_p2pext(reactor, settings, state, random))


class RendezvousServer(Service):
    """Serves what a store keeps, as it is configured."""

    log = Logger()
    name = "rendezvous"

    def __init__(
        self,
        reactor: Any,
        settings: ServerSettings,
        store: IRendezvousStore,
        p2pext: P2PEXT | None = None,
    ) -> None:
        """``p2pext`` serves the calls of the original p2pship as well."""
        self._reactor = reactor
        self._settings = settings
        self._store = store
        self._metrics = Metrics()
        self._subscriptions = Subscriptions(
            reactor, store, Places(settings.subscriptions, settings.subscriptions_each), self._metrics
        )
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = reactor
        self._held = 0
        "how many slots were kept when it was last swept"
        self._metrics.gauge("slots", lambda: self._held)
        self._p2pext = p2pext
        self._doorway: Doorway | None = None
        self._ports: list[IListeningPort] = []
        self._started: Deferred[None] = succeed(None)
        self._failure: Failure | None = None

    def startService(self) -> None:
        """Begin; :meth:`when_started` says when it serves, or why not."""
        super().startService()
        self._failure = None
        self._started = Deferred.fromCoroutine(self._start()).addErrback(self._not_started)

    def when_started(self) -> Deferred[None]:
        """Return a Deferred that fires when requests are answered; fails with ConfigError if that cannot be."""
        told: Deferred[None] = Deferred()

        def tell(_: None) -> None:
            told.callback(None) if self._failure is None else told.errback(self._failure)

        self._started.addCallback(tell)
        return told

    def _not_started(self, failure: Failure) -> Deferred[None]:
        """Say why, and close what was opened: half of the addresses would be served, and nothing swept."""
        self._failure = failure
        self.log.critical("the rendezvous server cannot start: {reason}", reason=failure.getErrorMessage())
        return Deferred.fromCoroutine(self._close())

    def stopService(self) -> Deferred[Any]:
        """Take no more requests, finish those that were taken, and close the store; first it starts, if that has not ended."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def addresses(self) -> list[tuple[str, int]]:
        """Return the addresses and ports on which it serves."""
        hosts: list[Any] = [port.getHost() for port in self._ports]
        return [(host.host, host.port) for host in hosts]

    async def _start(self) -> None:
        factory = self._factory()
        await self._store.start()
        if self._p2pext is not None:
            await self._p2pext.start()
        port = self._settings.port
        for host in self._settings.listen:
            self._ports.append(self._listen(host, port, factory))
            port = self.addresses()[0][1]
        self._subscriptions.start()
        self._sweeping.start(SWEEPING)
        scheme = "https" if self._settings.certificate else "http"
        places = ", ".join(f"{scheme}://{HostPort(*each)}" for each in self.addresses())
        self.log.info("the rendezvous server listens at {places}", places=places)

    def _listen(self, host: str, port: int, factory: IProtocolFactory) -> IListeningPort:
        try:
            listening: IListeningPort = self._reactor.listenTCP(port, factory, 1024, host)
        except CannotListenError as error:
            raise ConfigError(f"the rendezvous server cannot listen on {host} port {port}: {error}") from None
        return listening

    def _factory(self) -> Doorway:
        settings = self._settings
        proxies = frozenset(settings.proxies)
        slots = Slots(
            self._store,
            self._reactor.seconds,
            self._metrics,
            puts=Pace(settings.puts),
            questions=Pace(settings.questions),
            longest_lifetime=self._longest_lifetime,
        )
        front = Front(
            self._reactor,
            self._store,
            slots,
            self._subscriptions,
            self._metrics,
            proxies=proxies,
            observers=frozenset(settings.observers),
            extras=self._p2pext.calls if self._p2pext is not None else {},
        )
        places = Places(settings.connections, settings.connections_each)
        self._metrics.gauge("connections", lambda: places.taken)
        self._doorway = Doorway(self._encrypted(QuietSite(front, self._reactor)), places, proxies)
        return self._doorway

    def _longest_lifetime(self) -> int:
        """Return how many seconds a slot may live: who fills the server shall have to go on doing so, or there is room again soon."""
        return LONGEST_LIFETIME if 2 * self._held < self._settings.slots else RECORD_LIFETIME

    def _encrypted(self, factory: Any) -> Any:
        settings = self._settings
        if not settings.certificate:
            return factory
        files = CertificateFiles(Path(settings.certificate), Path(settings.key))
        return TLSMemoryBIOFactory(files, False, factory, self._reactor)

    async def _stop(self) -> None:
        await self._started
        await self._close()

    async def _close(self) -> None:
        if self._sweeping.running:
            self._sweeping.stop()
            self._subscriptions.stop()
        ports, self._ports = self._ports, []
        await gatherResults([maybeDeferred(port.stopListening) for port in ports])
        await self._store.stop()
        if self._p2pext is not None:
            await self._p2pext.stop()
        if self._doorway is not None:
            await self._doorway.close(self._reactor)

    async def _sweep(self) -> None:
        try:
            swept = await self._store.sweep(self._reactor.seconds())
            self._held = await self._store.held()
        except StoreFailed as error:
            self.log.error("what has expired cannot be forgotten now: {error}", error=error)
            return
        if swept:
            self.log.debug("{swept} slots have expired", swept=swept)
