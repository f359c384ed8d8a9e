"""What lookups and the search over them hand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pship.address import Locator
from p2pship.errors import P2PShipError
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an item is published: one for each day, place and device, and for each piece of an annex there."""

    lookup_key: bytes
    "32 octets, derived from the secret of the place and the day, and from the reference of a piece"
    publication_key: bytes
    "an Ed25519 public key, 32 octets: the device's own, or, at a friend's place, one that only the two can tell to be its"
    private_key: Ed25519PrivateKey = field(compare=False, repr=False)
    "the private key to it, for lookups whose slots are signed"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a lookup: everything under a lookup key, and whatever may help to find the true item among it."""

    lookup_key: bytes
    "32 octets"
    domain: str = ""
    "the domain of the name that is searched for, which may say itself where to ask; empty if it is not to be asked"
    known: tuple[bytes, ...] = ()
    """the publication keys, 32 octets each, under which devices of the person publish there, as far as they are known: a lookup
    that can ask for one slot asks for theirs, however many others are under the lookup key"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sealed item that a lookup found; anybody may have put it there."""

    item: bytes
    "the sealed item"
    lookup: str
    "the name of the lookup"
    over_loopback: bool = False
    "whether it came from this very machine"
    on_link: bool = False
    "whether it came from one of our own networks, so that its private addresses mean something here"
    source: str = field(default="", compare=False)
    "who gave it, such as a server or an address, for people to read; empty where only the lookup is known"
    signer: bytes = field(default=b"", compare=False)
    "the publication key that has signed it where it was kept, if the lookup has checked that; empty otherwise"


@dataclass(frozen=True, slots=True)
class Found:
    """A device of the person searched for: its papers hold, and its key may be dialled."""

    papers: Papers
    locators: tuple[Locator, ...]
    "those of the record's locators that may be dialled from here, most preferred first"
    verdict: Verdict
    lookup: str
    "where it was found"


class Publishing(Enum):
    """What becomes of what is published on a lookup."""

    NONE = "none"
    "it is never published on: the lookup only searches"
    UNTESTED = "untested"
    "who asks is answered by this node itself, and it cannot tell whether others are led to it"
    TESTED = "tested"
    "the node can ask for it as others do, and does so to see that it is found"


class NobodyToAsk(P2PShipError):
    """A lookup has nobody whom it could ask for this name, and nothing is wrong with it."""


class Answer(Enum):
    """How one lookup's part of a search ended."""

    COMPLETED = "completed"
    "it was asked, and it has said all that it had to say"
    NOT_ASKED = "not asked"
    "there is nobody to ask for this name, and nothing is wrong with the lookup"
    TIMED_OUT = "timed out"
    FAILED = "failed"
    UNDER_WAY = "not answered yet"
    "it has not ended: only in what a search says of itself before its end"


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of asking one lookup."""

    lookup: str
    answer: Answer
    seconds: float
    "how long it took"
    reason: str = ""
    "why it failed, or which of its servers are of no use though it completed, in words"


@dataclass(frozen=True, slots=True)
class FindOutcome:
    """How a search ended."""

    asked: tuple[Asked, ...]
    "each lookup that was asked"
    found: int
    "how many devices were found"
    ambiguous: bool = False
    "whether several keys claim the name and none is proven, so that nobody was dialled"
    refused: tuple[str, ...] = ()
    "why answers were not believed, in words"
    changed: bool = False
    """whether devices were found, but only such as have another identity key than the user confirmed, or the domain names: nobody was
    dialled"""
    doubted: bool = False
    "whether somebody who knows the name published under it, and nothing of that was believed, as what is over: nobody was dialled"
