"""A bearer over TCP, whatever it is that proves the keys there: where it listens, whom it dials, who is at the door."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred
from twisted.internet.interfaces import IAddress, IConnector, IListeningPort, IProtocolFactory
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import Locator, canonical_host
from p2pship.bearer.admission import Admission
from p2pship.bearer.handshakelink import HandshakeLink
from p2pship.bearer.listening import listen_everywhere, port_of
from p2pship.bearer.listensettings import ListenSettings
from p2pship.bearer.ownhosts import dialled_hosts
from p2pship.bearer.race import race
from p2pship.errors import NotReached, RemoteError
from p2pship.identity.hit import format_hit
from p2pship.interfaces import IBearer, IDevice, ILink, INetwork
from p2pship.journal import Journal
from p2pship.storage.ports import Ports

CONNECT_TIME = 5.0
"Seconds for a TCP connection: a device that needs three SYNs (RFC 6298 §2) is tried at its other addresses meanwhile."

MOST_LOCATORS = 16
"Locators of one device that are dialled: a record may hold more, to make us knock at other people's doors."


@implementer(IBearer)
class StreamBearer(ABC):
    """Makes links over TCP connections. ``reactor`` provides IReactorTCP, IReactorSocket and IReactorTime."""

    name: ClassVar[str]
    encrypted: ClassVar[bool]
    several = False
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: ListenSettings,
        device: IDevice,
        network: INetwork,
        ports: Ports,
        journal: Journal,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._own_key = device.key
        self._network = network
        self._ports = ports
        self._journal = journal
        self._admission: Admission[HandshakeLink] = Admission()
        self._links: set[HandshakeLink] = set()
        self._listeners: tuple[IListeningPort, ...] = ()
        self._port = 0
        self._known: list[Locator] = []
        self._hosts: frozenset[str] = frozenset()
        "this machine's own, as they were when somebody looked last"
        self._link_made: Callable[[ILink], None] = _nobody
        self._unwatch: Callable[[], None] = _nothing
        self._stopped: Deferred[None] | None = None

    @abstractmethod
    def make_link(self, locator: Locator | None = None, expected: bytes = b"") -> HandshakeLink:
        """Return a link that dials ``locator`` for the device of the key ``expected``; without them, one that listens.

        It tells :meth:`ended` of its end.

        :raises RemoteError: if no link of this bearer can be to a device with that key.
        """

    @abstractmethod
    def protected(self, factory: IProtocolFactory, dials: bool) -> IProtocolFactory:
        """Return a factory that puts under the links of ``factory`` what protects them."""

    def locators(self) -> list[Locator]:
        if not self._listeners:
            return []
        hosts = dialled_hosts(self._settings.listen, self._network.interfaces())
        return [Locator(self.name, host, self._port) for host in hosts]

    def listen(
        self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]
    ) -> Deferred[None]:
        return maybeDeferred(self._listen, link_made, locators_changed)

    def _listen(self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]) -> None:
        self._link_made = link_made
        factory = self.protected(_Door(self._admit), False)
        hosts = self._settings.listen
        chosen = self._ports.choose(
            self.name,
            self._settings.port,
            ", ".join(hosts),
            "tcp",
            lambda port: listen_everywhere(self._reactor, self.name, hosts, port, factory),
        )
        self._listeners = chosen.listening
        self._port = port_of(self._listeners)
        self._unwatch = self._network.watch(lambda: self._network_changed(locators_changed))
        self._known, self._hosts = self.locators(), self._own_hosts()
        secrecy = "" if self.encrypted else ", NOT ENCRYPTED"
        self.log.info(
            "accepts links over {name} at port {port}{secrecy}",
            name=self.name,
            port=self._port,
            secrecy=secrecy,
        )
        if chosen.moved_from is not None:
            self.log.warn("it was {old} before: a router may need to know", old=chosen.moved_from)

    def _network_changed(self, locators_changed: Callable[[], None]) -> None:
        locators = self.locators()
        if locators != self._known:
            self._known = locators
            locators_changed()
        before, self._hosts = self._hosts, self._own_hosts()
        for link in tuple(self._links):
            if link.own_host in before - self._hosts:  # nothing comes there any more, and nobody would say so
                link.give_up("this machine's address is another one now")

    def _own_hosts(self) -> frozenset[str]:
        return frozenset(host for each in self._network.interfaces() for host, _ in each.addresses)

    def _admit(self, address: Any) -> HandshakeLink:
        host = canonical_host(address.host)
        link = self.make_link()
        surplus = self._admission.enter(link, host)
        if surplus is not None:
            self._journal.count(f"{self.name}.over_limit")
            surplus.give_up("too many others are at the door")
        self._links.add(link)
        made = link.handshake.addCallbacks(lambda _: self._proven(link), self._refused, errbackArgs=(host,))
        made.addErrback(self._broken, link)
        return link

    def _proven(self, link: HandshakeLink) -> None:
        self._admission.leave(link)
        self._link_made(link)

    def _refused(self, failure: Failure, host: str) -> None:
        self._journal.count(f"{self.name}.refused")
        self.log.debug("refused {host}: {reason}", host=host, reason=failure.getErrorMessage())

    def _broken(self, failure: Failure, link: HandshakeLink) -> None:
        self.log.failure("a link that was made could not be taken", failure)
        link.give_up("it could not be taken")

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        if device_key == self._own_key:
            return fail(NotReached("that is this device itself"))
        if own.key != self._own_key:
            return fail(not_of(self.name, own))
        tried = locators[:MOST_LOCATORS]
        return race(self._reactor, [partial(self._attempt, device_key, locator) for locator in tried])

    def _attempt(self, device_key: bytes, locator: Locator) -> Deferred[ILink]:
        if self._stopped is not None:
            return fail(NotReached(f"{locator}: the bearer was stopped"))
        try:
            link = self.make_link(locator, device_key)
        except RemoteError as error:
            return fail(NotReached(f"{locator}: {error}"))
        factory = self.protected(_Dial(link), True)
        self._links.add(link)
        self._reactor.connectTCP(locator.host, locator.port, factory, CONNECT_TIME)
        return link.handshake.addErrback(_named, locator)

    def ended(self, link: HandshakeLink) -> None:
        """Hear that nothing of a link is left."""
        self._admission.leave(link)
        self._links.discard(link)
        if self._stopped is not None and not self._links:
            self._stopped.callback(None)

    def stop(self) -> Deferred[None]:
        self._unwatch()
        self._unwatch = _nothing
        listeners, self._listeners = self._listeners, ()
        self._stopped = Deferred()
        if not self._links:
            self._stopped.callback(None)
        for link in tuple(self._links):
            if link.proof:
                link.close("the node is stopping")
            else:
                link.give_up("the node is stopping")
        closing: list[Deferred[Any]] = [maybeDeferred(listener.stopListening) for listener in listeners]
        return DeferredList([*closing, self._stopped]).addCallback(_nothing)


class _Door(ServerFactory):
    """Gives each connection from outside its link."""

    noisy = False

    def __init__(self, admit: Callable[[Any], HandshakeLink]) -> None:
        self._admit = admit

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        return self._admit(addr)


class _Dial(ClientFactory):
    """Gives one connection that is dialled its link."""

    noisy = False

    def __init__(self, link: HandshakeLink) -> None:
        self._link = link

    def startedConnecting(self, connector: IConnector) -> None:
        self._link.connector = connector

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        return self._link

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._link.not_connected(reason)


def not_of(bearer: str, own: IDevice) -> NotReached:
    """Return why a bearer whose listener proves one key, before it knows who is asked for, has no link of another device of ours."""
    return NotReached(f"{bearer} makes no links of the separate device {format_hit(own.hit)}")


def _named(failure: Failure, locator: Locator) -> Failure:
    if failure.check(NotReached):
        return Failure(NotReached(f"{locator}: {failure.getErrorMessage().rstrip('.')}"))
    return failure


def _nobody(link: ILink) -> None:
    """Take links when nobody listens: there are none."""


def _nothing(*_ignored: object) -> None:
    """Do nothing."""
