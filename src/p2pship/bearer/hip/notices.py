"""How many NOTIFY packets are sent: each costs a signature, and its reader nothing (RFC 7401 §5.2.19, §6.13)."""

from __future__ import annotations

MOST_A_SECOND = 10
"NOTIFYs that one Host Identity of ours sends, to one host no more than one."


class NoticeLimit:
    """Counts the NOTIFYs of one second."""

    def __init__(self) -> None:
        self._second = 0
        self._told: set[bytes] = set()

    def admits(self, hit: bytes, now: float) -> bool:
        """Tell whether a host may be sent a NOTIFY, which then counts as sent."""
        if int(now) != self._second:
            self._second = int(now)
            self._told.clear()
        if hit in self._told or len(self._told) >= MOST_A_SECOND:
            return False
        self._told.add(hit)
        return True
