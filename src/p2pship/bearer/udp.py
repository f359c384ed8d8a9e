"""The bearer ``udp``: datagrams in the clear, where each device proves its key and nothing can be altered, but all can be read.

It is off unless both nodes switch it on. All links share one port, told apart by connection ids
(:mod:`p2pship.bearer.udpwire`); the exchange of keys is that of the bearer ``tcp``. ``docs/reference/udp-bearer.md`` has
the format.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import Locator, is_loopback
from p2pship.bearer.datagramport import Address, DatagramPort, Party, bind, bind_everywhere, socket_address
from p2pship.bearer.exchange import Dialler
from p2pship.bearer.listensettings import ListenSettings
from p2pship.bearer.ownhosts import ANYWHERE, dialled_hosts
from p2pship.bearer.race import race
from p2pship.bearer.streambearer import MOST_LOCATORS, not_of
from p2pship.bearer.udpdial import UDPDial
from p2pship.bearer.udpdoor import Door, Guest
from p2pship.bearer.udplink import NAME, UDPLink
from p2pship.bearer.udpwire import ID_SIZE, BadHandshake, Closed, Knock, parse
from p2pship.config import check_port_or_any, option
from p2pship.errors import NotReached
from p2pship.identity.keys import BadKey
from p2pship.interfaces import IBearer, IDevice, ILink, INetwork, INode
from p2pship.journal import Journal
from p2pship.storage.ports import Ports


@dataclass(frozen=True)
class UDPSettings(ListenSettings):
    """Links over UDP that are authenticated but NOT ENCRYPTED: whoever is on the way can hear calls and see who calls whom.

    They are made only between nodes that both switch this on, when no encrypted way leads there, and never to a device
    that was reached encrypted before.
    """

    enabled: bool = option(False, "Whether to make and accept links that are NOT ENCRYPTED, over UDP.")
    port: int = option(
        5567,
        "The UDP port; the next free one is taken, and kept, if another program has it. 0 takes any.",
        check=check_port_or_any,
    )


SETTINGS = UDPSettings


def make(reactor: Any, settings: UDPSettings, node: INode) -> IBearer:
    """Return the bearer of a node; see :mod:`p2pship.plugins`."""
    return UDPBearer(
        reactor, settings, node.keyring.device, node.network, node.ports, node.journal, node.random
    )


@implementer(IBearer)
class UDPBearer:
    """Makes links over UDP that are not encrypted. ``reactor`` provides IReactorFDSet and IReactorTime."""

    name = NAME
    encrypted = False
    several = False
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: UDPSettings,
        device: IDevice,
        network: INetwork,
        ports: Ports,
        journal: Journal,
        random: Callable[[int], bytes],
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._device = device
        self._network = network
        self._ports = ports
        self._journal = journal
        self._random = random
        self._parties: dict[bytes, Party] = {}
        self._door = Door(reactor, journal, NAME, device, random, self._parties, self._new_id, self._proven)
        self._listeners: list[DatagramPort] = []
        self._dialling_ports: dict[bool, DatagramPort] = {}  # by whether they are of IPv6
        self._known: list[Locator] = []
        self._link_made: Callable[[ILink], None] = _nobody
        self._unwatch: Callable[[], None] = _nothing
        self._stopped: Deferred[None] | None = None

    # listening

    def locators(self) -> list[Locator]:
        if not self._listeners or self._stopped is not None:
            return []
        hosts = dialled_hosts(self._settings.listen, self._network.interfaces())
        return [Locator(self.name, host, self._listeners[0].number) for host in hosts]

    def listen(
        self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]
    ) -> Deferred[None]:
        return maybeDeferred(self._listen, link_made, locators_changed)

    def _listen(self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]) -> None:
        self._link_made = link_made
        hosts = self._settings.listen
        chosen = self._ports.choose(
            self.name,
            self._settings.port,
            ", ".join(hosts),
            "udp",
            partial(bind_everywhere, self.name, hosts),
        )
        self._listeners = [self._port(opened) for opened in chosen.listening]
        self._unwatch = self._network.watch(lambda: self._network_changed(locators_changed))
        self._known = self.locators()
        port = self._listeners[0].number
        self.log.info("accepts links over udp at port {port}, NOT ENCRYPTED", port=port)
        if chosen.moved_from is not None:
            self.log.warn("it was {old} before: a router may need to know", old=chosen.moved_from)

    def _port(self, opened: socket.socket) -> DatagramPort:
        return DatagramPort(self._reactor, opened, self._parties, self._stray, self._journal)

    def _network_changed(self, locators_changed: Callable[[], None]) -> None:
        locators = self.locators()
        if locators != self._known:
            self._known = locators
            locators_changed()

    def _stray(self, datagram: bytes, source: Address, port: DatagramPort) -> None:
        """Take a datagram that is on no link: a message of the handshake, or nothing of ours."""
        try:
            message = parse(datagram)
        except BadHandshake:
            self._journal.count("udp.stray")
            return
        if isinstance(message, Knock):
            if port in self._listeners and self._stopped is None:
                self._door.knocked(message, source, port)
            return
        party = self._parties.get(message.to)
        if isinstance(party, UDPDial):
            party.handshake_received(message)
        elif isinstance(message, Closed) and isinstance(party, Guest):
            self._door.closed(party, message.closing)
        elif isinstance(message, Closed) and isinstance(party, UDPLink):
            party.confirm()

    def _proven(self, guest: Guest) -> None:
        link = UDPLink(
            self._reactor,
            self._journal,
            guest.exchange,
            guest.own_id,
            guest.knock.own,
            guest.port,
            guest.address,
            self._forget,
            self._random,
        )
        self._parties[link.own_id] = link
        link.confirm()
        try:
            self._link_made(link)
        except Exception:  # noqa: BLE001 (the node's bug must not close the port of all links)
            self.log.failure("a link that was made could not be taken")
            link.abort("it could not be taken")

    # dialling

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        if device_key == self._device.key:
            return fail(NotReached("that is this device itself"))
        if own.key != self._device.key:
            return fail(not_of(self.name, own))
        tried = locators[:MOST_LOCATORS]
        return race(self._reactor, [partial(self._attempt, device_key, locator) for locator in tried])

    def _attempt(self, device_key: bytes, locator: Locator) -> Deferred[ILink]:
        if self._stopped is not None:
            return fail(NotReached(f"{locator}: the bearer was stopped"))
        try:
            exchange = Dialler(self.name, self._device, self._random, device_key)
            port = self._port_towards(locator.host)
        except (BadKey, OSError) as error:
            return fail(NotReached(f"{locator}: {error}"))
        dial = UDPDial(
            self._reactor,
            self._journal,
            exchange,
            self._new_id(),
            port,
            socket_address(locator.host, locator.port),
            partial(self._dialled, locator),
            self._forget,
        )
        self._parties[dial.own_id] = dial
        return dial.begin().addErrback(_named, locator)

    def _port_towards(self, host: str) -> DatagramPort:
        """Return the port to dial an address from: one that listens, so that routers know it, if that can reach there."""
        ipv6 = ":" in host
        for port in self._listeners:
            if port.ipv6 == ipv6 and (
                port.host in ANYWHERE.values() or is_loopback(port.host) == is_loopback(host)
            ):
                return port
        if ipv6 not in self._dialling_ports:
            self._dialling_ports[ipv6] = self._port(bind(ANYWHERE[6 if ipv6 else 4], 0))
        return self._dialling_ports[ipv6]

    def _dialled(self, locator: Locator, dial: UDPDial, their_id: bytes) -> ILink:
        link = UDPLink(
            self._reactor,
            self._journal,
            dial.exchange,
            dial.own_id,
            their_id,
            dial.port,
            dial.address,
            self._forget,
            self._random,
            locator,
        )
        self._parties[link.own_id] = link
        link.insist(dial.closing)
        return link

    # all of them

    def _new_id(self) -> bytes:
        """Return a connection id that is free; its first octet is not zero."""
        while True:
            made = self._random(ID_SIZE)
            if made[0] and made not in self._parties:
                return made

    def _forget(self, party: UDPDial | UDPLink) -> None:
        if self._parties.get(party.own_id) is party:
            del self._parties[party.own_id]
        self._look_stopped()

    def stop(self) -> Deferred[None]:
        self._unwatch()
        self._unwatch = _nothing
        self._stopped = Deferred()
        self._door.shut()
        for party in tuple(self._parties.values()):
            if isinstance(party, UDPLink):
                party.close("the node is stopping")
            elif isinstance(party, UDPDial):
                party.fail("the node is stopping")
        self._look_stopped()
        return self._stopped

    def _look_stopped(self) -> None:
        if self._stopped is None or self._stopped.called or self._parties:
            return
        for port in (*self._listeners, *self._dialling_ports.values()):
            port.close()
        self._listeners.clear()
        self._dialling_ports.clear()
        self._stopped.callback(None)


def _named(failure: Failure, locator: Locator) -> Failure:
    if failure.check(NotReached):
        return Failure(NotReached(f"{locator}: {failure.getErrorMessage()}"))
    return failure


def _nobody(link: ILink) -> None:
    """Take links when nobody listens: there are none."""


def _nothing() -> None:
    """Do nothing."""
