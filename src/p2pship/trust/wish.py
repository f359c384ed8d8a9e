"""What another person may want of one of our own, and what is decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from p2pship.identity.verdict import Verdict


class Wish(Enum):
    """What is asked for; the value is the option of ``[screen]`` that says who may."""

    CALL = "calls"
    "to ring our phones"
    MESSAGE = "messages"
    "to be read"
    PRESENCE = "presence"
    "to know whether we are there"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what of whom. All of it comes from the authenticated peer, nothing from a header."""

    own: str
    "our own identity's canonical AOR"
    aor: str
    "the other person's canonical AOR, which their papers have"
    verdict: Verdict
    wish: Wish


@dataclass(frozen=True, slots=True)
class Decision:
    """What screening decided, and which rule did."""

    allowed: bool
    rule: str
    "the name of the rule, such as ``block list``"
    reason: str
    "why, in words for the owner; whoever asked is never told"
