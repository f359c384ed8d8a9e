"""How often somebody may ask something that costs us work: so many times at once, and so many more each minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MOST_KEPT = 4_096
"Askers remembered, as many as there are peers; who is forgotten begins anew."


class Allowance:
    """A bucket of tokens for each asker."""

    def __init__(self, at_once: int, a_minute: float) -> None:
        self._at_once = at_once
        self._per_second = a_minute / 60
        self._tokens: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, asker: Hashable, now: float) -> bool:
        """Take one from an asker at a Unix time; False if none is left."""
        tokens, since = self._tokens.get(asker, (float(self._at_once), now))
        tokens = min(self._at_once, tokens + max(0.0, now - since) * self._per_second)
        self._tokens[asker] = (tokens - 1 if tokens >= 1 else tokens), now
        self._tokens.move_to_end(asker)
        if len(self._tokens) > MOST_KEPT:
            self._tokens.popitem(last=False)
        return tokens >= 1
