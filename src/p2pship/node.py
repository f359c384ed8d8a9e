"""One node: builds every part, wires them to each other, starts and stops them in order, and says how they are.

This is the only file that knows all parts. What runs is, from the bottom up: the state folder and its database, the
keyring, the network watcher, the lookups and the publisher, the bearers, the overlay, the media relays, and SIP.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship import __version__, plugins
from p2pship.address import Locator
from p2pship.config import Config
from p2pship.errors import LocalError, P2PShipError
from p2pship.identity.aor import canonical_aor
from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.keyring import Keyring
from p2pship.identity.people import SCHEMA as PEOPLE_SCHEMA
from p2pship.identity.trust import TrustPolicy
from p2pship.interfaces import IBearer, ILookup, INetwork, INode
from p2pship.journal import Journal
from p2pship.lookup.cache import CachingFinder
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.collected import collect, find_status
from p2pship.lookup.publisher import Publisher
from p2pship.media.relay import MediaRelays, MediaSettings
from p2pship.network import NetworkWatcher
from p2pship.overlay.switchboard import Switchboard
from p2pship.sip.bindings import SCHEMA as SIP_SCHEMA
from p2pship.sip.bindings import Bindings
from p2pship.sip.callbook import SCHEMA as CALLS_SCHEMA
from p2pship.sip.callbook import CallBook
from p2pship.sip.intake import Intake
from p2pship.sip.livecalls import live_calls
from p2pship.sip.names import OwnNames
from p2pship.sip.proxy import SIPProxy
from p2pship.sip.registrar import Registrar
from p2pship.sip.settings import SIPSettings
from p2pship.sip.subprotocol import SIPSubprotocol
from p2pship.sip.transport import PhoneTransport
from p2pship.status import CallLine, CallStatus, FindStatus, IdentityStatus, Status
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA as PORTS_SCHEMA
from p2pship.storage.ports import Ports
from p2pship.storage.state import StateFolder

RECENT_CALLS = 20
"Calls that are listed when nobody says how many: a screen."

Makers = Callable[["Node"], Mapping[str, Any]]
"Makes the lookups, or the bearers, of a node, by name."


def lookups_from_cards(node: Node) -> Mapping[str, ILookup]:
    """Make the lookups that are installed and enabled."""
    return plugins.make_all(plugins.lookups(), node.reactor, node.config.section, node)


def bearers_from_cards(node: Node) -> Mapping[str, IBearer]:
    """Make the bearers that are installed and enabled."""
    return plugins.make_all(plugins.bearers(), node.reactor, node.config.section, node)


@implementer(INode)
class Node(MultiService):
    """A node, as a Twisted service. It opens its state folder when it is started, and leaves it when stopped."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: Config,
        state: Path,
        *,
        lookups: Makers = lookups_from_cards,
        bearers: Makers = bearers_from_cards,
        network: INetwork | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Prepare a node that keeps its keys in the folder ``state``.

        ``lookups`` and ``bearers`` make other ones than those of the plug-in cards; ``network`` replaces this machine's.
        """
        super().__init__()
        self.reactor = reactor
        self.config = config
        self.random = random
        self.journal = Journal(reactor.seconds)
        self.network: INetwork = network or NetworkWatcher(reactor)
        self._state = state
        self._make_lookups = lookups
        self._make_bearers = bearers
        self._started: Deferred[None] | None = None
        self._stopping: Deferred[None] = succeed(None)
        self._waiting: list[Deferred[None]] = []
        self._failure: Failure | None = None

    # Twisted calls these.

    def startService(self) -> None:
        """Open the state, build, and listen for phones.

        :raises ConfigError: if what is configured cannot be had.
        :raises LocalError: if anything else cannot; nothing is held in either case.
        """
        self._failure = None
        self._open()
        try:
            self._build()
        except P2PShipError:
            self._close()
            raise
        super().startService()
        started: Deferred[None] = Deferred.fromCoroutine(self._start())
        started.addCallbacks(self._ready, self._failed)
        self._started = started
        if self._failure is not None:
            self.stopService()
            self._failure.raiseException()

    async def _start(self) -> None:
        self._listen_for_phones()
        self._proxy.start()
        for lookup in self.lookups.values():
            await lookup.start()
        self.overlay.start()
        for bearer in self.bearers.values():
            await bearer.listen(self.overlay.link_made, self._publisher.locators_changed)
        self._publisher.start()

    async def _stop(self) -> None:
        self._intake.stop()
        self._proxy.stop()
        await self._publisher.stop()
        await self.overlay.stop()
        await self._transport.stop()
        parts = [*self.bearers.values(), *self.lookups.values()]
        await DeferredList([maybeDeferred(part.stop) for part in parts], consumeErrors=True)
        self._relays.close()
        self._close()

    def stopService(self) -> Deferred[Any]:
        """Withdraw what was published, end the calls, close every socket; fires when all is done."""
        stopped = maybeDeferred(super().stopService)
        started, self._started = self._started, None
        if started is not None:
            started.cancel()
            self._stopping = Deferred.fromCoroutine(self._stop())
        return stopped.addCallback(lambda _: self._when_stopped())

    def _when_stopped(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()

        def tell(result: Any) -> Any:
            done.callback(None)
            return result

        self._stopping.addBoth(tell)
        return done

    def when_started(self) -> Deferred[None]:
        """Return a Deferred that fires when phones can register and peers can call, or fails with why not."""
        if self._failure is not None:
            return fail(self._failure)
        if self._started is not None and self._started.called:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _ready(self, _: None) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def _failed(self, failure: Failure) -> None:
        self._failure = failure
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(failure)
        nobody_hears = self._started is not None and not waiting and not failure.check(CancelledError)
        if nobody_hears:
            self.log.critical("the node cannot start: {reason}", reason=failure.getErrorMessage())

    # Building.

    def _open(self) -> None:
        self._folder = StateFolder(self._state)
        try:
            self._database = Database(
                self._folder.database, [PEOPLE_SCHEMA, PORTS_SCHEMA, SIP_SCHEMA, CALLS_SCHEMA]
            )
            self.ports = Ports(self._database)
            self.keyring = Keyring(self._state, self._database, self.journal, self.reactor)
        except P2PShipError:
            self._folder.close()
            raise

    def _close(self) -> None:
        self._database.close()
        self._folder.close()

    def _build(self) -> None:
        trust = TrustPolicy(self.keyring)
        self.lookups = self._make_lookups(self)
        made = self._make_bearers(self).items()
        self.bearers = dict(sorted(made, key=lambda each: not each[1].encrypted))  # so in records too
        lookups, bearers = tuple(self.lookups.values()), tuple(self.bearers.values())
        self._chain = LookupChain(self.reactor, lookups, trust, self.keyring, self.network, self.journal)
        self.finder = CachingFinder(self.reactor, self._chain, self.network)
        self._publisher = Publisher(
            self.reactor, self.keyring, lookups, self._locators, self.journal, self.random
        )
        self.overlay = Switchboard(
            self.reactor,
            self.keyring,
            trust,
            self.finder,
            bearers,
            self.journal,
            self.random,
            self._publisher.record_for,
            dialled_in_vain=self.finder.forget,
        )
        self._relays = MediaRelays(self.reactor, self.config.get(MediaSettings), self.journal, self.random)
        self._build_sip()

    def _build_sip(self) -> None:
        self._sip = self.config.get(SIPSettings)
        self._intake = Intake(self.reactor, self.journal)
        self._transport = PhoneTransport(self.reactor, self, self.journal, self._intake)
        self._names = OwnNames(self._sip.domain, self._own_addresses)
        self.bindings = Bindings(self.reactor, self._database)
        registrar = Registrar(
            self.reactor, self._names, self.bindings, self.keyring, self.journal, self.random
        )
        self.call_book = CallBook(self.reactor, self._database, self.random)
        self._proxy = SIPProxy(
            self.reactor,
            names=self._names,
            keyring=self.keyring,
            overlay=self.overlay,
            relays=self._relays,
            registrar=registrar,
            bindings=self.bindings,
            hops=self._transport,
            journal=self.journal,
            random=self.random,
            book=self.call_book,
            anonymous=self._sip.anonymous,
        )
        self.overlay.offer(SIPSubprotocol(self._proxy, self._intake))
        self.message_received = self._proxy.layer.message_received

    def _listen_for_phones(self) -> None:
        def listen(port: int) -> None:
            self._transport.listen(self._sip.listen, port)

        chosen = self.ports.choose("sip", self._sip.port, self._sip.listen, "udp and tcp", listen)
        self._sip_changed = not chosen.kept and chosen.port not in (0, chosen.moved_from or self._sip.port)

    def _locators(self) -> Sequence[Locator]:
        return [locator for bearer in self.bearers.values() for locator in bearer.locators()]

    def _own_addresses(self) -> Iterator[str]:
        return (host for interface in self.network.interfaces() for host, _prefix in interface.addresses)

    # What is said of it.

    def commands(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """Return what the control socket answers, by name."""
        return {
            "status": lambda _: self.status(),
            "identity list": lambda _: self.own_identities(),
            "find": lambda arguments: self.find(arguments),
            "calls": lambda _: self.live_calls(),
            "calls recent": lambda arguments: self.recent_calls(arguments),
            "calls why": lambda arguments: self.call_book.story(str(arguments.get("id", ""))),
        }

    def status(self) -> Status:
        """Say how the node is."""
        at = str(self._transport.address)
        return {
            "version": __version__,
            "state": str(self._state),
            "sip": {
                "udp": at,
                "tcp": at,
                "port": self._transport.port,
                "wanted": self._sip.port,
                "changed": self._sip_changed,
            },
            "domain": self._sip.domain,
            "bearers": [
                {
                    "name": name,
                    "encrypted": bearer.encrypted,
                    "locators": [str(at) for at in bearer.locators()],
                }
                for name, bearer in self.bearers.items()
            ],
            "lookups": [{"name": name} for name in self.lookups],
            "identities": len(self.keyring.identities()),
            "phones": sum(1 for _ in self.bindings),
            "peers": [
                {"own": peer.identity.aor, "aor": peer.aor, "path": peer.path, "encrypted": peer.encrypted}
                for peer in self.overlay.peers()
            ],
            "calls": len(self.live_calls()),
            "counts": self._counts(),
        }

    def _counts(self) -> dict[str, int]:
        transactions = self._proxy.layer.counts
        return {
            **self.journal.counts,
            "relays": self._relays.count,
            "client_transactions": transactions.clients,
            "server_transactions": transactions.servers,
            "dialogs": len(self._proxy.calls.dialogs),
            "pending": self._proxy.pending,
            "watched": sum(peer.watched for peer in self.overlay.peers()),
            "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
        }

    def own_identities(self) -> list[IdentityStatus]:
        """Describe this node's own identities."""
        return [
            {
                "aor": identity.aor,
                "fingerprint": fingerprint(identity.key),
                "phones": [binding.contact for binding in self.bindings.of(identity.aor)],
                "created": identity.created,
            }
            for identity in self.keyring.identities()
        ]

    def live_calls(self) -> list[CallStatus]:
        """Describe the calls that are ringing or up."""
        return live_calls(self._proxy.calls.dialogs, self.call_book, self.reactor.seconds())

    def recent_calls(self, arguments: Mapping[str, Any]) -> list[CallLine]:
        """Describe the latest calls, the latest first: as many as ``number`` in the arguments says."""
        number = arguments.get("number", RECENT_CALLS)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise LocalError(f"number = {number!r:.40}: give how many calls, 1 or more")
        return self.call_book.recent(number)

    def find(self, arguments: Mapping[str, Any]) -> Deferred[FindStatus]:
        """Search every lookup for a person, and say who answered; nothing is told from memory.

        :raises BadAOR: if ``aor`` in the arguments is no name.
        :raises LocalError: if no identity is there to ask for.
        """
        name = canonical_aor(str(arguments.get("aor", "")))
        aor = self._names.aor(f"sip:{name}")  # a name at this node's own address is one at its domain
        own = next(iter(self.keyring.identities()), None)
        if own is None:
            raise LocalError("nobody has registered here yet: register a phone first")
        return collect(self._chain, aor, own).addCallback(find_status, aor)
