"""All our Host Identities: the device's own, which carries the links, and further ones, which answer beside it.

Each is a :class:`~p2pship.bearer.hip.host.Host` with associations of its own. A control packet is for the one whose HIT it names as its
receiver; one that names nobody (opportunistic mode, RFC 7401 §4.1.8) is for the device's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.dialling import Dialling, Failed
from p2pship.bearer.hip.host import NULL_HIT, Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.numbers import NotifyType
from p2pship.bearer.hip.packet import BadPacket, Packet
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.interfaces import IHostKeys


class Unreached(NamedTuple):
    """A base exchange that one of ours began has failed."""

    own: bytes
    "the HIT that dialled"
    peer: bytes
    "the HIT that was dialled"
    reason: str


class Hosts:
    """Hands each packet, wish and moment to the Host that it is for."""

    def __init__(
        self,
        own: OwnHostIdentity,
        make: Callable[[OwnHostIdentity, Load, R1Limit, float], Host],
        now: float,
    ) -> None:
        """Begin with the device's; ``make`` makes a Host. All share how busy we are, and how much goes where."""
        self._make = make
        self.load = Load()
        self.limit = R1Limit()
        self.device = make(own, self.load, self.limit, now)
        self._all = {own.hit: self.device}
        self._since = {own.hit: now}
        self._gone: list[object] = []

    def __iter__(self) -> Iterator[Host]:
        return iter(tuple(self._all.values()))

    def get(self, hit: bytes) -> Host | None:
        """Return the one of ours with a HIT."""
        return self._all.get(hit)

    def since(self, hit: bytes) -> float:
        """Return since when it answers (Unix time)."""
        return self._since[hit]

    def become(self, keys: IHostKeys, now: float) -> None:
        """Answer for these beside the device's, and for no others; the associations of one that is gone are closed."""
        wanted = {key.hit: key for key in keys.all() if key.hit != self.device.own.hit}
        for hit, host in tuple(self._all.items()):
            if host is not self.device and hit not in wanted:
                self._remove(host, now)
        for hit, key in wanted.items():
            if hit not in self._all:
                self._all[hit] = self._make(OwnHostIdentity(key.private_key), self.load, self.limit, now)
                self._since[hit] = now

    def _remove(self, host: Host, now: float) -> None:
        for association in host.associations():
            host.close(association, now, "this Host Identity was removed")
        self._gone.extend(self._taken(host))
        del self._all[host.own.hit], self._since[host.own.hit]

    # what comes, and time

    def take(self) -> list[object]:
        """Return what is to be done, as :meth:`Host.take`; who could not be reached is an Unreached, not a Failed."""
        out, self._gone = self._gone, []
        for host in self._all.values():
            out.extend(self._taken(host))
        return out

    @staticmethod
    def _taken(host: Host) -> list[object]:
        return [
            Unreached(host.own.hit, *thing) if isinstance(thing, Failed) else thing for thing in host.take()
        ]

    def received(self, packet: Packet, path: Path, now: float) -> None:
        """Take a control packet.

        :raises BadPacket: if it is not valid, or for none of ours; nothing has changed then.
        """
        host = self.device if packet.receiver == NULL_HIT else self._all.get(packet.receiver)
        if host is None:
            raise BadPacket("the packet is for another host", NotifyType.INVALID_HIT)
        host.received(packet, path, now)

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` should be called; None if time alone changes nothing."""
        return min((due for host in self._all.values() if (due := host.due()) is not None), default=None)

    def timer_fired(self, now: float) -> None:
        """Do what is due."""
        for host in self:
            host.timer_fired(now)

    def solved(self, dialling: Dialling, solution: bytes, now: float) -> None:
        """Take the solution of a puzzle."""
        host = self._all.get(dialling.initiator.own.hit)
        if host is not None:
            host.solved(dialling, solution, now)

    # associations

    def of(self, association: Association) -> Host:
        """Return the one of ours whose association this is; the device's for one whose Host Identity was removed."""
        return self._all.get(association.agreement.own.hit, self.device)

    def association(self, peer: bytes) -> Association | None:
        """Return the association of the device's Host Identity with another host, if one stands."""
        return self.device.association(peer)

    def data_received(self, association: Association, spi: int, now: float) -> None:
        """Hear of the first data that came to an SPI."""
        self.of(association).data_received(association, spi, now)

    def rekey(self, association: Association, now: float) -> None:
        """Have an association's keys changed."""
        self.of(association).rekey(association, now)

    def silent(self, association: Association, now: float) -> None:
        """Hear that nothing comes though somebody listens."""
        self.of(association).silent(association, now)

    def heard_elsewhere(self, association: Association, path: Path, now: float) -> None:
        """Hear that something true came by another path than the one that we use."""
        self.of(association).heard_elsewhere(association, path, now)

    def learn(self, association: Association, addresses: Sequence[tuple[str, int]], now: float) -> None:
        """Hear where the other side may be now."""
        self.of(association).learn(association, addresses, now)

    def own_changed(self, hosts: Sequence[str], now: float) -> None:
        """Hear which addresses we have now."""
        for host in self:
            host.own_changed(hosts, now)

    def announce(self, association: Association, hosts: Sequence[str], now: float) -> None:
        """Tell the other side of an association which addresses we have."""
        self.of(association).announce(association, hosts, now)

    def close(self, association: Association, now: float, reason: str) -> None:
        """Close an association."""
        self.of(association).close(association, now, reason)
