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
from p2pship.bearer.datagramport import DatagramPort, Party
from p2pship.bearer.hip.association import Association, Ended, Made, Moved, Noticed, Rekeyed
from p2pship.bearer.hip.desk import HIPDesk
from p2pship.bearer.hip.diallers import Diallers
from p2pship.bearer.hip.dialling import Failed
from p2pship.bearer.hip.diffiehellman import LEGACY_GROUPS, OFFERED_GROUPS
from p2pship.bearer.hip.esp import SMALLEST_SPI
from p2pship.bearer.hip.facts import ErrorTold
from p2pship.bearer.hip.following import Following
from p2pship.bearer.hip.host import GONE, Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.hosts import Hosts, Stir
from p2pship.bearer.hip.link import NAME, HIPLink
from p2pship.bearer.hip.links import Links
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.rawport import RawPort
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.bearer.hip.signalling import Signalling
from p2pship.bearer.hip.sockets import Sockets
from p2pship.bearer.streambearer import MOST_LOCATORS
from p2pship.errors import NotReached
from p2pship.identity.hit import format_hit, hit_of
from p2pship.identity.keys import BadKey
from p2pship.interfaces import IBearer, IDevice, IKeyring, ILink, INetwork, INode
from p2pship.journal import Journal
from p2pship.neighbours import Neighbours, open_netlink
from p2pship.storage.ports import Ports

SETTINGS = HIPSettings


def make(reactor: Any, settings: HIPSettings, node: INode) -> IBearer:
    """Return the bearer of a node; see :mod:`p2pship.plugins`."""
    return HIPBearer(reactor, settings, node.keyring, node.network, node.ports, node.journal, node.random)


