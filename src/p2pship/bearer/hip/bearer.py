"""The bearer ``hip``: HIPv2 and ESP in UDP, encrypted, from and to any of this machine's addresses.

All of one node's associations share its sockets. What comes with four zero octets in front is a control packet (RFC 9028 §5.1), which
the machine of a Host Identity gets (:mod:`p2pship.bearer.hip.signalling`); anything else begins with an SPI, which says whose it is.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.bearer.datagramport import Address, DatagramPort, Party
from p2pship.bearer.hip.association import Association, Ended, Made, Moved, Noticed, Rekeyed
from p2pship.bearer.hip.desk import HIPDesk
from p2pship.bearer.hip.diallers import ASTRAY_DOUBT_TIME, Diallers
from p2pship.bearer.hip.diffiehellman import LEGACY_GROUPS, OFFERED_GROUPS
from p2pship.bearer.hip.esp import SMALLEST_SPI
from p2pship.bearer.hip.following import Following
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.hosts import Hosts, Unreached
from p2pship.bearer.hip.link import NAME, HIPLink
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.rawport import RawPort
from p2pship.bearer.hip.rekey import NewInbound, NewOutbound, OldInbound
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.bearer.hip.signalling import Signalling
from p2pship.bearer.hip.sockets import Sockets, path_of
from p2pship.bearer.streambearer import MOST_LOCATORS
from p2pship.errors import NotReached
from p2pship.identity.hit import hit_of
from p2pship.identity.keys import BadKey
from p2pship.interfaces import IBearer, IDevice, IHostKeys, ILink, INetwork, INode
from p2pship.journal import Journal
from p2pship.storage.ports import Ports

SETTINGS = HIPSettings


def make(reactor: Any, settings: HIPSettings, node: INode) -> IBearer:
    """Return the bearer of a node; see :mod:`p2pship.plugins`."""
    keys = node.keyring.host_keys
    return HIPBearer(
        reactor, settings, node.keyring.device, node.network, node.ports, node.journal, node.random, keys
    )


@implementer(IBearer)
class HIPBearer:
    """Makes links over HIP. ``reactor`` provides IReactorFDSet and IReactorTime."""

    name = NAME
    encrypted = True
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: HIPSettings,
        device: IDevice,
        network: INetwork,
        ports: Ports,
        journal: Journal,
        random: Callable[[int], bytes],
        keys: IHostKeys | None = None,
    ) -> None:
        """Make links by the Host Identity of a device; answer pings by those of ``keys`` as well."""
        self._reactor = reactor
        self._settings = settings
        self._device = device
        self._ports = ports
        self._journal = journal
        self._random = random
        self._parties: dict[bytes, Party] = {}
        self._sockets = Sockets(self._adopt, self._open_raw if settings.raw else None)
        self._following = Following(reactor, network, settings.listen, self._sockets, self._addresses_changed)
        self._links: dict[Association, HIPLink] = {}
        self._host = Hosts(OwnHostIdentity(device.private_key), self._new_host, reactor.seconds())
        self._diallers = Diallers(reactor, self._host.device, self._act)
        self.desk = HIPDesk(
            reactor,
            settings,
            self._host,
            self._links,
            self._sockets,
            random,
            self._diallers.waits,
            self._act,
            self._close,
        )
        "where a person asks"
        self._guests, self._pings = self.desk.guests, self.desk.pings
        self._unwatch_keys: Callable[[], None] = _nothing if keys is None else self._follow(keys)
        self._signalling = Signalling(reactor, journal, self._host, self._told, self.desk.refused)
        self._link_made: Callable[[ILink], None] = _nobody
        self._locators_changed: Callable[[], None] = _nothing
        self._stopped: Deferred[None] | None = None

    def _new_host(self, own: OwnHostIdentity, load: Load, limit: R1Limit, now: float) -> Host:
        settings, sockets = self._settings, self._sockets
        groups = (*OFFERED_GROUPS, *LEGACY_GROUPS) if settings.legacy else OFFERED_GROUPS
        return Host(
            own,
            groups,
            self._random,
            self._new_spi,
            load,
            limit,
            now,
            sockets.reach,
            settings.opportunistic,
        )

    def _follow(self, keys: IHostKeys) -> Callable[[], None]:
        """Answer by the Host Identities that there are beside the device's, as they come and go."""

        def changed() -> None:
            self._host.become(keys, self._reactor.seconds())
            self._pings.hosts_changed()
            self._act()

        self._host.become(keys, self._reactor.seconds())
        return keys.watch(changed)

    # listening

    def locators(self) -> list[Locator]:
        if self._stopped is not None:
            return []
        return [Locator(self.name, host, self._sockets.number) for host in self._sockets.hosts]

    def listen(
        self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]
    ) -> Deferred[None]:
        return maybeDeferred(self._listen, link_made, locators_changed)

    def _listen(self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]) -> None:
        self._link_made = link_made
        self._locators_changed = locators_changed
        chosen = self._ports.choose(
            self.name,
            self._settings.port,
            ", ".join(self._settings.listen),
            "udp",
            partial(self._sockets.listen, self._following.hosts()),
        )
        self._following.begin()
        self.log.info("accepts links over hip at UDP port {port}", port=self._sockets.number)
        if chosen.moved_from is not None:
            self.log.warn("it was {old} before: a router may need to know", old=chosen.moved_from)

    def _adopt(self, opened: socket.socket) -> DatagramPort:
        return DatagramPort(self._reactor, opened, self._parties, self._signalling.stray, self._journal)

    def _open_raw(self, host: str) -> RawPort:
        taken = self._signalling
        return RawPort(self._reactor, host, self._parties, taken.stray, taken.raw, self._journal)

    def _addresses_changed(self) -> None:
        self._host.own_changed(self._sockets.hosts, self._reactor.seconds())
        self._act()
        self._locators_changed()

    # what the machines say

    def _act(self) -> None:
        self._signalling.act()

    def _told(self, thing: object) -> None:
        """Hear from the machines."""
        match thing:
            case Made():
                self._made(thing.association, thing.dialled)
            case Unreached(own, peer, reason):
                self._pings.failed(own, peer, reason)
                if own == self._host.device.own.hit:
                    self._diallers.failed(peer, reason)
            case Moved():
                self._moved(thing)
            case Rekeyed():
                self._rekeyed(thing)
            case Ended():
                self._ended(thing.association, thing.reason)
            case Noticed():
                self._noticed(thing)

    def _new_spi(self) -> int:
        while True:
            made = self._random(4)
            if int.from_bytes(made, "big") >= SMALLEST_SPI and made not in self._parties:
                return int.from_bytes(made, "big")

    # dialling

    def dial(self, device_key: bytes, locators: Sequence[Locator]) -> Deferred[ILink]:
        if device_key == self._device.key:
            return fail(NotReached("that is this device itself"))
        try:
            peer = hit_of(device_key)
        except BadKey as error:
            return fail(NotReached(str(error)))
        if self._stopped is not None:
            return fail(NotReached("the bearer was stopped"))
        tried = locators[:MOST_LOCATORS]
        paths = [path for locator in tried for path in self._sockets.paths_to(locator)]
        standing = self._standing(peer)
        if standing is not None:
            return self._diallers.doubt(standing, tried, paths)
        if not paths:
            named = ", ".join(map(str, tried)) or "no address"
            return fail(NotReached(f"no way leads from here to {named}"))
        return self._diallers.dial(peer, tried, paths)

    def _standing(self, peer: bytes) -> Association | None:
        """Return the association with a host whose link can be used; one that is being closed ends now."""
        found = self._host.association(peer)
        if found is not None and self._links[found].is_closing:
            self._links[found].abort("another link is made")
            return None
        return found

    def _seek(self, association: Association, locators: Sequence[Locator]) -> None:
        """Ask where the other side of a link may be; see :class:`~p2pship.interfaces.ILinkReceiver`.

        If it is there and knows nothing of the link, another one takes its place, and is there for whoever dials then.
        """
        tried = [one for one in locators if one.bearer == self.name][:MOST_LOCATORS]
        if tried and self._host.association(association.agreement.peer.hit) is association:
            paths = [path for locator in tried for path in self._sockets.paths_to(locator)]
            sought = self._diallers.doubt(association, tried, paths, ASTRAY_DOUBT_TIME)
            sought.addErrback(lambda failure: failure.trap(NotReached))

    # associations

    def _made(self, association: Association, dialled: bool) -> None:
        if self._stopped is not None:
            self._close(association, "the node is stopping")
            return
        peer = association.agreement.peer.hit
        locator = self._diallers.locator(peer, association.path) if dialled else None
        link = HIPLink(
            self._reactor,
            self._journal,
            association,
            dialled,
            locator,
            self._closed,
            self._silent,
            self._elsewhere,
            self._first,
            self._tired,
            self._seek,
            self._watched,
        )
        self._links[association] = link
        for incoming in link.incoming.values():
            self._parties[_octets(incoming.spi)] = incoming
        pinged = self._pings.made(association, dialled)
        if not self._carries(association):
            self._guests.take(link)
            return
        if not dialled:
            self._offer(link)
        if self._diallers.made(peer, link) or not dialled:
            return
        if pinged:
            self._guests.take(link)
        else:
            link.close("it is not wanted any longer")

    def _carries(self, association: Association) -> bool:
        """Tell whether an association is one of the device, whose links the node uses."""
        return association.agreement.own.hit == self._host.device.own.hit

    def _offer(self, link: HIPLink) -> None:
        try:
            self._link_made(link)
        except Exception:  # noqa: BLE001 (the node's bug must not close the port of all links)
            self.log.failure("a link that was made could not be taken")
            link.abort("it could not be taken")

    def _ended(self, association: Association, reason: str) -> None:
        link = self._links.pop(association, None)
        if link is not None:
            self._forget(link)
            link.lost(reason)
            self._guests.ended(association)
            if self._carries(association):
                self._diallers.ended(association.agreement.peer.hit)
        self._look_stopped()

    def _noticed(self, noticed: Noticed) -> None:
        self._journal.count("hip.noticed")
        self.log.warn(
            "{peer} says {name} of what we sent",
            peer=noticed.association.path.host,
            name=noticed.notification.name,
        )

    def _moved(self, moved: Moved) -> None:
        link = self._links.get(moved.association)
        if link is not None:
            link.moved(moved.path, moved.verified)
            if moved.verified and not link.is_closing:
                self._diallers.is_there(moved.association.agreement.peer.hit, link)

    def _rekeyed(self, rekeyed: Rekeyed) -> None:
        link = self._links.get(rekeyed.association)
        if link is None:
            return
        match rekeyed.change:
            case NewInbound(inbound):
                self._parties[_octets(inbound.spi)] = link.open(inbound)
            case NewOutbound(outbound):
                link.renew(outbound)
            case OldInbound(spi):
                self._parties.pop(_octets(spi), None)
                link.shut(spi)

    def _first(self, association: Association, spi: int) -> None:
        self._host.data_received(association, spi, self._reactor.seconds())
        self._act()

    def _tired(self, association: Association) -> None:
        self._host.rekey(association, self._reactor.seconds())
        self._act()

    def _silent(self, association: Association) -> None:
        self._host.silent(association, self._reactor.seconds())
        self._act()

    def _watched(self, association: Association) -> None:
        """Hear that somebody listens: the other side should know every way to us, in case that this one falls silent."""
        self._host.announce(association, self._sockets.hosts, self._reactor.seconds())
        self._act()

    def _elsewhere(self, association: Association, port: DatagramPort, source: Address) -> None:
        self._host.heard_elsewhere(association, path_of(port, source), self._reactor.seconds())
        self._act()

    def _closed(self, link: HIPLink, reason: str) -> None:
        """Hear that a link is over: its association is closed, unless somebody pings over it."""
        if link.association in self._links and not self._guests.keeps(link):
            self._close(link.association, reason)

    def _close(self, association: Association, reason: str) -> None:
        self._host.close(association, self._reactor.seconds(), reason)
        self._act()

    def _forget(self, link: HIPLink) -> None:
        for spi in link.incoming:
            self._parties.pop(_octets(spi), None)

    def stop(self) -> Deferred[None]:
        self._following.end()
        self._stopped = Deferred()
        self._unwatch_keys()
        self._unwatch_keys = _nothing
        self._diallers.stop()
        self._pings.stop()
        self._act()
        self._guests.stop()
        for link in tuple(self._links.values()):
            link.close("the node is stopping")
        self._look_stopped()
        return self._stopped

    def _look_stopped(self) -> None:
        if self._stopped is None or self._stopped.called or self._links:
            return
        self._signalling.stop()
        self._sockets.close()
        self._stopped.callback(None)


def _octets(spi: int) -> bytes:
    return spi.to_bytes(4, "big")


def _nobody(link: ILink) -> None:
    """Take links when nobody listens: there are none."""


def _nothing() -> None:
    """Do nothing."""
