"""The seam of ``p2pship.network``: which addresses this machine has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zope.interface import Interface

if TYPE_CHECKING:
    from p2pship.network import Interface as NetworkInterface


class INetwork(Interface):
    """One watcher of this machine's own addresses."""

    def interfaces() -> Sequence[NetworkInterface]:
        """Return the usable interfaces, loopback included, each with its addresses."""

    def watch(changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when an interface or address came or went; returns a call that ends the watch."""
