"""Who is searched for: what of them is needed to ask for what they publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from p2pship.identity.place import Place
from p2pship.lookup.candidate import Question


@dataclass(frozen=True, slots=True)
class Sought:
    """A person, on one day."""

    aor: str
    "canonical"
    day: int
    "the searcher's own, UTC"
    devices: Sequence[bytes] = ()
    "the publication keys of those of their devices that are known"

    def question(self, place: Place, piece: bytes = b"") -> Question:
        """Return what to ask for what they publish at a place, or for one piece of an annex by its reference."""
        known = tuple(place.publication_key(self.day, device, piece) for device in self.devices)
        return Question(place.lookup_key(self.day, piece), self.aor.rpartition("@")[2], known)
