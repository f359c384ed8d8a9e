"""What the overlay shows of itself, for pages and commands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """One link that is up."""

    own_hit: bytes
    "the HIT of our device that it is of, 16 octets"
    hit: bytes
    "the other device's HIT, 16 octets"
    path: str
    encrypted: bool
    dialled: bool
    "whether this side dialled"
    since: float
    "when it was made (Unix time)"
    peers: int
    "how many peers it carries"
