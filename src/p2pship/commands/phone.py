"""``p2pship phone``: the passwords of phones that are not on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.columns import aligned, minute
from p2pship.commands.own import own_identity
from p2pship.commands.verb import Argument, Kind, Verb

if TYPE_CHECKING:
    from p2pship.desk import Desk

GENERATED_OCTETS = 12
"Random octets of a password that is made here: 96 bits, in 20 characters that no telephone's menu mistakes."


class PhoneStatus(TypedDict):
    """One phone that has a password."""

    aor: str
    username: str
    since: float
    "Unix time"


class PasswordSet(PhoneStatus):
    """The phone whose password was set."""

    realm: str
    "which the phone will be shown"
    password: str | None
    "the password if it was made here"


def _password(desk: Desk, given: dict[str, Any]) -> PasswordSet:
    from p2pship.sip.phones import realm_of

    own = own_identity(desk, given["aor"])
    username = given["username"] or own.aor.partition("@")[0]
    made = _made(desk) if given["generate"] else None
    password = made or given["password"].decode("utf-8", "replace")
    phone = desk.phones.set_password(own.aor, username, password)
    return {
        "aor": phone.aor,
        "username": phone.username,
        "since": phone.since,
        "realm": realm_of(phone.aor),
        "password": made,
    }


def _made(desk: Desk) -> str:
    from base64 import b32encode

    return b32encode(desk.random(GENERATED_OCTETS)).decode().rstrip("=").lower()


def _said(result: PasswordSet) -> str:
    shown = f" with the password {result['password']}" if result["password"] else ""
    return (
        f"The phone with the user name {result['username']} may register as {result['aor']} from other machines{shown}.\n"
        "It registers at the address of [sip.network]; nothing there is encrypted."
    )


def _list(desk: Desk, given: dict[str, Any]) -> list[PhoneStatus]:
    return [
        {"aor": each.aor, "username": each.username, "since": each.since}
        for each in desk.phones.list(given["aor"])
    ]


def _listed(phones: list[PhoneStatus]) -> str:
    if not phones:
        return "No phone has a password: p2pship phone password NAME sets one."
    rows = [(each["aor"], each["username"], minute(each["since"])) for each in phones]
    return aligned([("NAME", "USER NAME", "PASSWORD SET"), *rows])


def _remove(desk: Desk, given: dict[str, Any]) -> dict[str, str]:
    username = given["username"] or given["aor"].partition("@")[0]
    desk.phones.remove(given["aor"], username)
    return {"aor": given["aor"], "username": username}


_USERNAME = Argument(
    "username",
    "its user name for authentication, if not the part of the name before the @",
    option=True,
    optional=True,
)

VERBS = (
    Verb(
        "phone",
        "password",
        "set the password of a phone that is not on this machine",
        run=_password,
        text=_said,
        arguments=(
            Argument("aor", "the name under which it registers", Kind.AOR),
            _USERNAME,
            Argument("generate", "make a password and show it", Kind.FLAG),
            Argument(
                "password",
                "password of the phone",
                Kind.SECRET,
                wanted=lambda given: not given.get("generate"),
                twice=True,
            ),
        ),
        offline=True,
    ),
    Verb(
        "phone",
        "list",
        "show the phones that have a password",
        run=_list,
        text=_listed,
        arguments=(Argument("aor", "only those of this name", Kind.AOR, optional=True),),
        offline=True,
    ),
    Verb(
        "phone",
        "remove",
        "let a phone register no more",
        run=_remove,
        text=lambda result: (
            f"The phone with the user name {result['username']} of {result['aor']} has no password any more."
        ),
        arguments=(Argument("aor", "the name under which it registers", Kind.AOR), _USERNAME),
        offline=True,
    ),
)
