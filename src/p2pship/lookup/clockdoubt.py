"""Whether this machine's clock is right, as far as the dates in other people's records, and the clocks of servers, tell.

Theory of operation. Whoever is found has a record that was signed at most an hour ago by their clock, so what is known of ours is an
interval. One person's record that is from the future, or long over, says nothing: their clock may be wrong, or somebody keeps what they
have withdrawn. If several people's are, all to the same side, and nobody's is as it should be, it is our own clock. A server that is
configured says what time it is; its word is enough by itself, unless another clock agrees with ours.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from p2pship.identity.validity import RECORD_LIFETIME, SKEW

WITNESSES = 2
"People whose records have to agree that our clock is wrong, where no server says so."

MOST_WITNESSES = 64
"People and servers whose last word is remembered."

MEMORY = 3600.0
"Seconds for which it is: the clock may have been set since."

ONE_SEARCH = 60.0
"Seconds in which several records of one person are of the same search, or nearly."


@dataclass(frozen=True, slots=True)
class _Word:
    """By how many seconds our clock was ahead of another one, which said so at a time."""

    least: float
    most: float
    at: float
    "Unix time, by our clock"
    server: bool

    @property
    def agrees(self) -> bool:
        return self.least <= SKEW and self.most >= -SKEW


class ClockDoubt:
    """Hears how old records are, by our clock, when they are found, and what the clocks of servers say."""

    def __init__(self) -> None:
        self._words: OrderedDict[str, _Word] = OrderedDict()

    def heard(self, aor: str, age: float, now: float) -> None:
        """Hear that a record found of a person was signed ``age`` seconds before ``now``, Unix time; negative: after."""
        known = self._words.get(aor)
        if known is not None and known.agrees and abs(now - known.at) < ONE_SEARCH:
            return  # an old one that is found beside it says nothing
        self._keep(aor, _Word(age - RECORD_LIFETIME, age, now, server=False))

    def server_said(self, server: str, ahead: float, now: float) -> None:
        """Hear that at ``now``, Unix time, our clock was ``ahead`` seconds ahead of a server's; negative: behind."""
        self._keep(server, _Word(ahead, ahead, now, server=True))

    def witnesses(self, now: float) -> int:
        """Return how many clocks were heard of late with which our own can be compared."""
        return len(self._of_late(now))

    def words(self, now: float) -> str:
        """Say what is wrong with the clock; empty if nothing is, or nobody can tell."""
        words = self._of_late(now)
        if len(words) < WITNESSES and not any(word.server for word in words.values()):
            return ""
        if all(word.most < -SKEW for word in words.values()):
            behind = _about(min(-word.most for word in words.values()))
            return f"it is behind by about {behind}: {_told_by(words, 'from the future')}"
        if all(word.least > SKEW for word in words.values()):
            ahead = _about(min(word.least for word in words.values()))
            return f"it is ahead by at least {ahead}: {_told_by(words, 'all over')}"
        return ""

    def _keep(self, who: str, word: _Word) -> None:
        self._words.pop(who, None)
        self._words[who] = word
        while len(self._words) > MOST_WITNESSES:
            self._words.popitem(last=False)

    def _of_late(self, now: float) -> dict[str, _Word]:
        return {who: word for who, word in self._words.items() if abs(now - word.at) < MEMORY}


def _told_by(words: dict[str, _Word], how: str) -> str:
    servers = [who for who, word in words.items() if word.server]
    people = len(words) - len(servers)
    told = [f"the records of {people} {'people' if people > 1 else 'person'} are {how}"] if people else []
    return "; ".join([*told, *(f"{server} has another time" for server in servers)])


def _about(seconds: float) -> str:
    """Return a time in words, rounded."""
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 86400:.0f} days"
