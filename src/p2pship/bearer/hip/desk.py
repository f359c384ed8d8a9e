"""What a person asks of the bearer ``hip``: how it stands, to close an association, and to ping somebody.

The results are typed dictionaries (:mod:`p2pship.bearer.hip.reports`), as they go over the control socket. HITs are text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import AddressValueError, IPv6Address

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime

from p2pship.address import BadAddress, HostPort, canonical_host
from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.exchanges import NULL_HIT
from p2pship.bearer.hip.hosts import Hosts
from p2pship.bearer.hip.links import Links
from p2pship.bearer.hip.numbers import UDP_PORT
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.pinging import Goal, Pings
from p2pship.bearer.hip.reports import (
    AssociationReport,
    HostReport,
    PingReport,
    association_report,
    host_report,
    ping_report,
    refusal,
)
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.bearer.hip.sockets import Sockets
from p2pship.bearer.hip.suites import is_hit
from p2pship.errors import LocalError, NotReached, P2PShipError
from p2pship.identity.hit import format_hit

_SHOWN = "`p2pship hip associations` shows those there are"


class HIPDesk:
    """Answers what is asked of one bearer."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: HIPSettings,
        hosts: Hosts,
        links: Links,
        sockets: Sockets,
        random: Callable[[int], bytes],
        is_dialled: Callable[[bytes, bytes], bool],
        act: Callable[[], None],
    ) -> None:
        """``is_dialled`` tells whether somebody else waits for a link from one HIT, ours, to another; ``act`` does what the machines want done."""
        self._clock = clock
        self._settings = settings
        self._hosts = hosts
        self._house = links
        self._links = links.all
        self._sockets = sockets
        self.pings = Pings(clock, hosts, links.guests, links.all, sockets.reach, act, random, is_dialled)
        self._refusals: Counter[str] = Counter()

    def refused(self, error: BadPacket) -> None:
        """Hear of a control packet that was refused."""
        self._refusals[refusal(error)] += 1

    def show(self) -> HostReport:
        """Say what our Host Identities are, where they answer, and what strangers have asked for."""
        return host_report(self._clock.seconds(), self._settings, self._hosts, self._sockets, self._refusals)

    def associations(self, hit: str | None = None) -> list[AssociationReport]:
        """Describe all associations, the oldest first; or those with a host.

        :raises LocalError: if there is none with that host, or what is given is no HIT.
        """
        found = list(self._links) if hit is None else self._with(read_hit(hit))
        return [self._report(one) for one in sorted(found, key=lambda one: one.made_at)]

    def _with(self, peer: bytes, own: bytes | None = None, advice: str = _SHOWN) -> list[Association]:
        """Return the associations with a host, or those of one HIT of ours; raises LocalError if there is none."""
        found = [one for one in self._with_any(peer) if own in (None, one.agreement.own.hit)]
        if not found:
            raise LocalError(f"there is no association with {format_hit(peer)}: {advice}")
        return found

    def _with_any(self, peer: bytes) -> list[Association]:
        return [one for one in self._links if one.agreement.peer.hit == peer and one.stands]

    def _report(self, association: Association) -> AssociationReport:
        carries = self._hosts.carries(association) and association not in self._house.guests
        return association_report(association, self._links[association], carries)

    def close(self, hit: str, own: str | None = None) -> list[AssociationReport]:
        """Close the associations with a host, and the links that they carry; returns how they were.

        :raises LocalError: if there is none, or what is given is no HIT.
        """
        found = self._with(read_hit(hit), self._own(own) if own is not None else None)
        reports = [self._report(association) for association in found]
        for association in found:
            self._house.close(association, "the user closed the association")
        return reports

    def ping(
        self, whom: str, own: str | None = None, raw: bool = False, number: int = 4
    ) -> Deferred[PingReport]:
        """Ping ``HIT@ADDRESS``, with or without a UDP port behind the address; a HIT with which an association stands; or whoever is at
        an address.

        Fails with LocalError if that cannot be tried, with NotReached if nobody can be reached.
        """
        try:
            goal = self._standing(whom, own) or self._goal(whom, own, raw)
        except P2PShipError as error:
            return fail(error)
        return self.pings.ping(goal, number).addCallback(ping_report)

    def _standing(self, whom: str, own: str | None) -> Goal | None:
        """Return whom a HIT without an address means; None if it is not that."""
        try:
            peer = IPv6Address(whom).packed
        except AddressValueError:
            return None
        if not is_hit(peer):
            return None
        ours = self._own(own) if own is not None else None
        one = self._with(peer, ours, "say where it is as well, as HIT@ADDRESS")[0]
        return Goal(one.agreement.own.hit, peer, one.path.host, one.path.port)

    def _goal(self, whom: str, own: str | None, raw: bool) -> Goal:
        hit, at, address = whom.rpartition("@")
        peer = read_hit(hit) if at else NULL_HIT
        if peer == NULL_HIT and not self._settings.opportunistic:
            raise LocalError(
                "whom, and where? Give HIT@ADDRESS; without a HIT whoever is there is asked only with opportunistic = true in [bearer.hip]"
            )
        if raw and not self._settings.raw:
            raise LocalError(
                "HIP in IP itself is off: set raw = true in [bearer.hip], and give the node CAP_NET_RAW"
            )
        host, port = read_address(address)
        if raw and not self._sockets.raw_hosts:
            raise NotReached(
                "HIP in IP itself is on and does not work: the node has no CAP_NET_RAW, as its log says"
            )
        return Goal(
            self._own(own) if own is not None else self._known_as(peer), peer, host, 0 if raw else port
        )

    def _known_as(self, peer: bytes) -> bytes:
        """Return the one HIT of ours that has an association with a host, so that it hears of no other; or the node's own."""
        ours = {one.agreement.own.hit for one in self._with_any(peer)}
        return ours.pop() if len(ours) == 1 else self._own(None)

    def _own(self, own: str | None) -> bytes:
        hit = self._hosts.device.own.hit if own is None else read_hit(own)
        if self._hosts.get(hit) is None:
            raise LocalError(f"{own} is no Host Identity of ours: `p2pship device key list` shows them")
        return hit


def read_hit(text: str) -> bytes:
    """Return the octets of a HIT.

    :raises LocalError: if it is none.
    """
    try:
        return IPv6Address(text.strip("[]")).packed
    except AddressValueError:
        raise LocalError(
            f"{text!r:.60} is no HIT: one is written as an IPv6 address that begins with 2001:2; "
            "`p2pship find` shows those of a person's devices, `p2pship hip associations` those in use"
        ) from None


def read_address(text: str) -> tuple[str, int]:
    """Return the IP address and UDP port in ``192.0.2.1``, ``192.0.2.1:10500`` or the same with ``[2001:db8::1]``.

    :raises LocalError: if it is none of them.
    """
    try:
        return canonical_host(text), UDP_PORT
    except BadAddress:
        pass  # then it is one with a port
    try:
        found = HostPort.parse(text)
    except BadAddress:
        found = HostPort("", 0)
    if found.port:
        return found.host, found.port
    raise LocalError(
        f"{text!r:.60} is no address: write 192.0.2.1, 192.0.2.1:10500, [2001:db8::1] or [2001:db8::1]:10500"
    )
