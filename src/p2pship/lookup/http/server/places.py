"""How many of something there are at a time, in all and from one address."""

from __future__ import annotations

from collections import Counter

from p2pship.lookup.http.server.source import NETWORKS_EACH, site_of


def share(most: int, each: int, taken: int) -> float:
    """Return how many of ``most`` one source may have while so many are taken: ``each``, but ever less once half of all are.

    So a hundred sources that may each have a hundredth leave a sixth to whoever comes later. Where one may have everything there is
    nobody to leave anything to.
    """
    return each if each >= most else min(each, 2 * each * (most - taken) / most)


class Places:
    """So many of something at a time, in all and from each source (:func:`share`): connections, or subscriptions.

    All networks of one site of IPv6 together have eight times as many as one.
    """

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()
        "of each source, and of each site of IPv6"
        self.taken = 0
        "how many there are"

    def take(self, source: str) -> bool:
        """Take a place, and tell whether there was one."""
        if self.taken >= self._most:
            return False
        room, site = share(self._most, self._each, self.taken), site_of(source)
        if self._taken[source] >= room or self._taken[site] >= NETWORKS_EACH * room:
            return False
        self._taken.update({source, site})
        self.taken += 1
        return True

    def leave(self, source: str) -> None:
        """Give back a place that was taken."""
        self.taken -= 1
        for each in {source, site_of(source)}:
            self._taken[each] -= 1
            if not self._taken[each]:
                del self._taken[each]
