"""What tells the peers of a node apart."""

from __future__ import annotations

from typing import NamedTuple


class PeerKey(NamedTuple):
    """The names and the device of one peer."""

    own: str
    "our own identity's AOR"
    aor: str
    "the other person's AOR"
    hit: bytes
    "the other device's HIT"
    called: bool = False
    "whether it is the called side of an identity that talks to itself on this very node"
