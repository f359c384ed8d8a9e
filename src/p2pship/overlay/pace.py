"""How soon a further hello of a link is looked at: each costs signature checks and writes to the disk."""

from __future__ import annotations

from collections.abc import Hashable

from p2pship.overlay.wire import BadFrame

AT_ONCE = 16
"Hellos of one place that are looked at without a pause, beside the first of each link: two households that meet have some more."

A_SECOND = 100
"And so many more each second: 5 to 10 % of a processor, where one link could bring a thousand, and nobody was served beside them."

LONGEST_WAIT = 3.0
"Seconds that one may wait: a node of three hundred people who all have to find a link anew does not come to it."


class Pace:
    """When the next hello of each place has its turn."""

    def __init__(self) -> None:
        self._next: dict[Hashable, float] = {}

    def wait(self, place: Hashable, now: float) -> float:
        """Return how many seconds the next hello of a place waits, at the Unix time ``now``.

        :raises BadFrame: if that is too long.
        """
        due = max(now - AT_ONCE / A_SECOND, self._next.get(place, 0.0))
        if due > now + 2 * LONGEST_WAIT:  # no wait is so long: the clock was set back
            due = now
        if due - now >= LONGEST_WAIT:
            raise BadFrame("hellos come faster than they can be looked at")
        self._next[place] = due + 1 / A_SECOND
        return max(0.0, due - now)

    def forget(self, place: Hashable) -> None:
        """Forget a place from which no link is left; harmless if nothing is known of it."""
        self._next.pop(place, None)
