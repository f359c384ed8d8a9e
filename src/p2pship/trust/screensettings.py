"""The section ``[screen]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.config import each, option
from p2pship.sectionreader import Check


def _one_of(*words: str) -> Check:
    def check(value: str) -> None:
        if value not in words:
            raise ValueError(f"give one of {', '.join(words)}")

    return check


_check_who = each(_one_of("contact", "introduced", "stranger"))


@dataclass(frozen=True)
class ScreenSettings:
    """Who may reach you.

    It is decided by what the other node has proven, never by what a message says. Your own devices always may; who is on
    your block list, or comes with another key than you know, or than the domain of the name says, never may. `p2pship contact
    block` and `contact allow` keep the lists.
    """

    strangers: str = option(
        "allow",
        "What people may do who are neither your contacts nor introduced by one: allow (what the lists below say), "
        "messages (only write, if they may), or refuse (nothing: their nodes are not even let in).",
        check=_one_of("allow", "messages", "refuse"),
    )
    calls: tuple[str, ...] = option(
        ["contact", "introduced", "stranger"],
        "Who may call you.",
        check=_check_who,
    )
    messages: tuple[str, ...] = option(
        ["contact", "introduced", "stranger"],
        "Who may write to you.",
        check=_check_who,
    )
    presence: tuple[str, ...] = option(
        ["contact", "introduced"],
        "Who may see whether you are there.",
        check=_check_who,
    )
    name_grade: str = option(
        "any",
        "How true the name must be of those who are not your contacts: any, known (a key that you know, or a "
        "verified name), or verified (by an authority of the domain, the domain, or the name itself).",
        check=_one_of("any", "known", "verified"),
    )
    international_names: bool = option(
        False,
        "Whether names may have other than ASCII characters before the @, your own and those of others: many letters "
        "of other scripts look like another one.",
    )
