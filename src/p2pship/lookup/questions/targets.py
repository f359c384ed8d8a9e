"""Which addresses a search may ask, and how often: what a lookup of the wide area says of them may be anybody's invention.

Somebody who invents addresses must not be able to turn those who search against a victim, nor to hide the true address
among many false ones.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from p2pship.address import is_never_dialled

MOST_QUESTIONS = 64
"Questions of one search, repetitions included: 64 kB."

MOST_OF_ADDRESS = 2
"Of these, to one address, whatever ports are named: a victim hears 2 kB of a search at most."

MOST_OF_NETWORK = 8
"Of these, to one network: whoever has no more than one can take an eighth of the questions for himself."

SITE_BITS = 48
"Bits of an IPv6 address that count as one network: what one site gets (RFC 6177 §2). Of IPv4 it is 24, the least that is routed by itself."

LOWEST_PORT = 1024
"Below it are the servers of well-known protocols (RFC 6335 §6), and never a node."

MOST_WAITING = 1024
"Addresses that wait to be asked; as each network has eight at most, these are of 128 networks."

MayAsk = Callable[[str], bool]
"Tells whether an address may be asked at all."


def is_usable(host: str) -> bool:
    """Tell whether an address may be one of a machine in a private network, or this one."""
    return not is_never_dialled(host)


def network_of(host: str) -> str:
    """Return the network that an address, in its canonical spelling, counts for."""
    if ":" not in host:  # hundreds may be told at once
        return f"{host.rpartition('.')[0]}.0/24"
    return str(ipaddress.IPv6Network((host, SITE_BITS), strict=False))


@dataclass(frozen=True, slots=True)
class Target:
    """Where somebody may answer."""

    host: str
    port: int
    network: str
    told: int = 0
    "in which answer it was told"


class Targets:
    """The addresses of one search: which is asked next, as far as the limits allow.

    The next one is of the network that has been asked least, so that a few networks full of inventions do not crowd out an
    address elsewhere; of several such, of the answer of which least was asked, so that neither does one who tells a hundred inventions,
    and before all others; of one network, that which was found first.
    """

    def __init__(self, may_ask: MayAsk) -> None:
        self._may_ask = may_ask
        self._known: set[tuple[str, int]] = set()
        self._waiting: dict[str, list[Target]] = {}
        self._found_of: Counter[str] = Counter()
        self._asked_of: Counter[str] = Counter()
        self._asked_told: Counter[int] = Counter()
        self._asked = 0

    def found(self, host: str, port: int, told: int = 0) -> bool:
        """Take an address, in its canonical spelling, at which somebody may answer; tell whether it may be asked.

        ``told`` is the same for all that were told in one answer.
        """
        full = len(self._known) >= MOST_WAITING or self._found_of[host] >= MOST_OF_ADDRESS
        if full or (host, port) in self._known or not LOWEST_PORT <= port <= 0xFFFF:
            return False
        network = network_of(host)
        if self._found_of[network] >= MOST_OF_NETWORK or not self._may_ask(host):
            return False
        self._known.add((host, port))
        self._found_of.update((host, network))
        self._waiting.setdefault(network, []).append(Target(host, port, network, told))
        return True

    @property
    def exhausted(self) -> bool:
        """Whether no more may be asked, so that no address is of use any longer."""
        return self._asked >= MOST_QUESTIONS

    @property
    def waiting(self) -> bool:
        """Whether an address has not been asked yet, and may be."""
        return bool(self._waiting) and not self.exhausted

    def next(self) -> Target | None:
        """Return the address to ask next, and count the question; None if there is none, or no more may be asked."""
        while self.waiting:
            network = min(self._waiting, key=self._turn)
            target = self._waiting[network].pop(0)
            if not self._waiting[network]:
                del self._waiting[network]
            if self.take(target):
                self._asked_told[target.told] += 1
                return target
        return None

    def _turn(self, network: str) -> tuple[int, int]:
        return self._asked_of[network], self._asked_told[self._waiting[network][0].told]

    def take(self, target: Target) -> bool:
        """Count a question to an address that was found, if it may be asked, or asked again."""
        if (
            self.exhausted
            or self._asked_of[target.host] >= MOST_OF_ADDRESS
            or self._asked_of[target.network] >= MOST_OF_NETWORK
        ):
            return False
        self._asked += 1
        self._asked_of.update((target.host, target.network))
        return True
