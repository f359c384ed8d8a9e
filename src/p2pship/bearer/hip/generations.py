"""How far the R1s of other hosts have counted: what is clearly older may be somebody's recording (RFC 7401 §4.1.4, §6.8, step 11).

Only what was signed counts. It is kept in memory alone, as §6.16 has it, and no more than a hint: a host may have lost count.
"""

from __future__ import annotations

MOST = 1024
"Hosts of which it is remembered: 150 kB. The one that was noted first goes first."

FEW = 16
"An R1 with a counter that is lower by no more than that may be as good: a host has one for each group and carrier."


class Generations:
    """The largest R1 counter of each host that we have dialled."""

    def __init__(self) -> None:
        self._all: dict[bytes, int] = {}

    def note(self, peer: bytes, generation: int) -> None:
        """Note the counter of an R1 whose signature was right."""
        highest = max(generation, self._all.pop(peer, 0))
        if len(self._all) >= MOST:
            del self._all[next(iter(self._all))]
        self._all[peer] = highest

    def oldest(self, peer: bytes) -> int:
        """Return the lowest counter that may be a host's now, for all that we know."""
        return self._all.get(peer, 0) - FEW
