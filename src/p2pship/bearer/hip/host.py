"""One Host Identity of ours with all its base exchanges and associations: who gets which control packet (RFC 7401 §4.4, §6).

A machine: packets, paths and the time are handed in, and what is to be done is in :meth:`Host.take`. There is at most one association
with another host, and beside it at most one base exchange that we began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from p2pship.bearer.hip.agenda import Agenda
from p2pship.bearer.hip.agreement import Agreement
from p2pship.bearer.hip.association import Association, Made, State, notify_packet
from p2pship.bearer.hip.authentication import has_mac
from p2pship.bearer.hip.composition import check, check_hits
from p2pship.bearer.hip.dialling import Agreed, Dialling, Solve
from p2pship.bearer.hip.exchanges import NULL_HIT, Exchanges
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.notices import NoticeLimit
from p2pship.bearer.hip.numbers import DHGroup, PacketType
from p2pship.bearer.hip.packet import BadPacket, Packet
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.reception import Reception
from p2pship.bearer.hip.responder import Rejected
from p2pship.bearer.hip.timing import NODES, Timing
from p2pship.errors import LocalError

GONE = "this Host Identity was removed"
"What those hear who used one that is no longer ours."

MOST_ASSOCIATIONS = 12_000
"Associations of all our Host Identities, also those that are being closed; each has paid with a puzzle. They hold 20 kB each."


def _nobody(_: Host) -> None:
    """Tell nobody: there is only this one."""


class Host:
    """One Host Identity."""

    def __init__(
        self,
        own: OwnHostIdentity,
        groups: Sequence[DHGroup],
        random: Callable[[int], bytes],
        new_spi: Callable[[], int],
        load: Load,
        limit: R1Limit,
        now: float,
        reach: Callable[[str, int], Sequence[Path]],
        opportunistic: bool = False,
        stir: Callable[[Host], None] = _nobody,
    ) -> None:
        """Begin; ``load`` and ``limit`` may be shared with our other Host Identities. ``now`` is Unix time.

        ``reach`` returns the paths to an address and port, one from each of our addresses that may lead there, best first.
        ``stir`` is told whenever there is something to take, or :meth:`due` may be earlier than it was.
        """
        self._stir = stir
        self._reach = reach
        self.own = own
        self._random = random
        self._new_spi = new_spi
        self._opportunistic = opportunistic
        self._notices = NoticeLimit()
        self._load = load
        self._reception = Reception(own, groups, random, new_spi, load, limit, now)
        self._associations: dict[bytes, Association] = {}
        self._out: list[object] = []
        self._agenda: Agenda[Dialling | Association] = Agenda()
        self._exchanges = Exchanges(own, groups, random, new_spi, self._say, self._agenda)

    # what is to be done

    def take(self) -> list[object]:
        """Return what is to be done, in this order, and forget it: Send, Solve, Made, Failed, Ended, Noticed."""
        out, self._out = self._out, []
        return out

    def _say(self, thing: object) -> None:
        self._out.append(thing)
        self._stir(self)

    def state(self, peer: bytes) -> State:
        """Return the state with another host (RFC 7401 §4.4.2)."""
        dialling = self._exchanges.get(peer)
        if dialling is not None:
            return State.I2_SENT if dialling.has_sent_i2 else State.I1_SENT
        association = self._associations.get(peer)
        return State.UNASSOCIATED if association is None else association.state

    def association(self, peer: bytes) -> Association | None:
        """Return the association with another host, if one stands."""
        found = self._associations.get(peer)
        return found if found is not None and found.stands else None

    def associations(self) -> Iterator[Association]:
        """Return all associations, also those that are being closed."""
        return iter(tuple(self._associations.values()))

    # dialling

    def dial(self, peer: bytes, paths: Sequence[Path], now: float, timing: Timing = NODES) -> None:
        """Begin a base exchange with another host, or try further paths for one that was begun.

        :raises LocalError: if it is with nobody in particular and that is not switched on, or with ourselves.
        """
        if peer == self.own.hit or (peer == NULL_HIT and not self._opportunistic):
            raise LocalError("a host does not dial itself, nor anybody who may be there")
        self._settle(self._exchanges.begin(peer, paths, now, timing), now)

    def solved(self, dialling: Dialling, solution: bytes, now: float) -> None:
        """Take the solution of a puzzle."""
        if self._exchanges.goes_on(dialling):
            dialling.solved(solution, now)
            self._settle(dialling, now)

    def give_up(self, peer: bytes, reason: str) -> None:
        """End a base exchange that we began."""
        self._exchanges.give_up(peer, reason)

    def give_up_all(self, reason: str) -> None:
        """End every base exchange that we began."""
        for peer in tuple(self._exchanges.all):
            self.give_up(peer, reason)

    # what comes

    def received(self, packet: Packet, path: Path, now: float) -> None:
        """Take a control packet for this host.

        :raises BadPacket: if it is not valid; nothing has changed then.
        """
        check_hits(packet, self.own.hit)
        if packet.type == PacketType.I1:
            self._i1(packet, path, now)
        elif packet.type == PacketType.R1:
            self._r1(packet, path, now)
        elif packet.type == PacketType.I2:
            self._i2(packet, path, now)
        elif packet.type == PacketType.R2:
            self._r2(packet, now)
        else:
            self._other(packet, path, now)

    def _i1(self, packet: Packet, path: Path, now: float) -> None:
        if packet.receiver == NULL_HIT and not self._opportunistic:
            return
        if self._exchanges.will_be_answered(packet.sender, now):
            return
        r1 = self._reception.i1(packet, path, now)
        if r1 is not None:
            self._say(Send(r1, path))

    def _r1(self, packet: Packet, path: Path, now: float) -> None:
        if not self._exchanges.all:
            return
        check(packet)
        dialling = self._exchanges.answered_by(packet, path)
        if dialling is not None:
            if dialling.r1(packet, path, now):
                self._exchanges.met(dialling, packet.sender)
                self._say(Solve(dialling))
            self._settle(dialling, now)

    def _i2(self, packet: Packet, path: Path, now: float) -> None:
        sender = packet.sender
        if self._reception.was_answered(packet):
            r2 = self._reception.again(packet) if self.association(sender) is not None else None
            if r2 is not None:
                self._say(Send(r2, path))
            return
        dialling = self._exchanges.get(sender)
        if dialling is not None and dialling.has_sent_i2 and sender > self.own.hit:
            return
        has_room = sender in self._associations or self._load.associations < MOST_ASSOCIATIONS
        try:
            accepted = self._reception.i2(packet, path, now, has_room)
        except Rejected as error:
            self._tell(error, sender, path, now)
            raise
        if dialling is not None:
            self._exchanges.end(dialling)
        self._say(Send(accepted.r2, path))
        self._make(packet, accepted.agreement, path, State.R2_SENT, now)
        self._reception.accepted(sender, accepted, now)

    def _tell(self, error: Rejected, peer: bytes, path: Path, now: float) -> None:
        """Tell the sender of an I2 what was wrong with it (RFC 7401 §6.9.1)."""
        if error.told is not None and self._notices.admits(peer, now):
            self._say(Send(notify_packet(self.own, peer, error.told, error.data), path))

    def _r2(self, packet: Packet, now: float) -> None:
        dialling = self._exchanges.get(packet.sender)
        if dialling is None or not dialling.initiator.has_answered:
            return
        check(packet)
        dialling.r2(packet, now)
        self._settle(dialling, now)

    def _agreed(self, dialling: Dialling, agreed: Agreed, now: float) -> None:
        """Have what a base exchange that we began has led to."""
        self._exchanges.end(dialling)
        self._make(agreed.r2, agreed.agreement, agreed.path, State.ESTABLISHED, now, agreed.round_trip)

    def _make(
        self,
        packet: Packet,
        agreement: Agreement,
        path: Path,
        state: State,
        now: float,
        round_trip: float | None = None,
    ) -> None:
        """Have an association, in place of the one that may stand; ``packet`` is the other side's last one of the exchange."""
        association = self._new_association(agreement, path, state, now)
        association.round_trip = round_trip
        self._reception.made(agreement.peer.hit)
        self._say(Made(association, state is State.ESTABLISHED))
        association.paths.exchanged(packet, path, now)
        self._settle(association, now)

    def _new_association(self, agreement: Agreement, path: Path, state: State, now: float) -> Association:
        before = self._associations.get(agreement.peer.hit)
        if before is not None:
            before.drop("another exchange has taken its place")
            self._forget(before, now)
        association = Association(
            agreement, path, state, now, self._random, self._reach, self._new_spi, self._say, self._notices
        )
        self._associations[agreement.peer.hit] = association
        self._load.associations += 1
        self._settle(association, now)
        return association

    def _other(self, packet: Packet, path: Path, now: float) -> None:
        dialling = self._exchanges.get(packet.sender)
        if dialling is not None and self._during_exchange(dialling, packet, path, now):
            return
        association = self._associations.get(packet.sender)
        if association is not None:
            try:
                association.received(packet, path, now)
            finally:
                self._settle(association, now)

    def _during_exchange(self, dialling: Dialling, packet: Packet, path: Path, now: float) -> bool:
        """Take what comes in I2-SENT, and tell whether it was for that: the other side may have closed what we do not have yet.

        See RFC 7401 §4.4.3, Table 4.
        """
        agreement = dialling.initiator.agreement
        if agreement is None:
            return False
        if packet.type == PacketType.NOTIFY:
            check(packet)
            dialling.notified(packet)
            return True
        if packet.type != PacketType.CLOSE or not has_mac(packet, agreement.rhash, agreement.peer_keys.mac):
            return False
        association = self._new_association(agreement, path, State.I2_SENT, now)
        try:
            association.received(packet, path, now)
        except BadPacket:
            association.drop("it never was")
            raise
        finally:
            self._settle(association, now)
        self.give_up(dialling.peer, "the other side has closed it")
        return True

    # an association

    def data_received(self, association: Association, spi: int, now: float) -> None:
        """Hear of the first data that came to an SPI."""
        association.data_received(spi)
        self._settle(association, now)

    def rekey(self, association: Association, now: float) -> None:
        """Have an association's keys changed."""
        if association.stands:
            association.rekey.begin(association.path, now)
            self._settle(association, now)

    def silent(self, association: Association, now: float) -> None:
        """Hear that nothing comes though somebody listens."""
        if association.stands:
            association.paths.silent(now)
            self._settle(association, now)

    def heard_elsewhere(self, association: Association, path: Path, now: float) -> None:
        """Hear that something true came by another path than the one that we use."""
        if association.stands:
            association.paths.heard_elsewhere(path, now)
            self._settle(association, now)

    def learn(self, association: Association, addresses: Sequence[tuple[str, int]], now: float) -> None:
        """Hear where the other side may be now."""
        if association.stands:
            association.paths.add(addresses, now)
            self._settle(association, now)

    def announce(self, association: Association, hosts: Sequence[str], now: float) -> None:
        """Tell the other side of an association all our addresses, unless it knows them."""
        if association.stands:
            association.paths.own_changed(hosts, now)
            self._settle(association, now)

    def own_changed(self, hosts: Sequence[str], now: float) -> None:
        """Hear which addresses we have now."""
        for dialling in tuple(self._exchanges.all.values()):
            dialling.own_changed(self._reach, now)
            self._settle(dialling, now)
        for association in self.associations():
            self.announce(association, hosts, now)

    def close(self, association: Association, now: float, reason: str) -> None:
        """Close an association."""
        association.close(now, reason)
        self._settle(association, now)

    # time

    def _settle(self, thing: Dialling | Association, now: float) -> None:
        """Put on the agenda when a thing has something to do; take it out of the tables when it is over."""
        self._stir(self)
        if isinstance(thing, Dialling):
            if thing.agreed is not None and thing.agreed.counts_at <= now:
                self._agreed(thing, thing.agreed, now)
                return
            if thing.failed is not None:
                self.give_up(thing.peer, thing.failed)
                return
        elif thing.state is State.UNASSOCIATED:
            self._forget(thing, now)
            return
        due = thing.due()
        if due is not None:
            self._agenda.note(thing, due)

    def _forget(self, association: Association, now: float) -> None:
        """Forget an association, but not that there was one, as long as an I2 from before it may come."""
        peer = association.agreement.peer.hit
        self._agenda.drop(association)
        if self._associations.get(peer) is association:
            del self._associations[peer]
            self._load.associations -= 1
            self._reception.ended(peer, now)

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` should be called; None if time alone changes nothing."""
        times = self._agenda.due(), self._reception.due()
        return min((time for time in times if time is not None), default=None)

    def timer_fired(self, now: float) -> None:
        """Do what is due."""
        self._reception.timer_fired(now)
        for thing in self._agenda.take(now):
            if self._is_known(thing):
                thing.timer_fired(now)
                self._settle(thing, now)

    def _is_known(self, thing: Dialling | Association) -> bool:
        if isinstance(thing, Dialling):
            return self._exchanges.goes_on(thing)
        return self._associations.get(thing.agreement.peer.hit) is thing
