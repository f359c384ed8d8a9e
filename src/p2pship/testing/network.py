"""Networks for tests: interfaces that are what the test says."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from zope.interface import implementer

from p2pship.interfaces import INetwork
from p2pship.network import Interface


def loopback() -> Interface:
    """Return this machine's loopback interface, with IPv4 alone."""
    return Interface("lo", socket.if_nametoindex("lo"), (("127.0.0.1", 8),), loopback=True, multicast=False)


@implementer(INetwork)
class StaticNetwork:
    """The interfaces that it was given, until ``change`` gives it others."""

    def __init__(self, *interfaces: Interface) -> None:
        self._interfaces = interfaces
        self.watchers: list[Callable[[], None]] = []
        "who watches now"

    def interfaces(self) -> Sequence[Interface]:
        """Return them."""
        return self._interfaces

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` at each ``change``."""
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def change(self, *interfaces: Interface) -> None:
        """Have these interfaces from now on, and tell the watchers."""
        self._interfaces = interfaces
        for changed in tuple(self.watchers):
            changed()
