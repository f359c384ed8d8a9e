"""Two HIP hosts that talk to each other without a network, step by step, with everything that they said."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from p2pship.bearer.hip.association import Made
from p2pship.bearer.hip.dialling import Solve
from p2pship.bearer.hip.diffiehellman import OFFERED_GROUPS
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity, PrivateKey
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.numbers import DHGroup
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.r1limit import R1Limit

BEGIN = 1_800_000_000.0
KINDS = ("P-256", "P-384", "RSA-2048")


@cache
def identity(kind: str, name: str = "") -> OwnHostIdentity:
    """Return a Host Identity of a kind, the same each time."""
    return OwnHostIdentity(_key(kind))


def _key(kind: str) -> PrivateKey:
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))
    return ec.generate_private_key(ec.SECP256R1() if kind == "P-256" else ec.SECP384R1())


def path(number: int) -> Path:
    """Return the path to the host of a number, as the other one sees it."""
    own, their = ("192.0.2.1", "192.0.2.2") if number else ("192.0.2.2", "192.0.2.1")
    return Path("socket", (their, 10500), own, their, 10500)


def host(
    own: OwnHostIdentity,
    random: Callable[[int], bytes],
    groups: Sequence[DHGroup] = OFFERED_GROUPS,
    now: float = BEGIN,
) -> Host:
    """Make a host that reaches others only where they are."""
    spis = itertools.count(0x1000 + int.from_bytes(random(2), "big"))
    return Host(own, groups, random, lambda: next(spis), Load(), R1Limit(lambda _: False), now, reach)


def reach(host: str, port: int) -> Sequence[Path]:
    """Return the path to an address."""
    return [each for each in (path(0), path(1)) if (each.host, each.port) == (host, port)]


class TwoHosts:
    """A pair of hosts, the first of which dials. ``said`` has every packet, with the number of the host that sent it."""

    def __init__(self, one: Host, other: Host, now: float = BEGIN) -> None:
        self.hosts = (one, other)
        self.now = now
        self.said: list[tuple[int, bytes]] = []
        self.done: list[tuple[int, Any]] = []

    def dial(self) -> None:
        """Have the first begin a base exchange."""
        self.hosts[0].dial(self.hosts[1].own.hit, [path(1)], self.now)

    def work(self, number: int) -> list[bytes]:
        """Do what one host wants done, and return the packets that it sends."""
        sent = []
        things = self.hosts[number].take()
        while things:
            for thing in things:
                if isinstance(thing, Send):
                    sent.append(thing.octets)
                elif isinstance(thing, Solve):
                    self._solve(number, thing)
                else:
                    self.done.append((number, thing))
            things = self.hosts[number].take()
        self.said.extend((number, octets) for octets in sent)
        return sent

    def _solve(self, number: int, thing: Solve) -> None:
        solver = thing.dialling.solver
        assert solver is not None
        solution = None
        while solution is None:
            solution = solver.work(1000)
        self.hosts[number].solved(thing.dialling, solution, self.now)

    def deliver(self, number: int, octets: bytes) -> None:
        """Give a host a packet from the other one."""
        self.hosts[number].received(parse(octets), path(1 - number), self.now)

    def talk(self) -> None:
        """Go on until nobody has anything to say."""
        sent = True
        while sent:
            sent = False
            for number in (0, 1):
                for octets in self.work(number):
                    sent = True
                    self.deliver(1 - number, octets)

    def associations(self) -> tuple[Any, Any]:
        """Return the association of each host, the first one's first."""
        found: dict[int, Any] = {}
        for number, thing in self.done:
            if isinstance(thing, Made):
                found[number] = thing.association
        return found[0], found[1]
