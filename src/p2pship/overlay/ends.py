"""What tells the links of a node apart: which device of ours, and which device of somebody else, they are between."""

from __future__ import annotations

from typing import NamedTuple

from p2pship.interfaces import ILink


class Ends(NamedTuple):
    """The Host Identities of the two devices, DER SubjectPublicKeyInfos."""

    own: bytes
    other: bytes
    "the same where a device talks to itself"


def ends_of(link: ILink) -> Ends:
    """Return the devices that a link is between."""
    return Ends(link.own, link.proof)
