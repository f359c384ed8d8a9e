"""Which of our own identities a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2pship.commands.verb import Argument, Kind
from p2pship.errors import LocalError

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.identity.identity import Identity

AS = Argument(
    "own", "the own identity that it is about, if not the default one", Kind.AOR, option=True, optional=True
)
"The option ``--own AOR`` of verbs about somebody else."


def own_identity(desk: Desk, aor: str | None) -> Identity:
    """Return our own identity of this AOR, or the default one if none is given.

    :raises LocalError: if there is none: the message says what to do.
    """
    keyring = desk.keyring
    identity = keyring.default if aor is None else keyring.identity(aor)
    if identity is not None:
        return identity
    for name in revoked_names(desk):
        if aor in (name, None):
            raise LocalError(
                f"{name} has revoked this device: `p2pship identity remove {name}` takes it off the list"
            )
    names = ", ".join(each.aor for each in keyring.identities())
    if not names:
        raise LocalError("there is no identity yet: `p2pship identity create alice@example.com` makes one")
    raise LocalError(f"{aor} is not an identity of this node: there are {names}")


def revoked_names(desk: Desk) -> list[str]:
    """Return the names that are still on this device, which their owners have revoked."""
    return [identity.aor for identity in desk.keyring.revoked_here()]


def need_node(desk: Desk) -> Any:
    """Return the running node.

    :raises LocalError: if none is running.
    """
    if desk.node is None:
        raise LocalError("this needs a running node: start it, and give the command again")
    return desk.node