@implementer(IBearer)
class HIPBearer:
    """Makes links over HIP. ``reactor`` provides IReactorFDSet and IReactorTime."""

    name = NAME
    encrypted = True
    several = True
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: HIPSettings,
        keyring: IKeyring,
        network: INetwork,
        ports: Ports,
        journal: Journal,
        random: Callable[[int], bytes],
    ) -> None:
        """Make links by the Host Identities of our devices; answer pings by the further ones as well."""
        self._reactor = reactor
        self._settings = settings
        self._keyring = keyring
        self._ports = ports
        self._journal = journal
        self._random = random
        self._parties: dict[bytes, Party] = {}
        self._sockets = Sockets(self._adopt, self._open_raw if settings.raw else None)
        self._following = Following(reactor, network, settings.listen, self._sockets, self._addresses_changed)
        self._neighbours = Neighbours(open_netlink)
        self._hosts = Hosts(keyring.device, self._new_host, self._is_next_door, reactor.seconds())
        self._diallers: dict[bytes, Diallers] = {}
        self._house = Links(
            reactor, journal, self._hosts, self._sockets, self._diallers, self._parties, self._act
        )
        self._links = self._house.all
        self.desk = HIPDesk(
            reactor, settings, self._hosts, self._house, self._sockets, random, self._is_dialled, self._act
        )
        "where a person asks"
        self._guests, self._pings = self._house.guests, self.desk.pings
        self._signalling = Signalling(
            reactor, journal, self._hosts, self._told, self.desk.refused, self._neighbours
        )
        self._link_made: Callable[[ILink], None] = _nobody
        self._locators_changed: Callable[[], None] = _nothing
        self._stopped: Deferred[None] | None = None
        self._follow_keys()
        self._unwatch = [
            keyring.watch(lambda _: self._follow_keys()),
            keyring.host_keys.watch(self._follow_keys),
        ]

    def _new_host(self, own: OwnHostIdentity, load: Load, limit: R1Limit, now: float, stir: Stir) -> Host:
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
            stir,
        )

    def _is_next_door(self, host: str) -> bool:
        """Tell whether a host is on a network of ours, and really there."""
        return all(self._neighbours.hop(host))

    def _follow_keys(self) -> None:
        """Have the Host Identities that the keyring has now: nobody who waits for a link of one that is gone waits longer."""
        keyring, now = self._keyring, self._reactor.seconds()
        self._hosts.become(keyring.devices(), keyring.host_keys.all(), now)
        for hit in self._diallers.keys() - self._hosts.carrying.keys():
            self._diallers.pop(hit).stop(GONE)
        for hit, host in self._hosts.carrying.items():
            if hit not in self._diallers:
                self._diallers[hit] = Diallers(self._reactor, host, self._act, self._pings.waits)
        self._act()
        if self._hosts.leaving:  # in a turn, those who use their links have said their goodbyes
            self._reactor.callLater(0, self._house.leave)

    def _is_dialled(self, own: bytes, peer: bytes) -> bool:
        """Tell whether somebody waits for a link from one of our devices to a HIT."""
        return own in self._diallers and self._diallers[own].waits(peer)

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
        self._hosts.own_changed(self._sockets.hosts, self._reactor.seconds())
        self._act()
        self._locators_changed()

    # what the machines say

    def _act(self) -> None:
        self._signalling.act()

    def _told(self, thing: object) -> None:
        """Hear from the machines."""
        match thing:
            case Made():
                self._made(thing)
            case Failed(own, peer, reason):
                self._pings.failed(own, peer, reason)
                if own in self._diallers:
                    self._diallers[own].failed(peer, reason)
            case Moved():
                self._moved(thing)
            case Rekeyed():
                self._house.rekeyed(thing)
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

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        if device_key == own.key:
            return fail(NotReached("that is this device itself"))
        try:
            peer = hit_of(device_key)
        except BadKey as error:
            return fail(NotReached(str(error)))
        if self._stopped is not None:
            return fail(NotReached("the bearer was stopped"))
        diallers = self._diallers.get(own.hit)
        if diallers is None:
            return fail(NotReached(f"{format_hit(own.hit)} is no device of this node any more"))
        return self._dial(diallers, peer, locators[:MOST_LOCATORS])

    def _dial(self, diallers: Diallers, peer: bytes, tried: Sequence[Locator]) -> Deferred[ILink]:
        paths = [path for locator in tried for path in self._sockets.paths_to(locator)]
        standing = self._standing(diallers.host, peer)
        if standing is not None:
            return diallers.doubt(standing, tried, paths)
        if not paths:
            named = ", ".join(map(str, tried)) or "no address"
            return fail(NotReached(f"no way leads from here to {named}"))
        return diallers.dial(peer, tried, paths)

    def _standing(self, host: Host, peer: bytes) -> Association | None:
        """Return the association with another host whose link can be used; one that is being closed ends now."""
        found = host.association(peer)
        if found is not None and self._links[found].is_closing:
            self._links[found].abort("another link is made")
            return None
        return found

    # associations

    def _made(self, made: Made) -> None:
        association = made.association
        if self._stopped is not None:
            self._house.close(association, "the node is stopping")
            return
        peer, diallers = association.agreement.peer.hit, self._diallers_of(association)
        locator = diallers.locator(peer, association.path) if diallers and made.dialled else None
        link = self._house.make(made, locator)
        pinged = self._pings.made(association, made.dialled)
        if diallers is None:
            self._guests.take(link)
            return
        if not made.dialled:
            self._offer(link)
        if diallers.made(peer, link) or not made.dialled:
            return
        if pinged:
            self._guests.take(link)
        else:
            link.close("it is not wanted any longer")

    def _diallers_of(self, association: Association) -> Diallers | None:
        """Return those who dial as the device whose association it is; None if it is not of a device, and carries no links."""
        return self._diallers.get(association.agreement.own.hit)

    def _offer(self, link: HIPLink) -> None:
        try:
            self._link_made(link)
        except Exception:  # noqa: BLE001 (the node's bug must not close the port of all links)
            self.log.failure("a link that was made could not be taken")
            link.abort("it could not be taken")

    def _ended(self, association: Association, reason: str) -> None:
        if association in self._links:
            self._house.ended(association, reason)
            diallers = self._diallers_of(association)
            if diallers is not None:
                diallers.ended(association.agreement.peer.hit)
        self._look_stopped()

    def _noticed(self, noticed: Noticed) -> None:
        self._journal.count("hip.noticed")
        self._journal.tell(ErrorTold(noticed.association.path.host, noticed.notification.name))

    def _moved(self, moved: Moved) -> None:
        link, diallers = self._house.moved(moved), self._diallers_of(moved.association)
        if link is not None and diallers is not None:
            diallers.is_there(moved.association.agreement.peer.hit, link)

    def stop(self) -> Deferred[None]:
        self._following.end()
        self._stopped = Deferred()
        unwatch, self._unwatch = self._unwatch, []
        for end in unwatch:
            end()
        for diallers in self._diallers.values():
            diallers.stop("the node is stopping")
        self._pings.stop()
        self._act()
        self._house.stop("the node is stopping")
        self._look_stopped()
        return self._stopped

    def _look_stopped(self) -> None:
        if self._stopped is None or self._stopped.called or self._links:
            return
        self._signalling.stop()
        self._neighbours.close()
        self._sockets.close()
        self._stopped.callback(None)


def _nobody(link: ILink) -> None:
    """Take links when nobody listens: there are none."""


def _nothing() -> None:
    """Do nothing."""
