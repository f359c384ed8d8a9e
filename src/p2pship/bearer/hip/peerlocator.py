"""One address of the other side of an association, and whether it was seen there (RFC 8046 §5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MOST_ASKED = 24
"Questions that are sent in :data:`ASKED_TIME` to where the other side was never seen: as often as one that is asked by three paths."

ASKED_TIME = 60.0
"Seconds."


class Status(Enum):
    """RFC 8046 §5.1."""

    UNVERIFIED = "UNVERIFIED"
    ACTIVE = "ACTIVE"
    DEPRECATED = "DEPRECATED"


@dataclass(slots=True)
class PeerLocator:
    """One address of the other side."""

    host: str
    port: int
    status: Status
    is_named: bool = False
    "whether the other side, or a lookup, has named it; else something has only come from there"
    until: float = float("inf")
    "when it ends, in Unix time"
    followed_at: float = float("-inf")
    "when it was last asked because something came from there"
    asked: int = 0
    "questions since :attr:`asked_from`"
    asked_from: float = float("-inf")

    @property
    def is_verified(self) -> bool:
        """Whether the other side has shown to be there."""
        return self.status is Status.ACTIVE

    def may_be_asked(self, now: float) -> bool:
        """Tell whether one more question may be sent to it though it is not verified."""
        if not 0 <= now - self.asked_from < ASKED_TIME:
            self.asked, self.asked_from = 0, now
        return self.asked < MOST_ASKED
