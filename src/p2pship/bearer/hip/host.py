"""One Host Identity of ours with all its base exchanges and associations: who gets which control packet (RFC 7401 §4.4, §6).

A machine: packets, paths and the time are handed in, and what is to be done is in :meth:`Host.take`. There is at most one association
with another host, and beside it at most one base exchange that we began.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from p2pship.bearer.hip.agreement import Agreement
from p2pship.bearer.hip.association import Association, Made, State
from p2pship.bearer.hip.dialling import Dialling
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.initiator import Initiator
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.numbers import DHGroup, PacketType, ParameterType
from p2pship.bearer.hip.packet import HIT_SIZE, Packet
from p2pship.bearer.hip.parameters import decode_counter
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.r1pool import LIFETIME_SECONDS, R1Pool, Stale
from p2pship.bearer.hip.responder import Accepted, Responder

NULL_HIT = bytes(HIT_SIZE)
"Whoever is there (RFC 7401 §4.1.8)."

MOST_R2S = 8
"How often the R2 for one I2 is sent again."


class Failed(NamedTuple):
    """A base exchange that we began has failed."""

    peer: bytes
    "the HIT that was dialled"
    reason: str


class Solve(NamedTuple):
    """A puzzle is to be worked on; the solution goes to :meth:`Host.solved`."""

    dialling: Dialling


class Answered:
    """An I2 that was accepted, with the R2 that is sent again if it comes again."""

    __slots__ = ("association", "i2", "left", "r2")

    def __init__(self, accepted: Accepted, association: Association) -> None:
        self.i2 = accepted.i2.raw
        self.r2 = accepted.r2
        self.association = association
        self.left = MOST_R2S


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
    ) -> None:
        """Begin; ``load`` and ``limit`` may be shared with our other Host Identities. ``now`` is Unix time.

        ``reach`` returns the paths to an address and port, one from each of our addresses that may lead there, best first.
        """
        self._reach = reach
        self.own = own
        self._groups = groups
        self._random = random
        self._new_spi = new_spi
        self._load = load
        self._limit = limit
        self._opportunistic = opportunistic
        self._pool = R1Pool(own, groups, random, lambda: load.difficulty, now)
        self._responder = Responder(own, self._pool, random, new_spi)
        self._diallings: dict[bytes, Dialling] = {}
        self._associations: dict[bytes, Association] = {}
        self._answered: dict[bytes, Answered] = {}
        self._out: list[object] = []
        self._agenda: list[tuple[float, int, Dialling | Association]] = []
        self._noted: dict[Dialling | Association, float] = {}
        self._turn = 0
        self._sweep_at: float | None = None

    # what is to be done

    def take(self) -> list[object]:
        """Return what is to be done, in this order, and forget it: Send, Solve, Made, Failed, Ended, Noticed."""
        out, self._out = self._out, []
        return out

    def _say(self, thing: object) -> None:
        self._out.append(thing)

    def state(self, peer: bytes) -> State:
        """Return the state with another host (RFC 7401 §4.4.2)."""
        dialling = self._diallings.get(peer)
        if dialling is not None:
            return State.I2_SENT if dialling.has_sent_i2 else State.I1_SENT
        association = self._associations.get(peer)
        return State.UNASSOCIATED if association is None else association.state

    def association(self, peer: bytes) -> Association | None:
        """Return the association with another host, if one stands."""
        found = self._associations.get(peer)
        return found if found is not None and found.state in (State.R2_SENT, State.ESTABLISHED) else None

    def associations(self) -> Iterator[Association]:
        """Return all associations, also those that are being closed."""
        return iter(tuple(self._associations.values()))

    # dialling

    def dial(self, peer: bytes, paths: Sequence[Path], now: float) -> None:
        """Begin a base exchange with another host, or try further paths for one that was begun."""
        dialling = self._diallings.get(peer)
        if dialling is not None:
            dialling.add(paths)
        else:
            initiator = Initiator(self.own, peer, self._groups, self._random, self._new_spi)
            dialling = self._diallings[peer] = Dialling(initiator, paths, now, self._say)
        self._settle(dialling)

    def solved(self, dialling: Dialling, solution: bytes, now: float) -> None:
        """Take the solution of a puzzle."""
        if dialling in self._diallings.values():
            dialling.solved(solution, now)
            self._settle(dialling)

    def give_up(self, peer: bytes, reason: str) -> None:
        """End a base exchange that we began."""
        dialling = self._diallings.pop(peer, None)
        if dialling is not None:
            self._out.append(Failed(peer, reason))

    # what comes

    def received(self, packet: Packet, path: Path, now: float) -> None:
        """Take a control packet for this host.

        :raises BadPacket: if it is not valid; nothing has changed then.
        """
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
        dialling = self._diallings.get(packet.sender)
        if dialling is not None and not dialling.has_sent_i2 and packet.sender > self.own.hit:
            return  # the greater HIT is to be the Responder: they answer ours
        self._load.i1_received(now)
        if not self._limit.admits(path.host, path.port, packet.sender, now):
            return
        r1 = self._pool.answer(packet, path.host, path.is_encapsulated, now)
        self._out.append(Send(r1, path))
        if dialling is not None:
            dialling.gave_r1 = True
        if self._sweep_at is None:
            self._sweep_at = now + LIFETIME_SECONDS

    def _r1(self, packet: Packet, path: Path, now: float) -> None:
        dialling = self._diallings.get(packet.sender) or self._opportune(packet, path)
        if dialling is None:
            return
        if dialling.r1(packet, path, now):
            self._out.append(Solve(dialling))
        self._settle(dialling)

    def _opportune(self, packet: Packet, path: Path) -> Dialling | None:
        """Return the exchange with whoever is there, if this R1 comes from there; it is with that host from now on."""
        dialling = self._diallings.get(NULL_HIT)
        if dialling is None or not dialling.knows(path):
            return None
        del self._diallings[NULL_HIT]
        self._diallings[packet.sender] = dialling
        return dialling

    def _i2(self, packet: Packet, path: Path, now: float) -> None:
        answered = self._answered.get(packet.sender)
        if answered is not None and answered.i2 == packet.raw:
            self._answer_again(answered, path)
            return
        dialling = self._diallings.get(packet.sender)
        if dialling is not None and dialling.has_sent_i2 and packet.sender > self.own.hit:
            return
        self._refuse_overtaken(packet)
        accepted = self._responder.i2(packet, path.host, now, self._load.is_high)
        self._diallings.pop(packet.sender, None)
        self._out.append(Send(accepted.r2, path))
        association = self._make(accepted.agreement, path, State.R2_SENT, now)
        self._answered[packet.sender] = Answered(accepted, association)

    def _refuse_overtaken(self, packet: Packet) -> None:
        """Refuse the I2 of an exchange that the other side gave up when it took ours, and that comes late.

        RFC 7401 §4.4.3 would have it replace the association, of which the other side would know nothing.

        :raises Stale: if it is such a one.
        """
        association = self._associations.get(packet.sender)
        if association is None or not association.overtaken:
            return
        if decode_counter(packet.need(ParameterType.R1_COUNTER)) <= association.overtaken:
            raise Stale("it was overtaken by another exchange")

    def _answer_again(self, answered: Answered, path: Path) -> None:
        if answered.association.state in (State.R2_SENT, State.ESTABLISHED) and answered.left:
            answered.left -= 1
            self._out.append(Send(answered.r2, path))

    def _r2(self, packet: Packet, now: float) -> None:
        dialling = self._diallings.get(packet.sender)
        if dialling is None or not dialling.has_sent_i2:
            return
        agreement = dialling.r2(packet)
        del self._diallings[packet.sender]
        assert dialling.path is not None
        association = self._make(agreement, dialling.path, State.ESTABLISHED, now)
        if dialling.gave_r1:
            association.overtaken = self._pool.retire()

    def _make(self, agreement: Agreement, path: Path, state: State, now: float) -> Association:
        peer = agreement.peer.hit
        before = self._associations.pop(peer, None)
        if before is not None:
            before.drop("the other side began anew")
        self._answered.pop(peer, None)
        association = Association(
            agreement, path, state, now, self._random, self._reach, self._new_spi, self._say
        )
        self._associations[peer] = association
        self._out.append(Made(association, state is State.ESTABLISHED))
        self._settle(association)
        return association

    def _other(self, packet: Packet, path: Path, now: float) -> None:
        association = self._associations.get(packet.sender)
        if association is None:
            return
        association.received(packet, path, now)
        self._settle(association)

    # an association

    def data_received(self, association: Association, spi: int) -> None:
        """Hear of the first data that came to an SPI."""
        association.data_received(spi)
        self._settle(association)

    def rekey(self, association: Association, now: float) -> None:
        """Have an association's keys changed."""
        if association.state in (State.R2_SENT, State.ESTABLISHED):
            association.rekey.begin(association.path, now)
            self._settle(association)

    def silent(self, association: Association, now: float) -> None:
        """Hear that nothing comes though somebody listens."""
        association.paths.silent(now)
        self._settle(association)

    def heard_elsewhere(self, association: Association, path: Path, now: float) -> None:
        """Hear that something true came by another path than the one that we use."""
        association.paths.heard_elsewhere(path, now)
        self._settle(association)

    def learn(self, association: Association, addresses: Sequence[tuple[str, int]], now: float) -> None:
        """Hear where the other side may be now."""
        association.paths.add(addresses, now)
        self._settle(association)

    def own_changed(self, hosts: Sequence[str], now: float) -> None:
        """Hear which addresses we have now."""
        for association in self._associations.values():
            if association.state in (State.R2_SENT, State.ESTABLISHED):
                association.paths.own_changed(hosts, now)
                self._settle(association)

    def close(self, association: Association, now: float, reason: str) -> None:
        """Close an association."""
        association.close(now, reason)
        self._settle(association)

    # time

    def _settle(self, thing: Dialling | Association) -> None:
        """Put on the agenda when a thing has something to do; take it out of the tables when it is over."""
        if isinstance(thing, Dialling):
            if thing.failed is not None:
                self._fail(thing, thing.failed)
                return
        elif thing.state is State.UNASSOCIATED:
            self._forget(thing)
            return
        due = thing.due()
        if due is not None and due < self._noted.get(thing, math.inf):
            self._turn += 1
            self._noted[thing] = due
            heapq.heappush(self._agenda, (due, self._turn, thing))

    def _fail(self, dialling: Dialling, reason: str) -> None:
        for peer, each in tuple(self._diallings.items()):
            if each is dialling:
                self.give_up(peer, reason)

    def _forget(self, association: Association) -> None:
        peer = association.agreement.peer.hit
        if self._associations.get(peer) is association:
            del self._associations[peer]
            self._answered.pop(peer, None)

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` should be called; None if time alone changes nothing."""
        first = self._agenda[0][0] if self._agenda else None
        times = [time for time in (first, self._sweep_at) if time is not None]
        return min(times, default=None)

    def timer_fired(self, now: float) -> None:
        """Do what is due."""
        if self._sweep_at is not None and self._sweep_at <= now:
            self._pool.forget_old(now)
            self._sweep_at = now + LIFETIME_SECONDS if self._pool.answers_any else None
        due: list[Dialling | Association] = []
        while self._agenda and self._agenda[0][0] <= now:
            thing = heapq.heappop(self._agenda)[2]
            self._noted.pop(thing, None)
            due.append(thing)
        for thing in dict.fromkeys(due):
            self._look(thing, now)

    def _look(self, thing: Dialling | Association, now: float) -> None:
        known = (
            thing in self._diallings.values()
            if isinstance(thing, Dialling)
            else self._associations.get(thing.agreement.peer.hit) is thing
        )
        if not known:
            return
        thing.timer_fired(now)
        self._settle(thing)
