"""All our Host Identities: those of our devices, which carry links, and further ones, which answer pings beside them.

Each is a :class:`~p2pship.bearer.hip.host.Host` with associations of its own, and nothing that it says shows that there are others. A
control packet is for the one whose HIT it names as its receiver; one that names nobody (opportunistic mode, RFC 7401 §4.1.8) is for that
of the node's own device. One that was removed *leaves*: it answers nobody any more, but its associations stay until they are closed in all good order.

There may be a thousand, of which most do nothing: each says when there is something to ask it for, and no packet costs a look at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from p2pship.bearer.hip.agenda import Agenda
from p2pship.bearer.hip.association import Association, State
from p2pship.bearer.hip.dialling import Dialling
from p2pship.bearer.hip.exchanges import NULL_HIT
from p2pship.bearer.hip.host import GONE, Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity, PrivateKey
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.numbers import NotifyType, PacketType
from p2pship.bearer.hip.packet import BadPacket, Packet
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.identity.hostkeys import HostKey
from p2pship.interfaces import IDevice

Stir: TypeAlias = Callable[[Host], None]
"Tells that one of ours has something to be taken, or to do earlier."

EXCHANGE = (PacketType.I1, PacketType.R1, PacketType.I2, PacketType.R2)
"What makes associations."


class Hosts:
    """Hands each packet, wish and moment to the Host that it is for."""

    def __init__(
        self,
        own: IDevice,
        make: Callable[[OwnHostIdentity, Load, R1Limit, float, Stir], Host],
        is_next_door: Callable[[str], bool],
        now: float,
    ) -> None:
        """Begin with that of the node's own device; ``make`` makes a Host. All share how busy we are, and how much goes where."""
        self._make = make
        self.load = Load()
        self.limit = R1Limit(is_next_door)
        self._all: dict[bytes, Host] = {}
        self._since: dict[bytes, float] = {}
        self._stirred: dict[Host, None] = {}
        self._times: Agenda[Host] = Agenda()
        self.device = self._add(own.private_key, now)
        "that of the node's own device"
        self.carrying = {self.device.own.hit: self.device}
        "those of our devices, by HIT"
        self.leaving: list[Host] = []
        "those that were removed, and have associations yet"

    def __iter__(self) -> Iterator[Host]:
        return iter(tuple(self._all.values()))

    def get(self, hit: bytes) -> Host | None:
        """Return the one of ours with a HIT."""
        return self._all.get(hit)

    def since(self, hit: bytes) -> float:
        """Return since when it answers (Unix time)."""
        return self._since[hit]

    def carries(self, association: Association) -> bool:
        """Tell whether an association is one of a device of ours, whose links the node uses."""
        return association.agreement.own.hit in self.carrying

    def become(self, devices: Sequence[IDevice], keys: Sequence[HostKey], now: float) -> None:
        """Answer for these beside the node's own, and for no others; whoever has the links of one that leaves closes them."""
        wanted = {device.hit: device.private_key for device in devices}
        further = {key.hit: key.private_key for key in keys if key.hit not in wanted}
        for hit, host in tuple(self._all.items()):
            if host is not self.device and hit not in wanted and hit not in further:
                self._remove(host)
        for hit, private_key in (*wanted.items(), *further.items()):
            if hit not in self._all:
                self._add(private_key, now)
        self.carrying = {hit: host for hit, host in self._all.items() if hit not in further}

    def _add(self, private_key: PrivateKey, now: float) -> Host:
        own = OwnHostIdentity(private_key)
        made = self._all[own.hit] = self._make(own, self.load, self.limit, now, self._stir)
        self._since[own.hit] = now
        return made

    def _remove(self, host: Host) -> None:
        host.give_up_all(GONE)
        del self._all[host.own.hit], self._since[host.own.hit]
        self.leaving.append(host)

    # what comes, and time

    def take(self) -> list[object]:
        """Return what is to be done, as :meth:`Host.take`."""
        stirred, self._stirred = self._stirred, {}
        out: list[object] = []
        for host in stirred:
            out.extend(host.take())
            self._times.drop(host)
            if (due := host.due()) is not None:
                self._times.note(host, due)
        for host in tuple(self.leaving):
            if not any(host.associations()):
                self.leaving.remove(host)
                self._times.drop(host)
        return out

    def _stir(self, host: Host) -> None:
        self._stirred[host] = None

    def received(self, packet: Packet, path: Path, now: float) -> None:
        """Take a control packet.

        :raises BadPacket: if it is not valid, or for none of ours; nothing has changed then.
        """
        host = self.device if packet.receiver == NULL_HIT else self._all.get(packet.receiver)
        if host is None and packet.type not in EXCHANGE:
            host = self._leaving_with(packet.receiver, packet.sender)
        if host is None:
            raise BadPacket("the packet is for another host", NotifyType.INVALID_HIT)
        host.received(packet, path, now)

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` should be called, once all is taken; None if time alone changes nothing."""
        return self._times.due()

    def timer_fired(self, now: float) -> None:
        """Do what is due."""
        for host in self._times.take(now):
            host.timer_fired(now)
            self._stir(host)

    def solved(self, dialling: Dialling, solution: bytes, now: float) -> None:
        """Take the solution of a puzzle."""
        host = self._all.get(dialling.initiator.own.hit)
        if host is not None:
            host.solved(dialling, solution, now)

    def own_changed(self, hosts: Sequence[str], now: float) -> None:
        """Hear which addresses we have now."""
        for host in self:
            host.own_changed(hosts, now)

    def of(self, association: Association) -> Host:
        """Return the one of ours whose association this is; the node's own for one whose Host Identity has left."""
        return self._leaving_of(association) or self._all.get(association.agreement.own.hit, self.device)

    def leaves(self, association: Association) -> bool:
        """Tell whether an association is one of a Host Identity that was removed."""
        return self._leaving_of(association) is not None

    def _leaving_of(self, association: Association) -> Host | None:
        agreement = association.agreement
        found = self._leaving_with(agreement.own.hit, agreement.peer.hit)
        return found if found is not None and found.association(agreement.peer.hit) is association else None

    def _leaving_with(self, hit: bytes, peer: bytes) -> Host | None:
        """Return the one with a HIT that leaves, and has an association with another host."""
        those = (host for host in self.leaving if host.own.hit == hit)
        return next((host for host in those if host.state(peer) is not State.UNASSOCIATED), None)
