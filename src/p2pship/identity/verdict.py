"""Two facts, kept apart: how true a name is, and what acquaintance the person is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import inf


class NameGrade(Enum):
    """How sure it is that the name is this person's."""

    VERIFIED = "verified"
    "by a CA of the domain, by the domain itself, or by a name that is its own proof"
    KNOWN = "known"
    "the key is the one that the user confirmed"
    UNPROVEN = "unproven"
    "nobody vouches for it"
    CHANGED = "changed"
    "the key is another than the user confirmed, or than the name's own domain says"


class Acquaintance(Enum):
    """What the person is to us."""

    OWN = "own device"
    CONTACT = "contact"
    INTRODUCED = "introduced"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of a person."""

    name: NameGrade
    acquaintance: Acquaintance
    reasons: tuple[str, ...] = ()
    "why, in words"
    display: str = ""
    "the name under which the user has entered the person; empty if there is no entry"
    warnings: tuple[str, ...] = ()
    "what looks wrong with the name, in words: it is easily taken for another one"
    by: str = ""
    "who verified the name: ``ca:`` and 16 hexadecimal digits of its key's SHA-256, ``domain``, ``self``; else empty"
    outdated: bool = False
    """whether the key is one that gave way to the known one: what the person said of old, or somebody with the old key. Such papers
    are believed nothing, but the device may be dialled, for it may have newer ones"""

    until: float = inf
    "until when it may be thought without judging again, Unix time: a certificate or a domain's page ends"

    @property
    def proven(self) -> bool:
        """Whether the key may be dialled at once, without waiting for other answers."""
        return self.name in (NameGrade.VERIFIED, NameGrade.KNOWN)
