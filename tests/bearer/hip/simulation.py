"""Two HIP hosts in a network that loses, delays, repeats and reorders, in a time of its own; drawn from a seed.

What the rest of a node does is here as little as can be: who has a link sends something every second, answers nothing, and closes a
link on which nothing has come for a while, and one that it did not make and on which nothing ever came.
"""

from __future__ import annotations

import heapq
import random
from typing import Any

from p2pship.bearer.hip import agreement, esp
from p2pship.bearer.hip.association import Association, Ended, Made, Rekeyed
from p2pship.bearer.hip.dialling import Failed, Solve
from p2pship.bearer.hip.diffiehellman import OFFERED_GROUPS
from p2pship.bearer.hip.esp import Inbound, Outbound
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.packet import BadPacket, parse
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.rekey import NewInbound, OldInbound
from p2pship.errors import RemoteError

BEGIN = 1_800_000_000.0

PULSE = 1.0
"Seconds between two data packets."

HELLO = 5.0
"Seconds for the first packet of a link that the other side has made."

SILENCE = 15.0
"Seconds without a packet after which a link is closed."

WINDOW = 8
"Octets that no two keys may have in common anywhere."


class Keys:
    """Every key that was ever used, and what they have in common, which should be nothing."""

    def __init__(self) -> None:
        self._seen: tuple[set[bytes], set[bytes]] = set(), set()
        self.repeated: list[bytes] = []
        self.count = 0

    def watch(self, case: Any) -> None:
        """Hear of all keys while a test runs."""
        outbound, inbound = esp.outbound, esp.inbound

        def sealed(suite: int, spi: int, keys: bytes, *others: Any) -> Outbound:
            self._note(0, keys)
            return outbound(suite, spi, keys, *others)

        def opened(suite: int, spi: int, keys: bytes) -> Inbound:
            self._note(1, keys)
            return inbound(suite, spi, keys)

        case.patch(agreement, "outbound", sealed)
        case.patch(agreement, "inbound", opened)

    def _note(self, direction: int, keys: bytes) -> None:
        seen = self._seen[direction]
        parts = {keys[start : start + WINDOW] for start in range(len(keys) - WINDOW + 1)}
        if seen & parts:
            self.repeated.append(keys)
        seen |= parts
        self.count += 1


