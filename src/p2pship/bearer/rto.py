"""How long a way there and back takes, and how long to wait for an answer (RFC 6298)."""

from __future__ import annotations

INITIAL = 1.0
"Seconds before anything was measured (RFC 6298 §2.1)."

SHORTEST = 0.2
"""Seconds at least. RFC 6298 §2.4 asks for 1 s because receivers of its time kept acknowledgements back for up to 0.5 s; ours
answers at once, so what is left is how late a busy machine may be. Linux uses the same 0.2 s."""

SHORTEST_PROBE = 0.05
"Seconds at least until the tail is sent again: how late a machine with something to do may be. Once too often costs one datagram."

LONGEST = 4.0
"""Seconds at most, also when doubled. RFC 6298 §2.5 asks for 60, for connections that wait longer than that: ours are given up
after 30 s, and one small datagram every 4 s is no load on any path that is worth keeping."""

GRANULARITY = 0.001
"Seconds: the finest step in which we claim to know the time (RFC 6298 §2, RFC 9002 §6.1.2)."

REORDERING = 9 / 8
"Part of a round trip after which what should have come is late rather than overtaken (RFC 9002 §6.1.2, as in RFC 8985)."


class RoundTrip:
    """The smoothed time of a round trip and its variation, in seconds."""

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._variation = 0.0
        self._latest = 0.0
        self._doublings = 0

    def measured(self, seconds: float) -> None:
        """Take a measurement (RFC 6298 §2.2 and §2.3); it must be of a transmission that was sent once only (§3)."""
        self._latest = seconds
        self._doublings = 0
        if self._smoothed is None:
            self._smoothed, self._variation = seconds, seconds / 2
            return
        self._variation += (abs(self._smoothed - seconds) - self._variation) / 4
        self._smoothed += (seconds - self._smoothed) / 8

    def expired(self) -> None:
        """Wait twice as long the next time, until something is measured again (RFC 6298 §5.5)."""
        self._doublings += 1

    @property
    def doublings(self) -> int:
        """How many times in a row the wait was in vain."""
        return self._doublings

    @property
    def smoothed(self) -> float | None:
        """The time itself; None before anything was measured."""
        return self._smoothed

    @property
    def timeout(self) -> float:
        """How long to wait for an answer."""
        if self._smoothed is None:
            wait = INITIAL
        else:
            wait = max(SHORTEST, self._smoothed + max(GRANULARITY, 4 * self._variation))
        return min(LONGEST, wait * 2.0 ** min(self._doublings, 16))

    @property
    def probe(self) -> float:
        """How long to wait until the tail is sent again, which shows what else is lost before the timeout (RFC 8985 §7.2)."""
        if self._smoothed is None:
            return self.timeout
        return min(self.timeout, max(SHORTEST_PROBE, 2 * self._smoothed))

    @property
    def lateness(self) -> float:
        """How long after it was sent a segment counts as lost, if one that was sent later has arrived."""
        return max(GRANULARITY, REORDERING * max(self._smoothed or INITIAL, self._latest))
