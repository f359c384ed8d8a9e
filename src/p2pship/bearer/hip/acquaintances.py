"""Hosts with which there was an association: they get R1s of their own, whoever sends I1s without end from their address.

The limits of :mod:`p2pship.bearer.hip.r1limit` are by address, and an address is easily forged: who forges that of one host could keep it
from being answered. Its HIT is not known to everybody.
"""

from __future__ import annotations

from p2pship.bearer.hip.persecond import PerSecond

MOST_KEPT = 1024
"Hosts that are remembered, the latest: each has paid with a puzzle, and a crowd of them may push others out."

EACH = 4
"R1s that one gets in a second: as many as an honest one asks for, and no more than somebody else's line hardly notices."

TOGETHER = 100
"R1s that all of them get in a second: they may all be sent to one address."


class Acquaintances:
    """Those of one Host Identity."""

    def __init__(self) -> None:
        self._paces: dict[bytes, PerSecond] = {}
        self._all = PerSecond(TOGETHER)

    def met(self, peer: bytes) -> None:
        """Hear that there is an association with a host."""
        self._paces[peer] = self._paces.pop(peer, PerSecond(EACH))
        if len(self._paces) > MOST_KEPT:
            del self._paces[next(iter(self._paces))]

    def admits(self, peer: bytes, now: float) -> bool:
        """Tell whether a host is known, and may get one more R1, which then counts as sent."""
        pace = self._paces.get(peer)
        return pace is not None and pace.admits(now) and self._all.admits(now)
