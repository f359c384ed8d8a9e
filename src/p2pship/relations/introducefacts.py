"""What happens about vouches for third people, for the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from p2pship.journal import REFUSAL_LINES, Fact


@dataclass(frozen=True, slots=True)
class VouchAsked(Fact):
    """A contact asks for a vouch; the owner has to decide."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    asker: str
    subject: str

    def __str__(self) -> str:
        return (
            f"{self.asker} asks {self.own} to vouch for {self.subject}: "
            f"`p2pship vouch give {self.subject} --to {self.asker}`, or `p2pship vouch refuse` with the same"
        )


@dataclass(frozen=True, slots=True)
class VouchReceived(Fact):
    """A contact has vouched for somebody whom we asked about."""

    own: str
    voucher: str
    subject: str

    def __str__(self) -> str:
        return f"{self.voucher} vouches to {self.own} for {self.subject}"


@dataclass(frozen=True, slots=True)
class VouchNotTaken(Fact):
    """A vouch that came is not believed, or nobody asked for it."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    voucher: str
    reason: str

    def __str__(self) -> str:
        return f"a vouch that {self.voucher} sent to {self.own} was not taken: {self.reason}"


@dataclass(frozen=True, slots=True)
class VouchTakenBack(Fact):
    """A contact has taken back a vouch."""

    own: str
    voucher: str
    subject: str

    def __str__(self) -> str:
        return f"{self.voucher} no longer vouches to {self.own} for {self.subject}"
