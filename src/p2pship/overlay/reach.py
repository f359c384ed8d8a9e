"""How trying to reach a person ended."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.address import Locator
from p2pship.lookup.candidate import FindOutcome


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one device that was found."""

    hit: bytes
    "the device's HIT, 16 octets"
    reached: bool
    lookup: str
    "where it was found; ``link`` when a link to it was up already, ``local`` when it is this node itself"
    lookup_seconds: float
    "from the question to its answer"
    dial_seconds: float
    "from the answer to a proven link; 0 when a link was up already"
    hello_seconds: float
    "from the link to the end of the hello; 0 when the peer was known already"
    reason: str = ""
    "why it was not reached, in words"
    locators: tuple[Locator, ...] = ()
    "where it was dialled, most preferred first; empty when it was connected already"


@dataclass(frozen=True, slots=True)
class ReachOutcome:
    """Who was asked, what was tried, and how long each stage took."""

    find: FindOutcome | None
    "None when nothing was asked, because every device was connected"
    tried: tuple[Tried, ...]
    met: bool
    "whether a hello of this person was ever accepted here"

    @property
    def changed(self) -> bool:
        """Whether nobody was reached, as all who were found have another identity key than the user confirmed, or the domain names."""
        return self.find is not None and self.find.changed and not any(tried.reached for tried in self.tried)
