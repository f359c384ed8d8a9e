"""The addresses of the other side of an association: what is learnt, what is forgotten, and which come first (RFC 8046 §5.1, §5.3)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from ipaddress import ip_address

from p2pship.address import is_loopback, is_never_dialled
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.peerlocator import PeerLocator, Status

MOST_KNOWN = 32
"Locators of the other side that are kept."


class PeerLocators:
    """Those of one association, by address and port."""

    __slots__ = ("_all",)

    def __init__(self, path: Path) -> None:
        """Begin with the end of the path of the base exchange, which is verified by it."""
        first = PeerLocator(path.host, path.port, Status.ACTIVE, is_named=True)
        self._all: dict[tuple[str, int], PeerLocator] = {(path.host, path.port): first}

    def __iter__(self) -> Iterator[PeerLocator]:
        return iter(tuple(self._all.values()))

    def at(self, path: Path) -> PeerLocator | None:
        """Return the one at the end of a path, if it is known."""
        return self._all.get((path.host, path.port))

    def is_verified(self, path: Path) -> bool:
        """Tell whether the other side has shown to be at the end of a path."""
        found = self.at(path)
        return found is not None and found.is_verified

    def usable(self, used: Path, now: float) -> list[PeerLocator]:
        """Return those that may be used, the verified ones first, and of these that at the end of the path in use."""
        found = [each for each in self if each.status is not Status.DEPRECATED and each.until > now]
        return sorted(found, key=lambda each: (not each.is_verified, each is not self.at(used)))

    def learn(
        self, host: str, port: int, used: Path, until: float = float("inf"), is_named: bool = True
    ) -> PeerLocator | None:
        """Return the one at an address, which is known from now on; None if no host can be there, or none that is reached as ``used`` is."""
        found = self._all.get((host, port))
        if found is None:
            if is_never_dialled(host) or is_loopback(host) != is_loopback(used.host) or _is_scoped(host):
                return None
            if len(self._all) >= MOST_KNOWN:
                self._forget_one(used)
            found = self._all[host, port] = PeerLocator(host, port, Status.UNVERIFIED)
        elif found.status is Status.DEPRECATED:
            found.status = Status.UNVERIFIED
        found.is_named = found.is_named or is_named
        found.until = until
        return found

    def _forget_one(self, used: Path) -> None:
        """Make room: what was never verified goes first, and of that what nobody has named; of several the oldest."""
        others = (each for each in self if each is not self.at(used))
        old = min(others, key=lambda each: (each.is_verified, each.is_named))
        del self._all[old.host, old.port]

    def deprecate_others(self, listed: Container[tuple[str, int]]) -> None:
        """Hear at which addresses and ports the other side is, and nowhere else."""
        for at, each in self._all.items():
            if at not in listed:
                each.status = Status.DEPRECATED


def _is_scoped(host: str) -> bool:
    """Tell whether an address means something only with the name of an interface, which is different on each machine (RFC 4007 §6)."""
    return ":" in host and ip_address(host).is_link_local
