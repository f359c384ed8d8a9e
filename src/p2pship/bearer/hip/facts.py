"""What other hosts tell of us: facts for the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from p2pship.journal import REFUSAL_LINES, Fact


@dataclass(frozen=True, slots=True)
class ErrorTold(Fact):
    """A NOTIFY says what is wrong with our packets (RFC 7401 §5.2.19)."""

    lines: ClassVar[int] = REFUSAL_LINES
    host: str
    "the IP address where the other side is"
    name: str
    "of the error, as the RFCs call it"

    def __str__(self) -> str:
        return f"{self.host} says {self.name} of what we sent"
