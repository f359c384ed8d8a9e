"""How busy a Responder is, and how difficult its puzzles are therefore (RFC 7401 §4.1.2, §7)."""

from __future__ import annotations

from p2pship.bearer.hip.persecond import PerSecond

AT_REST = 8
"#K of a puzzle: 0.2 ms of work."

MOST_DIFFICULT = 16
"#K at most: 50 ms of work. More keeps out the honest, who have old telephones, rather than the others, who have graphics cards."

BUSY = 100
"I1s in a second from which on puzzles become harder: one more bit each time that there are twice as many."

WORTH = 10
"I1s that one I2 with a solved puzzle counts for, as it takes ten times the work."

MOST_EASY = 200
"""I2s that are looked at in a second though their puzzles are easier than those that are given out now: who comes slowly can solve thousands at
rest, and send all in a moment."""


class Load:
    """Counts what strangers ask for, of all our Host Identities together."""

    def __init__(self) -> None:
        self._second = 0
        self._count = 0
        self._before = 0
        self._easy = PerSecond(MOST_EASY)
        self.i1s = 0
        "I1s in all"
        self.associations = 0
        "associations that there are of all our Host Identities, also those that are being closed"

    def i1_received(self, now: float) -> None:
        """Hear of an I1."""
        self.i1s += 1
        self._begin(int(now))
        self._count += 1

    def i2_received(self, now: float) -> None:
        """Hear of an I2 whose puzzle is solved."""
        self._begin(int(now))
        self._count += WORTH

    def admits(self, difficulty: int, now: float) -> bool:
        """Tell whether an I2 that has solved a puzzle of a difficulty is looked at; who is refused may ask for another puzzle."""
        return difficulty >= self.difficulty(now) or self._easy.admits(now)

    def _begin(self, second: int) -> None:
        if second != self._second:
            self._before = self._count if second == self._second + 1 else 0
            self._second, self._count = second, 0

    def rate(self, now: float) -> int:
        """Return the I1s in the last whole second, or in this one if there are already more."""
        self._begin(int(now))
        return max(self._before, self._count)

    def is_high(self, now: float) -> bool:
        """Tell whether there are so many that keys should be made less often."""
        return self.rate(now) >= BUSY

    def difficulty(self, now: float) -> int:
        """Return #K of the puzzles that are given out now."""
        return min(MOST_DIFFICULT, AT_REST + (self.rate(now) // BUSY).bit_length())
