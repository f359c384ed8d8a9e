"""How often somebody may ask or be answered: so much at once, and then so much a second."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MOST_SOURCES = 1024
"Sources whose rate is remembered; the one unheard for longest is forgotten, and the total still holds."


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
        earned = max(0.0, now - self._at) * self._rate.each_second
        self._tokens = min(self._rate.burst, self._tokens + earned)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RateLimit:
    """How often anybody may, and everybody together."""

    def __init__(self, source: Rate, total: Rate, now: float) -> None:
        self._source = source
        self._total = TokenBucket(total, now)
        self._sources: OrderedDict[str, TokenBucket] = OrderedDict()

    def allows(self, source: str, now: float) -> bool:
        """Tell whether a source may now, and count it if so."""
        bucket = self._sources.pop(source, None) or TokenBucket(self._source, now)
        self._sources[source] = bucket
        if len(self._sources) > MOST_SOURCES:
            self._sources.popitem(last=False)
        return bucket.take(now) and self._total.take(now)
