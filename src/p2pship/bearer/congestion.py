"""How much may be on its way at once: slow start, congestion avoidance, and one halving for each loss episode.

This is NewReno as RFC 9002 §7 words it, for numbers that are never used twice: an *episode* lasts until something that was
sent after its beginning is acknowledged, and losses within it count once (RFC 6582 does the same with sequence numbers).
"""

from __future__ import annotations

INITIAL_SEGMENTS = 10
"Segments on their way before anything is known of the path (RFC 6928)."

FEWEST_SEGMENTS = 2
"Segments that may always be on their way (RFC 9002 §7.2), so that the second shows that the first is lost."

MOST = 1_048_576
"Octets on their way at most: more than the receive window of ours that the other side allows."


class CongestionWindow:
    """The octets that may be on their way."""

    def __init__(self, segment: int) -> None:
        """Begin, with segments of so many octets."""
        self._fewest = FEWEST_SEGMENTS * segment
        self._segment = segment
        self._threshold = MOST
        self._episode_end = 0
        self.octets = INITIAL_SEGMENTS * segment
        "how many may be on their way now"

    def acked(self, octets: int, number: int, full: bool) -> None:
        """Grow, because a transmission of so many octets has arrived.

        :param full: whether the window was the limit: if it was not, nothing is known of a larger one (RFC 9002 §7.8).
        """
        if not full or number < self._episode_end:
            return
        if self.octets < self._threshold:
            grown = self.octets + octets
        else:
            grown = self.octets + max(1, self._segment * octets // self.octets)
        self.octets = min(MOST, grown)

    def lost(self, number: int, next_number: int) -> None:
        """Halve, because a transmission was lost; only once for all that were sent before ``next_number``."""
        if number < self._episode_end:
            return
        self._episode_end = next_number
        self._threshold = max(self.octets // 2, self._fewest)
        self.octets = self._threshold

    def starved(self, next_number: int) -> None:
        """Start over with the least, because nothing at all comes back (RFC 5681 §3.1, RFC 9002 §7.6).

        What was sent before ``next_number`` is lost already in this: to hear of it later must not lower the threshold again.
        """
        self._episode_end = next_number
        self._threshold = max(self.octets // 2, self._fewest)
        self.octets = self._fewest
