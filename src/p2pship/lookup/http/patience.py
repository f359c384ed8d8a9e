"""When a server that failed, or that wants to be left alone, is asked again."""

from __future__ import annotations

from collections.abc import Callable

FIRST, LAST = 1.0, 300.0
"Seconds after the first failure, and after the tenth and later ones, until a server is asked again; doubled in between."

LONGEST_TOLD = 3600.0
"Seconds that a server can have itself left alone: one that lies shall not be forgotten for ever."

URGENT = 1.0
"Seconds after a failure for which nobody asks again, even if a phone waits for it: several questions belong to one search."


class Patience:
    """Counts failures; has no clock. What is done in the background waits longer than what somebody waits for."""

    def __init__(self, part_of_one: Callable[[], float]) -> None:
        """``part_of_one`` returns numbers from 0 to 1, at random: not all clients of a server come back at once."""
        self._part_of_one = part_of_one
        self._delay = 0.0
        self._until = 0.0
        self._told_until = 0.0
        self._failed_at = 0.0

    def worked(self) -> None:
        """Hear that the server answered as it should."""
        self._delay = self._until = self._failed_at = 0.0

    def failed(self, now: float) -> None:
        """Hear that it did not. Failures while it is left alone already count as one."""
        self._failed_at = now
        if not _possible(self._until - now, LAST):
            self._delay = min(2 * self._delay, LAST) or FIRST
            self._until = now + self._delay * (0.5 + 0.5 * self._part_of_one())

    def told(self, seconds: float, now: float) -> None:
        """Hear that the server wants to be left alone for so long."""
        self._told_until = max(self._told_until, now + min(max(seconds, 0.0), LONGEST_TOLD))

    def wait(self, now: float, urgent: bool = False) -> float:
        """Return for how many seconds it is to be left alone; ``urgent``: by somebody who waits for the answer."""
        until = self._failed_at + URGENT if urgent and self._failed_at else self._until
        failed, told = min(until, self._until) - now, self._told_until - now
        return max(_possible(failed, URGENT if urgent else LAST), _possible(told, LONGEST_TOLD))


def _possible(wait: float, longest: float) -> float:
    """Return a wait; none if it is over, or longer than any can be, as when the clock was set back meanwhile."""
    return wait if 0 < wait < longest + 1 else 0.0  # sums of times are rounded
