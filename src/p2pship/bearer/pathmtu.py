"""How large a datagram the path carries, found by trying (Datagram PLPMTUD, RFC 8899).

Theory of operation: every IPv6 path carries 1280 octets and practically every IPv4 path does (RFC 8899 §5.1.2 starts a
little lower), so that is the base, and nothing is tried until somebody has a use for more. Then the sizes of
:data:`SIZES` are tried upwards (RFC 8899 §5.3.2): a probe is a datagram that carries nothing but padding, so its loss costs
nothing and says nothing of congestion. A size that three probes did not get through ends the search for ten minutes.

A path may change to a smaller one without a word. That shows when large datagrams go missing one after the other, none
between them arriving (§4.3), or when the probes that confirm a size in use do (§4.2). Then the base is used at once.
"""

from __future__ import annotations

BASE = 1280
"Octets of a datagram, with its IP header, that every path carries: the IPv6 minimum (RFC 8200 §5)."

SIZES = (1400, 1460, 1492, 1500)
"Octets of a datagram that are tried: what common tunnels, PPPoE and Ethernet leave."

MOST_PROBES = 3
"Probes, or large datagrams, lost in a row that show that a size does not pass (MAX_PROBES of RFC 8899 §5.1.2)."

PROBE_TIME = 1.0
"Seconds until a probe counts as lost: the least that RFC 8899 §5.1.1 allows, and longer than a round trip of a call."

RAISE_TIME = 600.0
"Seconds until larger sizes are tried again (PMTU_RAISE_TIMER of RFC 8899 §5.1.1)."

CONFIRM_TIME = 30.0
"Seconds after which a large size is confirmed by a probe, if it is used: media alone does not tell what is lost."


class PathMTU:
    """The size of datagrams on one path. Asked by whoever sends, told by whoever hears of arrivals and losses."""

    def __init__(self, overhead: int) -> None:
        """Begin at the base; each datagram has so many octets of headers around what is carried in it."""
        self._number = 0
        self.restart(overhead)

    def restart(self, overhead: int) -> None:
        """Begin again: the path is another one now."""
        self._overhead = overhead
        self._size = BASE
        self._trying: int | None = None
        self._tries = 0
        self._losses = 0
        self._used = False
        self._due: float | None = None
        self._raise_at = 0.0

    @property
    def room(self) -> int:
        """Octets that a datagram carries now."""
        return self._size - self._overhead

    @property
    def base_room(self) -> int:
        """Octets that a datagram always carries."""
        return BASE - self._overhead

    def wanted(self, now: float) -> None:
        """Hear that there is something to send for which a datagram as large as can be is of use."""
        self._used = True
        if self._due is None:
            self._due = max(now, self._raise_at) if self._size == BASE else now

    def due(self) -> float | None:
        """Return when :meth:`probe` should be asked; None if there is nothing to find out."""
        return self._due

    def probe(self, now: float) -> tuple[int, int] | None:
        """Return the number of a probe to be sent now and the octets that it must have; None if none is due."""
        if self._due is None or now < self._due:
            return None
        if self._trying is not None and self._tries >= MOST_PROBES:
            self._does_not_pass(now)
            return None
        self._trying = self._trying or self._choice(now)
        if self._trying is None:
            return None
        self._tries += 1
        self._number += 1
        self._due = now + PROBE_TIME
        return self._number, self._trying - self._overhead

    def _choice(self, now: float) -> int | None:
        """Return the size to try: the next larger one, or the present one again; None if nobody uses it."""
        used, self._used, self._tries = self._used, False, 0
        larger = self._larger() if now >= self._raise_at else None
        if used and (larger is not None or self._size > BASE):
            return larger or self._size
        self._due = None
        return None

    def _larger(self) -> int | None:
        return next((size for size in SIZES if size > self._size), None)

    def _does_not_pass(self, now: float) -> None:
        if self._trying == self._size:
            self.shrank(now)
            return
        self._trying = None
        self._raise_at = now + RAISE_TIME
        self._due = self._raise_at if self._size == BASE else now + CONFIRM_TIME

    def probed(self, number: int, now: float) -> None:
        """Hear that the probe of this number has arrived; an answer that is late or made up changes nothing."""
        if self._trying is None or number != self._number:
            return
        climbs, self._size, self._trying = self._trying > self._size, self._trying, None
        self._losses = 0
        self._used = climbs
        self._due = now if climbs and self._larger() else now + CONFIRM_TIME

    def arrived(self, octets: int) -> None:
        """Hear that a datagram which carried so many octets has arrived."""
        if octets > self.base_room:
            self._losses = 0

    def lost(self, octets: int, now: float) -> None:
        """Hear that a datagram which carried so many octets was lost."""
        if octets <= self.base_room or self._size == BASE:
            return
        self._losses += 1
        if self._losses >= MOST_PROBES:
            self.shrank(now)

    def refused(self, octets: int, now: float) -> None:
        """Hear that the system does not send a datagram that carries so many octets; if it was a probe, it need not wait.

        A probe for more than the first network carries says nothing of the size in use.
        """
        if octets > self.room:
            self._does_not_pass(now)
        else:
            self.shrank(now)

    def shrank(self, now: float) -> None:
        """Go back to the base: large datagrams do not pass any more."""
        self._size, self._trying, self._losses = BASE, None, 0
        self._raise_at = self._due = now + RAISE_TIME
