"""How much may be sent to an address that is not verified: as much as the other side has sent of late (RFC 8046 §5.6)."""

from __future__ import annotations

AGING_INTERVAL = 5.0
AGING_FACTOR = 7 / 8
"CreditAgingInterval and CreditAgingFactor (RFC 8046 §5.6.2)."


class Credit:
    """The credit of one peer, in octets."""

    def __init__(self, now: float) -> None:
        self._counter = 0.0
        self._seen = 0
        self._aged_at = now

    def left(self, received: int, now: float) -> int:
        """Return the credit, given all octets that were ever received from the peer.

        What came since it was asked last ages as if it had come then, so it is never more than the RFC's; and it is much less if it was
        not asked for long.
        """
        self._counter += received - self._seen
        self._seen = received
        self._aged_at = min(self._aged_at, now)  # the clock may have been set back
        intervals = int((now - self._aged_at) / AGING_INTERVAL)
        if intervals > 0:
            self._counter *= AGING_FACTOR**intervals
            self._aged_at += intervals * AGING_INTERVAL
        return int(self._counter)

    def spend(self, octets: int) -> None:
        """Hear that so many octets were sent to an address that is not verified."""
        self._counter -= octets
