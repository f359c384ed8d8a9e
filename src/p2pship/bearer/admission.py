"""How many strangers may be at the door: connections that have not proven a device key yet, in all and from one place."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Generic, TypeVar

Guest = TypeVar("Guest")

MOST_FROM_ONE_SOURCE = 16
"A handshake takes two round trips: sixteen at once are a big household behind one address, not one node."

MOST_IN_ALL = 128
"What bounds their memory: each may make us keep some 20 kB."


def source_of(host: str) -> str:
    """Return what counts as one place: an IPv4 address, or an IPv6 /64, of which any host may take all addresses."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


class Admission(Generic[Guest]):
    """The guests at the door.

    When there are too many from one place, or in all, the eldest of them has to go: an honest one needs a moment only, so
    a crowd that wants to keep everybody else out has to come faster than that, and cannot just sit there. That holds for
    one place as well, for honest people may live there too, behind the same router or on the same machine.
    """

    def __init__(self, from_one_source: int = MOST_FROM_ONE_SOURCE, in_all: int = MOST_IN_ALL) -> None:
        self._from_one_source = from_one_source
        self._in_all = in_all
        self._guests: dict[Guest, str] = {}
        self._sources: Counter[str] = Counter()

    def enter(self, guest: Guest, host: str) -> Guest | None:
        """Let a guest in, and return the one who has to go for that, if any; who goes is forgotten already."""
        source = source_of(host)
        surplus = self._surplus(source)
        if surplus is not None:
            self.leave(surplus)
        self._guests[guest] = source
        self._sources[source] += 1
        return surplus

    def leave(self, guest: Guest) -> None:
        """Forget a guest, who has proven a key or is gone; harmless when repeated."""
        source = self._guests.pop(guest, None)
        if source is None:
            return
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    def _surplus(self, source: str) -> Guest | None:
        """Return the eldest of those of whom there are too many when another comes, or None."""
        if self._sources[source] >= self._from_one_source:
            return next(guest for guest, origin in self._guests.items() if origin == source)
        return next(iter(self._guests)) if len(self._guests) >= self._in_all else None
