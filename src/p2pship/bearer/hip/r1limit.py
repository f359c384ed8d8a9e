"""How many R1s go where: an I1 is easily forged, and its R1 is eight times as large (RFC 7401 §6.7).

All counts are for one second. Who is refused while an address has too many may come again: an honest host repeats its I1, and those who
make up a new address, port or HIT each time do not. Nobody needs to be protected from this machine itself.
"""

from __future__ import annotations

from p2pship.address import is_loopback

PER_PORT = 20
"R1s to one address and UDP port."

PER_HOST = 500
"R1s to one address: a whole village may be behind it."

PER_NETWORK = 2_000
"R1s to one network, which is 24 bits of IPv4 and 64 of IPv6: those in it share a line."

SECOND_CHANCES = 500
"R1s for I1s that were refused before, and whose senders have had none in this second."

MOST_KEPT = 20_000
"Addresses, and senders of I1s, that are remembered: 5 MB."


class R1Limit:
    """Counts the R1s of one second."""

    def __init__(self) -> None:
        self._second = 0
        self._counts: dict[object, int] = {}
        self._refused: set[object] = set()
        self._refused_before: set[object] = set()
        self._served: set[object] = set()
        self._chances = 0
        self.limited = 0
        "I1s in all that were not to be answered"

    def admits(self, host: str, port: int, hit: bytes, now: float) -> bool:
        """Tell whether an I1 from an address, for an Initiator's HIT, may be answered; port 0 is raw IP."""
        admitted = self._admits(host, port, hit, now)
        self.limited += not admitted
        return admitted

    def _admits(self, host: str, port: int, hit: bytes, now: float) -> bool:
        if int(now) != self._second:
            self._begin(int(now))
        if is_loopback(host):
            return True
        if port and not self._count((host, port), PER_PORT):
            return False
        sender = host, port, hit
        if self._count(host, PER_HOST) and self._count(_network(host), PER_NETWORK):
            return self._serve(sender)
        return self._second_chance(sender)

    def _serve(self, sender: object) -> bool:
        if len(self._served) < MOST_KEPT:
            self._served.add(sender)
        return True

    def _begin(self, second: int) -> None:
        self._refused_before = self._refused if second == self._second + 1 else set()
        self._second, self._chances = second, 0
        self._counts, self._refused, self._served = {}, set(), set()

    def _count(self, key: object, most: int) -> bool:
        count = self._counts.get(key, 0)
        if count >= most or (not count and len(self._counts) >= MOST_KEPT):
            return False
        self._counts[key] = count + 1
        return True

    def _second_chance(self, sender: object) -> bool:
        came_before = sender in self._refused or sender in self._refused_before
        if came_before and sender not in self._served and self._chances < SECOND_CHANCES:
            self._chances += 1
            return self._serve(sender)
        if len(self._refused) < MOST_KEPT:
            self._refused.add(sender)
        return False


def _network(host: str) -> str:
    if ":" not in host:
        return host.rpartition(".")[0] + "."
    return ":".join(_groups(host)[:4]) + "::"


def _groups(host: str) -> list[str]:
    before, gap, after = host.partition("::")
    left, right = before.split(":") if before else [], after.split(":") if after else []
    return left + ["0"] * (8 - len(left) - len(right)) + right if gap else left
