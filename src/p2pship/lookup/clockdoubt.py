"""Whether this machine's clock is right, as far as the dates in other people's records tell.

Theory of operation. Whoever is found has a record that was signed at most an hour ago by their clock. One person's that is from the
future, or long over, says nothing: their clock may be wrong, or somebody keeps what they have withdrawn. If several people's
are, all to the same side, and nobody's is as it should be, it is our own clock.
"""

from __future__ import annotations

from collections import OrderedDict

from p2pship.identity.validity import RECORD_LIFETIME, SKEW

WITNESSES = 2
"People whose records have to agree that our clock is wrong."

MOST_PEOPLE = 64
"People whose last record is remembered."

MEMORY = 3600.0
"Seconds for which it is: the clock may have been set since."


ONE_SEARCH = 60.0
"Seconds in which several records of one person are of the same search, or nearly."


class ClockDoubt:
    """Hears how old records are, by our clock, when they are found."""

    def __init__(self) -> None:
        self._ages: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def heard(self, aor: str, age: float, now: float) -> None:
        """Hear that a record found of a person was signed ``age`` seconds before ``now``, Unix time; negative: after."""
        known, at = self._ages.pop(aor, (age, now))
        if _is_right(known) and abs(now - at) < ONE_SEARCH:
            age, now = known, at  # an old one that is found beside it says nothing
        self._ages[aor] = age, now
        while len(self._ages) > MOST_PEOPLE:
            self._ages.popitem(last=False)

    def witnesses(self, now: float) -> int:
        """Return how many people were found of late whose dates can be compared with our own."""
        return len(self._of_late(now))

    def words(self, now: float) -> str:
        """Say what is wrong with the clock; empty if nothing is, or nobody can tell."""
        ages = self._of_late(now)
        if len(ages) < WITNESSES:
            return ""
        if all(age < -SKEW for age in ages):
            return f"it is behind by about {_about(-max(ages))}: the records of {len(ages)} people are from the future"
        if all(age > RECORD_LIFETIME + SKEW for age in ages):
            late = min(ages) - RECORD_LIFETIME
            return f"it is ahead by at least {_about(late)}: the records of {len(ages)} people are all over"
        return ""

    def _of_late(self, now: float) -> list[float]:
        return [age for age, at in self._ages.values() if abs(now - at) < MEMORY]


def _is_right(age: float) -> bool:
    return -SKEW <= age <= RECORD_LIFETIME + SKEW


def _about(seconds: float) -> str:
    """Return a time in words, rounded."""
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 86400:.0f} days"
