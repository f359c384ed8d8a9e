"""``p2pship identity separate``: a device of its own for an identity, so that nobody sees which others are on its node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.own import own_identity
from p2pship.commands.verb import Argument, Kind, Verb
from p2pship.errors import LocalError

if TYPE_CHECKING:
    from p2pship.desk import Desk

FLAG = Argument(
    "separate_device",
    "give it a device of its own: nobody sees by its keys which other identities are on this node",
    Kind.FLAG,
)


class SeparatedStatus(TypedDict):
    """The answer to ``identity separate``."""

    aor: str
    hit: str
    "of the device that it is used on"
    changed: bool
    "whether it was given to it now; it had one of its own already if not"
    running: bool
    "whether the node runs, so that others find it by the new one now"


def wanted(desk: Desk, given: dict[str, Any]) -> bool | None:
    """Return whether an identity is to get a device of its own by :data:`FLAG`; None: as it is configured.

    :raises LocalError: if it could then not be reached.
    """
    if not given[FLAG.name]:
        return None
    if not desk.reaches_separate():
        raise LocalError(
            "only HIP reaches the device of one identity alone, and HIP is off: set enabled = true in [bearer.hip], "
            "and start the node anew"
        )
    return True


def _separable(desk: Desk, given: dict[str, Any]) -> str:
    """Return the name of an identity that can be given a device of its own, or has one."""
    identity = own_identity(desk, given["aor"])
    if not identity.separate:
        wanted(desk, {FLAG.name: True})
        identity.private_key()
    return identity.aor


def _separate(desk: Desk, given: dict[str, Any]) -> SeparatedStatus:
    from p2pship.identity.hit import format_hit

    aor = _separable(desk, given)
    changed = desk.keyring.separate(aor)
    hit = format_hit(own_identity(desk, aor).device.hit)
    return {"aor": aor, "hit": hit, "changed": changed, "running": desk.node is not None}


def _text(result: SeparatedStatus) -> str:
    if not result["changed"]:
        return f"{result['aor']} has a device of its own already, {result['hit']}. Nothing was done."
    found = "The links that it had are ended, and it is found anew in a moment."
    if not result["running"]:
        found = "It is found by that once the node runs."
    return (
        f"{result['aor']} has a device of its own now, {result['hit']}. {found}\n"
        "Who knew it before can still tell which device it was on, and who sees both can tell by address and time that they are "
        "on one node: see docs/security.md."
    )


SEPARATE = Verb(
    "identity",
    "separate",
    "give an identity a device of its own, in place of the one that all identities of this node share",
    _separate,
    _text,
    (Argument("aor", "the own identity", Kind.AOR),),
    offline=True,
    warning=lambda given: (
        f"This gives {given['aor']} another device for ever, and ends its calls. Only nodes that have HIP switched on reach it."
    ),
    check=_separable,
)
