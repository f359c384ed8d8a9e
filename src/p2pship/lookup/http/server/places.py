"""How many of something there are at a time, in all and from one address."""

from __future__ import annotations


def share(most: int, each: int, taken: int) -> float:
    """Return how many of ``most`` one source may have while so many are taken: ``each``, but ever less once half of all are.

    So a hundred sources that may each have a hundredth leave a sixth to whoever comes later. Where one may have everything there is
    nobody to leave anything to.
    """
    return each if each >= most else min(each, 2 * each * (most - taken) / most)


class Places:
    """So many of something at a time, in all and from each source (:func:`share`): connections, or subscriptions."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: dict[str, int] = {}
        self.taken = 0
        "how many there are"

    def take(self, source: str) -> bool:
        """Take a place, and tell whether there was one."""
        mine = self._taken.get(source, 0)
        if self.taken >= self._most or mine >= share(self._most, self._each, self.taken):
            return False
        self._taken[source] = mine + 1
        self.taken += 1
        return True

    def leave(self, source: str) -> None:
        """Give back a place that was taken."""
        self.taken -= 1
        self._taken[source] -= 1
        if not self._taken[source]:
            del self._taken[source]
