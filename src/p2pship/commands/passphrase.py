"""``p2pship passphrase``: what protects the keys on this disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from p2pship.commands.aside import aside
from p2pship.commands.verb import Argument, Kind, Verb
from p2pship.errors import LocalError

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.storage.wrapping import PassphraseKey

T = TypeVar("T")


class PassphraseStatus(TypedDict):
    """The answer to every verb of ``passphrase``."""

    passphrase: bool
    "whether the keys are under a passphrase"


def _status(desk: Desk, given: dict[str, Any]) -> PassphraseStatus:
    return {"passphrase": desk.vault.locked}


def _set(desk: Desk, given: dict[str, Any]) -> Any:
    if desk.vault.locked:
        raise LocalError("the keys are under a passphrase already: `p2pship passphrase change` changes it")
    return _changed(desk, lambda: desk.vault.new_key(given["passphrase"]), desk.vault.set_key)


def _change(desk: Desk, given: dict[str, Any]) -> Any:
    def new_key() -> PassphraseKey:
        _prove(desk, given["current"])
        return desk.vault.new_key(given["passphrase"])

    return _changed(desk, new_key, desk.vault.set_key)


def _remove(desk: Desk, given: dict[str, Any]) -> Any:
    return _changed(desk, lambda: _prove(desk, given["current"]), lambda _: desk.vault.remove_passphrase())


def _changed(desk: Desk, work: Callable[[], T], change: Callable[[T], None]) -> Any:
    """Check and make the keys of passphrases aside, and then make the change, unless another command was faster."""
    before = desk.vault.key

    def done(result: T) -> PassphraseStatus:
        if desk.vault.key is not before:
            raise LocalError("the passphrase was changed meanwhile: give the command again")
        change(result)
        return _status(desk, {})

    return aside(desk, work, done)


def _prove(desk: Desk, current: bytes) -> None:
    """Have whoever is at the keyboard of a running node show that they know it."""
    if not desk.vault.locked:
        raise LocalError("the keys are under no passphrase: `p2pship passphrase set` sets one")
    if not desk.vault.is_passphrase(current):
        raise LocalError("that is not the passphrase of the keys")


def _text(result: PassphraseStatus) -> str:
    if not result["passphrase"]:
        return (
            "The keys are under no passphrase: whoever can read this user's files, or a copy of them, has them.\n"
            "`p2pship passphrase set` sets one."
        )
    return (
        "The keys are under a passphrase. The node asks for it when it starts: at the terminal, with --passphrase-fd N, "
        "or as\nthe systemd credential p2pship.passphrase. If it is lost, only a backup brings the identities back."
    )


_CURRENT = Argument("current", "present passphrase", Kind.SECRET)
_NEW = Argument("passphrase", "new passphrase", Kind.SECRET, twice=True)

VERBS = (
    Verb("passphrase", "status", "whether the keys are under a passphrase", _status, _text, offline=True),
    Verb(
        "passphrase",
        "set",
        "put the keys under a passphrase",
        _set,
        _text,
        (_NEW,),
        offline=True,
        founds=True,
    ),
    Verb(
        "passphrase",
        "change",
        "put them under another passphrase",
        _change,
        _text,
        (_CURRENT, _NEW),
        offline=True,
    ),
    Verb(
        "passphrase",
        "remove",
        "leave the keys to the protection of the file system",
        _remove,
        _text,
        (_CURRENT,),
        offline=True,
    ),
)
