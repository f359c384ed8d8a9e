"""What happens between people, for the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from p2pship.journal import REFUSAL_LINES, Fact


@dataclass(frozen=True, slots=True)
class PinMade(Fact):
    """From now on the name is known to be that of a key."""

    own: str
    aor: str
    fingerprint: str
    how: str
    "by which act: contact, call, confirmed or verified"

    def __str__(self) -> str:
        return f"{self.own} knows {self.aor} by the key {self.fingerprint} ({self.how})"


@dataclass(frozen=True, slots=True)
class PinFollowed(Fact):
    """Somebody who was known has a new key, signed by who vouched for the old one, or by the old one itself."""

    own: str
    aor: str
    fingerprint: str
    "of the new key"
    by: str
    "who signed it, in words"

    def __str__(self) -> str:
        return f"{self.own} now knows {self.aor} by the new key {self.fingerprint}, which {self.by} signed"


@dataclass(frozen=True, slots=True)
class PinOffered(Fact):
    """A call was taken from somebody whose name nobody vouches for: the owner may want to know the key again."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    aor: str
    fingerprint: str

    def __str__(self) -> str:
        return (
            f"{self.own} took a call from {self.aor}, whose name nobody vouches for; if it was truly them, "
            f"`p2pship contact pin {self.aor} --fingerprint {self.fingerprint}` keeps their key"
        )


@dataclass(frozen=True, slots=True)
class AttemptRefused(Fact):
    """Somebody who may do nothing at all to one of our own was not let in; they are told nothing of why."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    aor: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return f"did not let {self.aor} in to {self.own} by the rule {self.rule!r}: {self.reason}"
