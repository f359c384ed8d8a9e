"""How often somebody may guess a password: who has failed too often has to wait, but nobody who has the password.

Theory of operation. Failures are counted in four ledgers. One is of each address: who guesses for many names is slowed
down. One is of each name, for all addresses from which it was never proven: many addresses that guess for one name are slowed
down together, to one guess in some seconds. And one is of each name at each address from which it was proven, apart from both:
so no stranger's failures, however many, keep a phone away that has been here before. Of such an address, the very port from
which the name was proven has one of its own again: so another phone beside it that has a wrong password, or a neighbour behind
the same NAT, does not keep it away. Beyond that, an answer to a nonce that was answered rightly is always looked at
(:meth:`~p2pship.sip.nonces.Nonces.is_proven`), from whatever port.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable
from dataclasses import dataclass

from p2pship.address import HostPort

FREE = 5
"Failures that cost nothing: a person types a password wrong."

LONGEST_WAIT = 300.0
"Seconds that an address waits at the most, after 14 failures: 300 guesses a day."

FREE_OF_NAME = 50
"Failures for one name from everywhere that cost nothing: ten addresses with five each."

LONGEST_WAIT_OF_NAME = 10.0
"Seconds between two guesses for one name from everywhere: a phone at a new address gets its turn even then."

FORGIVEN_AFTER = 3600.0
"Seconds after the last failure when all are forgotten."

MOST_KEPT = 10_000
"Addresses and names that are remembered: a megabyte. Of more, those who failed least lately are forgotten."


@dataclass(slots=True)
class _Failures:
    number: int
    last: float


class _Ledger:
    """The failures of one kind of key, and how long each has to wait."""

    def __init__(self, free: int, longest: float) -> None:
        self._free = free
        self._longest = longest
        self._failures: dict[Hashable, _Failures] = {}

    def wait(self, key: Hashable, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None or now - failures.last >= FORGIVEN_AFTER:
            return 0.0
        failures.last = min(failures.last, now)  # the clock may have been set back
        over = failures.number - self._free
        wait = min(self._longest, 2.0 ** min(over, 32)) if over >= 0 else 0.0
        return max(0.0, failures.last + wait - now)

    def failed(self, key: Hashable, now: float) -> int:
        failures = self._failures.pop(key, None)
        number = 0 if failures is None or now - failures.last >= FORGIVEN_AFTER else failures.number
        if len(self._failures) >= MOST_KEPT:
            del self._failures[next(iter(self._failures))]
        self._failures[key] = _Failures(number + 1, now)
        return number + 1

    def forgive(self, key: Hashable) -> None:
        self._failures.pop(key, None)


class _Proven:
    """Where names were proven: of so many as fit, those that were proven lately."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, None] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Hashable) -> None:
        self._keys.pop(key, None)
        if len(self._keys) >= MOST_KEPT:
            del self._keys[next(iter(self._keys))]
        self._keys[key] = None


class Guesses:
    """Counts wrong passwords, and says who has to wait."""

    def __init__(self) -> None:
        self._addresses = _Ledger(FREE, LONGEST_WAIT)
        self._names = _Ledger(FREE_OF_NAME, LONGEST_WAIT_OF_NAME)
        self._known = _Ledger(FREE, LONGEST_WAIT_OF_NAME)
        self._ports = _Ledger(FREE, LONGEST_WAIT_OF_NAME)
        self._proven = _Proven()
        self._proven_ports = _Proven()

    def wait(self, source: HostPort, name: str, now: float) -> float:
        """Return for how many seconds an answer from an address and port for a name may not be looked at; 0 if it may."""
        place = network_of(source.host)
        if (source, name) in self._proven_ports:
            return self._ports.wait((source, name), now)
        if (place, name) in self._proven:
            return self._known.wait((place, name), now)
        return max(self._addresses.wait(place, now), self._names.wait(name, now))

    def failed(self, source: HostPort, name: str, now: float) -> int:
        """Count a wrong answer; returns how many there were of this address, or of the name there if it was proven."""
        place = network_of(source.host)
        if (source, name) in self._proven_ports:
            return self._ports.failed((source, name), now)
        if (place, name) in self._proven:
            return self._known.failed((place, name), now)
        self._names.failed(name, now)
        return self._addresses.failed(place, now)

    def proven(self, source: HostPort, name: str) -> None:
        """Take it that a phone at this address and port has proven this name.

        That forgives what was counted for it: a phone that does so again and again forgives nothing to a guesser beside it.
        """
        place = network_of(source.host)
        if (source, name) in self._proven_ports:
            self._ports.forgive((source, name))
        else:
            self._known.forgive((place, name))
        self._proven.add((place, name))
        self._proven_ports.add((source, name))


def network_of(host: str) -> str:
    """Return what stands for an address: itself, or of IPv6 the network of 64 bits, which is one home (RFC 6177)."""
    if ":" not in host:
        return host
    return str(ipaddress.IPv6Network((host.partition("%")[0], 64), strict=False))
