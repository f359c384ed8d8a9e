"""One node: builds every part, wires them to each other, starts and stops them in order, and says how they are.

This is the only file that knows all parts. What runs is, from the bottom up: the state folder and its database, the
keyring, the network watcher, the lookups and the publisher, the bearers, the overlay, the media relays, and SIP.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, fail, gatherResults, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship import plugins
from p2pship.address import Locator
from p2pship.circle import Circle
from p2pship.config import Config
from p2pship.desk import Desk
from p2pship.entrance import Entrance
from p2pship.errors import P2PShipError
from p2pship.interfaces import IBearer, IIdentity, ILookup, INetwork, INode
from p2pship.journal import Journal
from p2pship.lookup.cache import CachingFinder
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.lookup.keepfresh import KeepFresh
from p2pship.lookup.privacy import SETTING, Privacy
from p2pship.lookup.publisher import Publisher
from p2pship.media.relay import MediaRelays, MediaSettings
from p2pship.network import NetworkWatcher
from p2pship.overlay.switchboard import Switchboard
from p2pship.sip.callbook import SCHEMA as CALLS_SCHEMA
from p2pship.standing import Standing
from p2pship.status import Status
from p2pship.storage.ports import SCHEMA as PORTS_SCHEMA
from p2pship.storage.ports import Ports
from p2pship.telephony import Telephony
from p2pship.trust.ledger import CONTACT, PAIR

STARTING_TIME = 5.0
"Seconds that one lookup may take to start: those that come with p2pship take none, as they go on with it in the background."

STOPPING_TIME = 10.0
"Seconds that a lookup or bearer may take to stop: those that come with p2pship take 4, where a peer does not hear that its link is closed."

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
        unlock: Callable[[], bytes] | None = None,
    ) -> None:
        """Prepare a node that keeps its keys in the folder ``state``.

        ``lookups`` and ``bearers`` make other ones than those of the plug-in cards; ``network`` replaces this machine's. ``unlock`` is asked for
        the passphrase of the keys, if there is one.
        """
        super().__init__()
        self.reactor = reactor
        self.config = config
        self.random = random
        self.journal = Journal(reactor.seconds)
        self.clock_doubt = ClockDoubt()
        self.network: INetwork = network or NetworkWatcher(reactor)
        self.state = state
        self._unlock = unlock
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
        self.telephony.listen(self.ports)
        self.telephony.start()
        for name, lookup in self.lookups.items():
            await self._start_lookup(name, lookup)
        self.overlay.start()
        for bearer in self.bearers.values():
            await bearer.listen(self.overlay.link_made, self._publisher.locators_changed)
        self._publisher.start()
        self._circle.start()
        for application in self.applications.values():
            application.setServiceParent(self)
        self._keep_fresh.start()

    async def _start_lookup(self, name: str, lookup: ILookup) -> None:
        """Start a lookup; one that has a bug or is too slow, as it may be anybody's, does not keep the node from starting."""
        try:
            await maybeDeferred(lookup.start).addTimeout(STARTING_TIME, self.reactor)
        except (P2PShipError, CancelledError):
            raise
        except Exception:  # noqa: BLE001 (whatever it is: the others work)
            self.log.failure("the lookup {name} did not start", name=name)

    async def _stop(self) -> None:
        for application in self.applications.values():
            if application.parent is not None:
                application.disownServiceParent()
        try:
            self.telephony.stop()
            self._keep_fresh.stop()
            self._circle.stop()
            await self._publisher.stop()
            await self.overlay.stop()
        finally:  # a part that fails must keep neither sockets nor the state folder
            parts = [*self.bearers.values(), *self.lookups.values()]
            stops = [self.telephony.close, *(part.stop for part in parts)]
            await gatherResults([self._stopped(stop) for stop in stops])
            self._relays.close()
            self._close()

    def _stopped(self, stop: Callable[[], Deferred[None]]) -> Deferred[None]:
        """Stop a part; it does not fail, and holds nobody up."""
        return maybeDeferred(stop).addTimeout(STOPPING_TIME, self.reactor).addErrback(self._not_stopped)

    def _not_stopped(self, failure: Failure) -> None:
        self.log.failure("a part of the node did not stop in good order", failure)

    def clock_set_back(self) -> None:
        """Hear that this machine's clock was: what is published is from the future."""
        if self.running:
            self._publisher.locators_changed()

    def stopService(self) -> Deferred[Any]:
        """Withdraw what was published, end the calls, close every socket; fires when all is done."""
        stopped = maybeDeferred(super().stopService)
        started, self._started = self._started, None
        if started is not None:
            started.cancel()
            self._stopping = Deferred.fromCoroutine(self._stop()).addErrback(self._not_stopped)
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
        self.desk = Desk(
            self.reactor,
            self.config,
            self.state,
            schemas=[PORTS_SCHEMA, CALLS_SCHEMA],
            unlock=self._unlock,
            random=self.random,
            journal=self.journal,
        )
        self.desk.node = self
        self.keyring = self.desk.keyring
        self.ports = Ports(self.desk.database)

    def _close(self) -> None:
        self.desk.close()

    def _build(self) -> None:
        trust = self.desk.trust
        self.lookups = self._make_lookups(self)
        made = self._make_bearers(self).items()
        self.bearers = dict(sorted(made, key=lambda each: not each[1].encrypted))  # so in records too
        cards = plugins.applications()
        self.applications = plugins.make_all(cards, self.reactor, self.config.section, self)
        lookups, bearers = tuple(self.lookups.values()), tuple(self.bearers.values())
        privacy = Privacy(self.desk.modes.of, self.desk.secrets.places, self.desk.rendezvous)
        self._chain = LookupChain(
            self.reactor, lookups, trust, self.keyring, self.network, self.journal, privacy, self.clock_doubt
        )
        self.finder = CachingFinder(self.reactor, self._chain, self.network, trust)
        self._publisher = Publisher(
            self.reactor, self.keyring, lookups, self._locators, self.journal, self.random, privacy
        )
        self._keep_fresh = KeepFresh(
            self.reactor, self.keyring, self._chain, self.finder, self.network, self._contacts, self.random
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
            Entrance(self.desk, lambda: self.overlay.peers(), lambda: self.telephony.proxy.notices).admit,
            dialled_in_vain=self.finder.forget,
        )
        self._follow()
        self._circle = Circle(self.reactor, self.desk, self.overlay, self.finder)
        self.linking, self.pairing = self._circle.linking, self._circle.pairing
        self.introductions = self._circle.introductions
        self._relays = MediaRelays(self.reactor, self.config.get(MediaSettings), self.journal, self.random)
        self.telephony = Telephony(self.reactor, self.desk, self.overlay, self._relays, self.network)
        self.standing = Standing(
            self.desk,
            publisher=self._publisher,
            bearers=self.bearers,
            chain=self._chain,
            overlay=self.overlay,
            relays=self._relays,
            telephony=self.telephony,
        )

    def _follow(self) -> None:
        """Have what is changed at the desk take effect at once."""
        self.desk.trust.watch(self.finder.judge_again)
        self.desk.trust.watch(self.overlay.judge_again)
        self.desk.authorities.watch(lambda domain: self.desk.trust.changed())
        self.desk.ledger.watch(self._entry_changed)
        self.desk.rendezvous.watch(self._publisher.privacy_changed)

    def _entry_changed(self, own: str, kind: str, name: str) -> None:
        if kind in (PAIR, SETTING):
            self._publisher.privacy_changed()
            self._keep_fresh.privacy_changed(own)
        if kind == CONTACT:
            self._keep_fresh.contacts_changed()

    def _contacts(self, own: str) -> list[str]:
        return [contact.aor for contact in self.desk.contacts.all(own)]

    def _locators(self, identity: IIdentity) -> Sequence[Locator]:
        return self.overlay.locators(identity)

    # What is said of it.

    def status(self) -> Status:
        """Say how the node is."""
        return self.standing.status()