class End:
    """One host, with the links that the rest of its node would have."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.links: dict[Association, dict[int, Inbound]] = {}
        self.heard: dict[Association, float] = {}
        self.until: dict[Association, float] = {}

    def open(self, spi: int, packet: bytes) -> tuple[Association, int] | None:
        """Open a data packet, and return whose it is."""
        for association, inbounds in self.links.items():
            if spi in inbounds:
                try:
                    inbounds[spi].open(packet)
                except RemoteError:
                    return None
                return association, spi
        return None


class Simulation:
    """Two hosts."""

    def __init__(self, seed: int, identities: tuple[OwnHostIdentity, OwnHostIdentity], loss: float) -> None:
        self.random = random.Random(seed)
        self.now = BEGIN
        self.loss = loss
        self.repeat = loss
        self.delays = (0.005, self.random.choice((0.01, 0.05, 0.5)))
        self._identities = identities
        self._queue: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self.ends = [self._end(number) for number in (0, 1)]
        self.pulse_at = self.now
        self.log: list[tuple[float, int, str]] = []

    def _end(self, number: int) -> End:
        host = Host(
            self._identities[number], OFFERED_GROUPS, self.random.randbytes, self._spi, Load(), R1Limit(lambda _: False),
            self.now, lambda host, port: (),
        )  # fmt: skip
        return End(host)

    def _spi(self) -> int:
        return self.random.randrange(1 << 24, 1 << 32)

    def path(self, number: int) -> Path:
        """Return the path from a host to the other one."""
        own, their = f"192.0.2.{number}", f"192.0.2.{1 - number}"
        return Path(number, (their, 10500), own, their, 10500)

    def peer(self, number: int) -> bytes:
        """Return the HIT of the other host."""
        return self._identities[1 - number].hit

    def standing(self, number: int) -> Association | None:
        """Return the association that a host has."""
        return self.ends[number].host.association(self.peer(number))

    # what may happen

    def dial(self, number: int) -> None:
        """Have one dial the other, as if its link were in doubt if it has one."""
        self.ends[number].host.dial(self.peer(number), [self.path(number)], self.now)
        self.work(number)

    def close(self, number: int, reason: str = "as it was wanted") -> None:
        """Have one close its association."""
        association = self.standing(number)
        if association is not None:
            self.ends[number].host.close(association, self.now, reason)
            self.work(number)

    def rekey(self, number: int) -> None:
        """Have one change the keys."""
        association = self.standing(number)
        if association is not None:
            self.ends[number].host.rekey(association, self.now)
            self.work(number)

    def restart(self, number: int) -> None:
        """Have one forget everything."""
        self.ends[number] = self._end(number)

    # time

    def run(self, until: float) -> None:
        """Let time pass."""
        while (following := self._next(until)) < until:
            self.now = max(self.now, following)
            if self._queue and self._queue[0][0] <= self.now:
                _, _, number, octets = heapq.heappop(self._queue)
                self._deliver(number, octets)
            if self.pulse_at <= self.now:
                self.pulse_at = self.now + PULSE
                self._pulse()
            for number, end in enumerate(self.ends):
                due = end.host.due()
                if due is not None and due <= self.now:
                    end.host.timer_fired(self.now)
                    self.work(number)
        self.now = until

    def _next(self, until: float) -> float:
        times = [until, self.pulse_at] + [due for end in self.ends if (due := end.host.due()) is not None]
        return min(times + [entry[0] for entry in self._queue[:1]])

    def _pulse(self) -> None:
        for number, end in enumerate(self.ends):
            for association in tuple(end.links):
                if association.stands:
                    self._carry(number, b"D" + association.outbound.seal(59, b"something"))
                    if end.until[association] < self.now:
                        end.host.close(association, self.now, "nothing comes")
                        self.work(number)

    # packets

    def _carry(self, number: int, octets: bytes) -> None:
        for _ in range(2 if self.random.random() < self.repeat else 1):
            if self.random.random() >= self.loss:
                self._count += 1
                at = self.now + self.random.uniform(*self.delays)
                heapq.heappush(self._queue, (at, self._count, 1 - number, octets))

    def _deliver(self, number: int, octets: bytes) -> None:
        end = self.ends[number]
        if octets[:1] == b"D":
            found = end.open(int.from_bytes(octets[1:5], "big"), octets[1:])
            if found is not None:
                end.until[found[0]] = self.now + SILENCE
                end.host.data_received(*found, self.now)
        else:
            try:
                end.host.received(parse(octets[1:]), self.path(number), self.now)
            except BadPacket as error:
                self.log.append((self.now - BEGIN, number, str(error)))
        self.work(number)

    def work(self, number: int) -> None:
        """Do what a host wants done."""
        end = self.ends[number]
        while things := end.host.take():
            for thing in things:
                self._do(number, end, thing)

    def _do(self, number: int, end: End, thing: object) -> None:
        match thing:
            case Send(octets):
                self._carry(number, b"C" + octets)
                return
            case Solve(dialling):
                solution, solver = None, dialling.solver
                while solver is not None and solution is None:
                    solution = solver.work(1000)
                if solution is not None:
                    end.host.solved(dialling, solution, self.now)
                return
            case Made(association, dialled):
                end.links[association] = {association.inbound.spi: association.inbound}
                end.until[association] = self.now + (SILENCE if dialled else HELLO)
            case Ended(association, _):
                end.links.pop(association, None)
            case Rekeyed(association, NewInbound(inbound)) if association in end.links:
                end.links[association][inbound.spi] = inbound
            case Rekeyed(association, OldInbound(spi)) if association in end.links:
                end.links[association].pop(spi, None)
            case Failed():
                pass
        self.log.append((self.now - BEGIN, number, str(thing)[:60]))

    # what should be

    def disagreement(self) -> str | None:
        """Return what the two do not agree on; None if they have one and the same association, or both have none."""
        one, other = self.standing(0), self.standing(1)
        if one is None and other is None:
            return None
        if one is None or other is None:
            return f"only one has an association: {one and one.state} {other and other.state}"
        if (one.inbound.spi, one.outbound.spi) != (other.outbound.spi, other.inbound.spi):
            return "they have different ones"
        return None
