"""How many relays anybody may have: ports and descriptors are few, and a call takes them before anybody has answered it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from p2pship.errors import LocalError
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer

MOST_OF_PERSON = 512
"Relays with one person, on all of their devices, and at most half of all: 256 calls with video through a gateway."

LEAST = 8
"Relays that a person may have in any case: where there are so few ports, they are for whoever comes first."


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a relay, as was known when it was opened."""

    person: tuple[str, str]
    "one of our own, and the other person"
    is_stranger: bool


class Quota:
    """Counts relays. Strangers, who may have as many names as they like, share one half, so that the other is for people
    that one knows."""

    def __init__(self, most: int, ports: int) -> None:
        """Allow so many in all, and halves of what there are pairs of ports for."""
        self._most = most
        self._half = max(min(most, ports) // 2, LEAST)
        self._all = 0
        self._strangers = 0
        self._of_persons: Counter[tuple[str, str]] = Counter()

    def take(self, peer: IPeer) -> Holder:
        """Count one more.

        :raises LocalError: if that is too many; it says of what.
        """
        holder = Holder((peer.identity.aor, peer.aor), peer.verdict.acquaintance is Acquaintance.STRANGER)
        if self._all >= self._most:
            raise LocalError(
                f"{self._most} media relays are open: allow more open files (ulimit -n) or ports"
            )
        if self._of_persons[holder.person] >= min(MOST_OF_PERSON, self._half):
            raise LocalError("this person has too many media relays open")
        if holder.is_stranger and self._strangers >= self._half:
            raise LocalError("strangers have too many media relays open")
        self._all += 1
        self._strangers += holder.is_stranger
        self._of_persons[holder.person] += 1
        return holder

    def give_back(self, holder: Holder) -> None:
        """Count one less."""
        self._all -= 1
        self._strangers -= holder.is_stranger
        self._of_persons[holder.person] -= 1
        if not self._of_persons[holder.person]:
            del self._of_persons[holder.person]
