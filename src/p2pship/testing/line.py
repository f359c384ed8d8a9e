"""One direction of a cable that is worse than it could be: it loses, delays, repeats, reorders and limits what runs over it.

Theory of operation. A frame that is put on the line is lost or not, at random; if not, it waits until those before it have left
at the line's rate, and then travels for the delay, more or less the jitter. A frame that is to come too early overtakes: it
travels for none of the delay. Everything random comes from a generator with a seed, so that the same frames at the same
moments have the same fate.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random

MOST_QUEUED = 0.5
"Seconds that a frame may have to wait for those before it: a longer queue loses what comes, as a router does."


@dataclass(frozen=True, slots=True)
class Conditions:
    """How bad a line is. As it is made, it is perfect."""

    loss: float = 0.0
    "the share of frames that are lost"
    delay: float = 0.0
    "seconds that a frame travels"
    jitter: float = 0.0
    "seconds by which a frame travels longer or shorter, at most; it may so be overtaken"
    repeated: float = 0.0
    "the share of frames that arrive twice"
    early: float = 0.0
    "the share of frames that overtake those before them"
    rate: float = 0.0
    "bits a second, the frame's own octets alone being counted; 0 for as fast as can be"
    largest: int = 0
    "octets of the longest frame that is carried, and nothing is said of a longer one; 0 for all"


class Line:
    """One direction. It has no clock: ``now`` is any clock's time, in seconds."""

    def __init__(self, conditions: Conditions, seed: int) -> None:
        self.conditions = conditions
        "what holds for the frames that are put on it from now on"
        self.lost = 0
        "frames that were lost at random, or were too long"
        self.overflowed = 0
        "frames that were lost because too many waited"
        self._random = Random(seed)
        self._free_at = 0.0
        self._travelling: list[tuple[float, int, bytes]] = []
        self._number = 0

    def put(self, frame: bytes, now: float) -> None:
        """Put a frame on the line."""
        conditions, chance = self.conditions, self._random.random
        if chance() < conditions.loss or len(frame) > conditions.largest > 0:
            self.lost += 1
            return
        leaves = self._leaves(frame, now)
        if leaves is None:
            self.overflowed += 1
            return
        early = chance() < conditions.early
        for _ in range(2 if chance() < conditions.repeated else 1):
            travels = 0.0 if early else conditions.delay + self._random.uniform(-1, 1) * conditions.jitter
            self._number += 1
            heapq.heappush(self._travelling, (leaves + max(travels, 0.0), self._number, frame))

    def take(self, now: float) -> list[bytes]:
        """Return what has arrived by now, in the order of its arrival."""
        arrived = []
        while self._travelling and self._travelling[0][0] <= now:
            arrived.append(heapq.heappop(self._travelling)[2])
        return arrived

    def due(self) -> float | None:
        """Return when the next frame arrives; None while nothing is on the line."""
        return self._travelling[0][0] if self._travelling else None

    def _leaves(self, frame: bytes, now: float) -> float | None:
        """Return when a frame has left the sender, None if it does not wait so long."""
        if not self.conditions.rate:
            return now
        begins = max(now, self._free_at)
        if begins - now > MOST_QUEUED:
            return None
        self._free_at = begins + 8 * len(frame) / self.conditions.rate
        return self._free_at
