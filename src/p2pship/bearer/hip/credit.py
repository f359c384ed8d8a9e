"""How much may be sent to where the other side was never seen: as much as it has sent of late (RFC 8046 §5.6), and some questions."""

from __future__ import annotations

AGING_INTERVAL = 5.0
AGING_FACTOR = 7 / 8
"CreditAgingInterval and CreditAgingFactor (RFC 8046 §5.6.2)."

MOST_FREE = 2048.0
"Octets of questions that are asked without credit: eight of them, for a link on which little was said; its base exchange alone was as much."

FREE_RATE = 64.0
"Octets of these that come back in a second."


class Credit:
    """The credit of one peer, in octets."""

    __slots__ = ("_aged_at", "_counter", "_free", "_free_at", "_seen")

    def __init__(self, now: float) -> None:
        self._counter = 0.0
        self._seen = 0
        self._aged_at = self._free_at = now
        self._free = MOST_FREE

    def earn(self, octets: int) -> None:
        """Hear that so many octets came, which :meth:`left` is not told of."""
        self._counter += octets

    def left(self, received: int, now: float) -> int:
        """Return the credit, given all octets that were ever received from the peer in ESP.

        What came since it was asked last ages as if it had come then, so it is never more than the RFC's; and it is much less if it was
        not asked for long.
        """
        self._counter += received - self._seen
        self._seen = received
        self._age(now)
        return int(self._counter)

    def _age(self, now: float) -> None:
        self._aged_at = min(self._aged_at, now)  # the clock may have been set back
        intervals = int((now - self._aged_at) / AGING_INTERVAL)
        if intervals > 0:
            self._counter *= AGING_FACTOR**intervals
            self._aged_at += intervals * AGING_INTERVAL

    def spend(self, octets: int) -> None:
        """Hear that so many octets were sent to an address that is not verified."""
        self._counter -= octets

    def covers(self, octets: int, now: float) -> bool:
        """Tell whether a question of so many octets may be sent where nobody was seen."""
        self._age(now)
        self._free = min(MOST_FREE, self._free + max(0.0, now - self._free_at) * FREE_RATE)
        self._free_at = now
        return octets <= max(self._free, self._counter)

    def ask(self, octets: int, now: float) -> bool:
        """Tell the same, and spend them."""
        covered = self.covers(octets, now)
        if covered and octets <= self._free:
            self._free -= octets
        elif covered:
            self.spend(octets)
        return covered
