"""What happened in searches, and with what was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from p2pship.journal import REFUSAL_LINES, Fact


@dataclass(frozen=True, slots=True)
class OtherKeyIgnored(Fact):
    """Somebody was found with another key than the user confirmed, or the name's domain says: a liar, or the person has a new one."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    "the own identity for which it was searched"
    aor: str
    lookup: str
    fingerprint: str
    "of the other key"
    reason: str

    def __str__(self) -> str:
        return (
            f"ignored a device that {self.lookup} found for {self.aor}, with the identity key {self.fingerprint}: "
            f"{self.reason}"
        )


@dataclass(frozen=True, slots=True)
class ReadBack(Fact):
    """What a lookup was given could not be found there by ourselves, or can be again."""

    lookup: str
    aor: str
    error: str
    "why it was not found; empty when it was, after it had not been"

    def __str__(self) -> str:
        if self.error:
            return f"{self.aor} may not be found through {self.lookup}: {self.error}"
        return f"{self.aor} is found through {self.lookup} again"
