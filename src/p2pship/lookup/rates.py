"""How often somebody may ask or be answered: so much at once, and then so much a second."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MOST_SOURCES = 1024
"Sources whose rate is remembered where a total holds for all; the one unheard for longest is forgotten."


@dataclass(frozen=True, slots=True)
class Rate:
    """What is allowed."""

    each_second: float
    burst: float
    "how many at once, after a silence"


class TokenBucket:
    """Allows so many things a second, and a burst at once."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        return not self.wait(now)

    def wait(self, now: float) -> float:
        """Take one token and return 0, or take none and return after how many seconds there is one."""
        earned = max(0.0, now - self._at) * self._rate.each_second
        self._tokens = min(self._rate.burst, self._tokens + earned)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate.each_second
        self._tokens -= 1
        return 0.0


class RateEach:
    """How often each source may."""

    def __init__(self, rate: Rate, most_sources: int = MOST_SOURCES) -> None:
        """So many sources are remembered; the one unheard for longest is forgotten, and is then like a new one."""
        self._rate = rate
        self._most_sources = most_sources
        self._sources: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait(self, source: str, now: float) -> float:
        """Count it and return 0, or return after how many seconds the source may; that one is not counted."""
        bucket = self._sources.pop(source, None) or TokenBucket(self._rate, now)
        self._sources[source] = bucket
        if len(self._sources) > self._most_sources:
            self._sources.popitem(last=False)
        return bucket.wait(now)


class RateLimit:
    """How often anybody may, and everybody together."""

    def __init__(self, source: Rate, total: Rate, now: float) -> None:
        self._each = RateEach(source)
        self._total = TokenBucket(total, now)

    def allows(self, source: str, now: float) -> bool:
        """Tell whether a source may now, and count it if so."""
        return not self._each.wait(source, now) and self._total.take(now)
