"""How often something may be asked from one address, and whether now is too often: a token bucket for each."""

from __future__ import annotations

from collections import OrderedDict

MOST_SOURCES = 100_000
"""Addresses that are remembered, 20 MB. The one that asked longest ago is forgotten first: it may soon ask as often as a new one
anyway."""

BURST_SECONDS = 60
"Seconds' worth of requests that may come at once: a node that starts publishes all that it has."


class Rate:
    """So many requests a second from each source, on average over a minute."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = per_second * BURST_SECONDS
        self._sources: OrderedDict[str, tuple[float, float]] = OrderedDict()
        "how many requests were left to each, and when"

    def wait(self, source: str, now: float) -> float:
        """Count a request and return 0, or return after how many seconds it may come; that one is not counted."""
        left, since = self._sources.pop(source, (self._most, now))
        left = min(self._most, left + max(0.0, now - since) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._sources[source] = (left if wait else left - 1, now)
        if len(self._sources) > MOST_SOURCES:
            self._sources.popitem(last=False)
        return wait


class Places:
    """So many of something at a time, in all and from each source: connections, or subscriptions."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: dict[str, int] = {}
        self.taken = 0
        "how many there are"

    def take(self, source: str) -> bool:
        """Take a place, and tell whether there was one."""
        mine = self._taken.get(source, 0)
        if self.taken >= self._most or mine >= self._each:
            return False
        self._taken[source] = mine + 1
        self.taken += 1
        return True

    def leave(self, source: str) -> None:
        """Give back a place that was taken."""
        self.taken -= 1
        self._taken[source] -= 1
        if not self._taken[source]:
            del self._taken[source]
