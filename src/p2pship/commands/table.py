"""Every noun and its verbs, and the control socket's commands made of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from p2pship.commands.verb import Verb

if TYPE_CHECKING:
    from p2pship.desk import Desk

NOUNS = {
    "identity": "this node's own identities",
    "passphrase": "what protects the keys on this disk",
    "ca": "who vouches for the names of a domain: your own CAs, and those you trust",
    "contact": "the people you know, and who may reach you",
    "vouch": "what friends say about third people, and what you say to them",
    "device": "the devices of one identity, and this one's keys",
    "hip": "the links that move: our Host Identities, associations with others, and pings",
    "phone": "the passwords of phones that are not on this machine",
}
"Each noun and what it is about; the module of its name here has them in VERBS."


def verbs(noun: str) -> tuple[Verb, ...]:
    """Return the verbs of a noun."""
    found: tuple[Verb, ...] = import_module(f"p2pship.commands.{noun}").VERBS
    return found


def all_verbs() -> list[Verb]:
    """Return every verb there is."""
    return [verb for noun in NOUNS for verb in verbs(noun)]


def commands(desk: Callable[[], Desk]) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Return what a control socket answers, by name; ``desk`` is asked at each command."""

    def serve(verb: Verb) -> Callable[[dict[str, Any]], Any]:
        return lambda given: verb.run(desk(), verb.taken(given))

    checks = [verb.checking for verb in all_verbs() if verb.check is not None]
    return {verb.command: serve(verb) for verb in (*all_verbs(), *checks)}
