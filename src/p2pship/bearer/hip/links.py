"""The links of one bearer ``hip``: made, moved, rekeyed and ended as the machines say, who in turn hear what the links notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime

from p2pship.address import Locator
from p2pship.bearer.datagramport import Address, DatagramPort, Party
from p2pship.bearer.hip.association import Association, Made, Moved, Rekeyed
from p2pship.bearer.hip.diallers import ASTRAY_DOUBT_TIME, Diallers
from p2pship.bearer.hip.guests import Guests
from p2pship.bearer.hip.host import GONE
from p2pship.bearer.hip.hosts import Hosts
from p2pship.bearer.hip.link import NAME, HIPLink
from p2pship.bearer.hip.rekey import NewInbound, NewOutbound, OldInbound
from p2pship.bearer.hip.sockets import Sockets, path_of
from p2pship.bearer.streambearer import MOST_LOCATORS
from p2pship.errors import NotReached
from p2pship.interfaces import ILink
from p2pship.journal import Journal


class Links:
    """Keeps a link for each association, and sees to it that what comes to its SPIs gets there."""

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        hosts: Hosts,
        sockets: Sockets,
        diallers: Mapping[bytes, Diallers],
        parties: dict[bytes, Party],
        act: Callable[[], None],
    ) -> None:
        """``diallers`` are by the HIT that they dial as. Put who takes what comes to an SPI into ``parties``; ``act`` does what the machines want done."""
        self._clock = clock
        self._journal = journal
        self._hosts = hosts
        self._sockets = sockets
        self._diallers = diallers
        self._parties = parties
        self._act = act
        self.all: dict[Association, HIPLink] = {}
        self.guests = Guests(clock, self.close)
        "those that carry nothing but echoes"

    # what the machines say

    def make(self, made: Made, locator: Locator | None) -> HIPLink:
        """Return the link of a new association; ``locator`` was dialled, None if the other side has dialled."""
        link = HIPLink(self._clock, self._journal, made.association, made.dialled, locator, self)
        self.all[made.association] = link
        for incoming in link.incoming.values():
            self._parties[_octets(incoming.spi)] = incoming
        return link

    def ended(self, association: Association, reason: str) -> None:
        """Forget the link of an association that has ended, once it has heard that."""
        link = self.all.pop(association)
        for spi in link.incoming:
            self._parties.pop(_octets(spi), None)
        link.lost(reason)
        self.guests.ended(association)

    def moved(self, moved: Moved) -> HIPLink | None:
        """Let a link take another path; returns it if it is in use and the other side has shown to be there."""
        link = self.all.get(moved.association)
        if link is None:
            return None
        link.moved(moved.path, moved.verified)
        return link if moved.verified and not link.is_closing else None

    def rekeyed(self, rekeyed: Rekeyed) -> None:
        """Change the keys of a link."""
        link = self.all.get(rekeyed.association)
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

    # House

    def closed(self, link: HIPLink, reason: str) -> None:
        """Close the association of a link that is over, unless somebody pings over it."""
        association = link.association
        if association in self.all and (self._hosts.leaves(association) or not self.guests.keeps(link)):
            self.close(association, reason)

    def watched(self, association: Association) -> None:
        """Tell the other side every way to us, in case that this one falls silent."""
        self._hosts.of(association).announce(association, self._sockets.hosts, self._clock.seconds())
        self._act()

    def silent(self, association: Association) -> None:
        """Have other paths tried."""
        self._hosts.of(association).silent(association, self._clock.seconds())
        self._act()

    def elsewhere(self, association: Association, port: DatagramPort, source: Address) -> None:
        """Have it found out whether the other side is there now."""
        now = self._clock.seconds()
        self._hosts.of(association).heard_elsewhere(association, path_of(port, source), now)
        self._act()

    def found(self, association: Association, locators: Sequence[Locator]) -> None:
        """Ask where the other side may be; see :class:`~p2pship.interfaces.ILinkReceiver`.

        If it is there and knows nothing of the link, another one takes its place, and is there for whoever dials soon.
        """
        agreement = association.agreement
        diallers = self._diallers.get(agreement.own.hit)
        tried = [one for one in locators if one.bearer == NAME][:MOST_LOCATORS]
        if diallers and tried and diallers.host.association(agreement.peer.hit) is association:
            paths = [path for locator in tried for path in self._sockets.paths_to(locator)]
            sought = diallers.doubt(association, tried, paths, ASTRAY_DOUBT_TIME)
            sought.addCallbacks(_await_use, lambda failure: failure.trap(NotReached))

    def first(self, association: Association, spi: int) -> None:
        """Tell the machine that the other side has the keys of an SPI."""
        self._hosts.of(association).data_received(association, spi, self._clock.seconds())
        self._act()

    def tired(self, association: Association) -> None:
        """Have the keys changed."""
        self._hosts.of(association).rekey(association, self._clock.seconds())
        self._act()

    # the end

    def close(self, association: Association, reason: str) -> None:
        """Close an association, and with it its link."""
        self._hosts.of(association).close(association, self._clock.seconds(), reason)
        self._act()

    def leave(self) -> None:
        """Close the links of Host Identities that were removed, when what was sent over them has left."""
        for association, link in tuple(self.all.items()):
            if self._hosts.leaves(association):
                if association in self.guests:
                    self.close(association, GONE)
                else:
                    link.close(GONE)

    def stop(self, reason: str) -> None:
        """Close them all."""
        self.guests.stop()
        for link in tuple(self.all.values()):
            link.close(reason)


def _await_use(link: ILink) -> None:
    if isinstance(link, HIPLink):
        link.await_use()


def _octets(spi: int) -> bytes:
    return spi.to_bytes(4, "big")
