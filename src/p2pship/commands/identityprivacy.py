"""``p2pship identity privacy``: for whom one identity publishes where it is (docs/reference/location-privacy.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.own import own_identity
from p2pship.commands.verb import Argument, Kind, Verb

if TYPE_CHECKING:
    from p2pship.desk import Desk

AS_CONFIGURED = "default"
"In place of a mode: that of the configuration, on each device its own."

CHOICES = ("open", "friends", "paranoid", AS_CONFIGURED)
"The modes, without the import of the lookups that have them."

_MEANS = {
    "open": "everybody who knows the name can find where it is",
    "friends": "everybody who knows the name can find where it is; friends can, without showing for whom they look",
    "paranoid": "only friends can find where it is",
}


class PrivacyStatus(TypedDict):
    """The answer to ``identity privacy``."""

    aor: str
    mode: str
    "open, friends or paranoid"
    chosen: bool
    "whether it was chosen for this identity, on all its devices; otherwise it is the mode of this device's configuration"
    friends: int
    "people with whom there is a secret by which they find each other: only they count as friends here"


def _privacy(desk: Desk, given: dict[str, Any]) -> PrivacyStatus:
    aor = own_identity(desk, given["aor"]).aor
    mode = given["mode"]
    if mode is not None:
        desk.modes.choose(aor, "" if mode == AS_CONFIGURED else mode)
    return {
        "aor": aor,
        "mode": desk.modes.of(aor),
        "chosen": desk.modes.chosen(aor),
        "friends": len({contact for contact, _, _ in desk.secrets.places(aor)} - {aor}),
    }


def _text(result: PrivacyStatus) -> str:
    source = (
        "chosen for all its devices" if result["chosen"] else "as [privacy] mode of the configuration says"
    )
    lines = [f"{result['aor']} is {result['mode']}, {source}: {_MEANS[result['mode']]}."]
    if result["mode"] != "open":
        lines.append(_friends_text(result["friends"]))
    return "\n".join(lines)


def _friends_text(number: int) -> str:
    if number:
        return (
            f"Friends: {number}. They are the contacts with whom it has agreed on a secret: `p2pship contact show` says so of each, "
            "and `p2pship contact pair` does that anew."
        )
    return (
        "There are no friends yet. Who have each other as contacts agree on a secret by themselves when they are next "
        "connected,\nor with `p2pship contact pair`."
    )


PRIVACY = Verb(
    "identity",
    "privacy",
    "see or choose who can find where an identity is",
    _privacy,
    _text,
    (
        Argument("aor", "the own identity", Kind.AOR),
        Argument(
            "mode",
            "open: everybody; friends: everybody, and friends unseen; paranoid: friends alone; default: as the "
            "configuration says",
            Kind.CHOICE,
            optional=True,
            choices=CHOICES,
        ),
    ),
    offline=True,
)
