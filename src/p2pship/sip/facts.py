"""What happens to phones and calls because of who somebody is: facts for the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from p2pship.journal import REFUSAL_LINES, Fact


@dataclass(frozen=True, slots=True)
class PhoneRefused(Fact):
    """A phone of another machine gave a wrong password or user name."""

    lines: ClassVar[int] = REFUSAL_LINES
    aor: str
    "the name that it wanted to use"
    username: str
    source: str
    "where it is"
    method: str
    failures: int
    "how often that happened there lately"

    def __str__(self) -> str:
        return (
            f"refused {self.method} of a phone at {self.source} as {self.aor}: the password or the user name "
            f"{self.username!r} is wrong ({self.failures} times lately)"
        )


@dataclass(frozen=True, slots=True)
class ChangedRefused(Fact):
    """A call or message of our phone was refused, because whoever answers under that name has another key."""

    own: str
    aor: str

    def __str__(self) -> str:
        return (
            f"{self.own} was not connected to {self.aor}: whoever answers under this name has another key than you "
            "know, or its domain names. Ask them by another way whether they have a new key; if so: "
            f"p2pship contact pin {self.aor} (it says how to compare safety numbers)"
        )


@dataclass(frozen=True, slots=True)
class ChangedCame(Fact):
    """Somebody came by the name of a person who is known, with another key, and was not let in."""

    own: str
    aor: str

    def __str__(self) -> str:
        return (
            f"somebody came to {self.own} as {self.aor} with another key than you know, or its domain names, and was not let "
            f"in. Ask them by another way whether they have a new key; if so: p2pship contact pin {self.aor} (it says how to "
            "compare safety numbers)"
        )
