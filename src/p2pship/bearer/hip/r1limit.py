"""How many R1s go where: an I1 is easily forged, and its R1 is eight times as large (RFC 7401 §6.7).

All counts are for one second. Who is refused while an address has too many may come again: an honest host repeats its I1 until it has
an R1, and those who make up a new address, port or HIT each time do not; those who use the same ones again have had theirs.
Nobody needs to be protected from this machine itself.
"""

from __future__ import annotations

from collections.abc import Callable

from p2pship.address import is_loopback

PER_PORT = 20
"R1s to one address and UDP port."

PER_HOST = 500
"R1s to one address: a whole village may be behind it."

PER_NETWORK = 2_000
"R1s to one network, which is 24 bits of IPv4 and 64 of IPv6: those in it share a line."

FOR_MORE = PER_NETWORK // 2
"Of these, how many may be for senders that have had one a moment ago."

PER_NEIGHBOUR = 100
"R1s to one host of a network that has had too many, if it is next door to us and really there."

SECOND_CHANCES = 500
"R1s for I1s that were refused before, and whose senders have had none a moment ago."

MOMENT = 5
"Seconds for which it is remembered who has had an R1, and up to as many more."

MOST_KEPT = 20_000
"Addresses, and senders of I1s, that are remembered in each of five tables: 10 MB."


class R1Limit:
    """Counts the R1s of one second. ``is_next_door`` tells of an address whether it is that of a host on a network of ours that is there."""

    def __init__(self, is_next_door: Callable[[str], bool]) -> None:
        self._is_next_door = is_next_door
        self._second = 0
        self._moment = 0
        self._counts: dict[object, int] = {}
        self._next_door: dict[str, bool] = {}
        self._refused: set[int] = set()
        self._refused_before: set[int] = set()
        self._served: set[int] = set()
        self._served_before: set[int] = set()
        self._chances = 0
        self.limited = 0
        "I1s in all that were not to be answered"

    def admits(self, host: str, port: int, hit: bytes, now: float) -> bool:
        """Tell whether an I1 from an address, for an Initiator's HIT, may be answered; port 0 is raw IP."""
        self._begin(int(now))
        sender = hash((host, port, hit))
        admitted = is_loopback(host) or self._has_room(host, port, sender) or self._second_chance(sender)
        if not admitted:
            self.limited += 1
            _keep(sender, self._refused)
        elif not self._was_served(sender):
            _keep(sender, self._served)
        return admitted

    def _begin(self, second: int) -> None:
        if second == self._second:
            return
        self._refused_before = self._refused if second == self._second + 1 else set()
        self._second, self._chances = second, 0
        self._counts, self._next_door, self._refused = {}, {}, set()
        moment = second // MOMENT
        if moment != self._moment:
            self._served_before = self._served if moment == self._moment + 1 else set()
            self._moment, self._served = moment, set()

    def _has_room(self, host: str, port: int, sender: int) -> bool:
        if port and not self._count((host, port), PER_PORT):
            return False
        if not self._count(host, PER_HOST):
            return False
        most = FOR_MORE if self._was_served(sender) else PER_NETWORK
        if self._count(_network(host), most):
            return True
        return self._counts[host] <= PER_NEIGHBOUR and self._lives_next_door(host)

    def _lives_next_door(self, host: str) -> bool:
        known = self._next_door.get(host)
        if known is None:
            known = self._next_door[host] = self._is_next_door(host)
        return known

    def _was_served(self, sender: int) -> bool:
        return sender in self._served or sender in self._served_before

    def _count(self, key: object, most: int) -> bool:
        count = self._counts.get(key, 0)
        if count >= most or (not count and len(self._counts) >= MOST_KEPT):
            return False
        self._counts[key] = count + 1
        return True

    def _second_chance(self, sender: int) -> bool:
        came_before = sender in self._refused or sender in self._refused_before
        if not came_before or self._was_served(sender) or self._chances >= SECOND_CHANCES:
            return False
        self._chances += 1
        return True


def _keep(sender: int, table: set[int]) -> None:
    if len(table) < MOST_KEPT:
        table.add(sender)


def _network(host: str) -> str:
    if ":" not in host:
        return host.rpartition(".")[0] + "."
    return ":".join(_groups(host)[:4]) + "::"


def _groups(host: str) -> list[str]:
    before, gap, after = host.partition("::")
    left, right = before.split(":") if before else [], after.split(":") if after else []
    return left + ["0"] * (8 - len(left) - len(right)) + right if gap else left
