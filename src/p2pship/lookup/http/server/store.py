"""Where a rendezvous server keeps slots: what every store promises, and the rules that it decides by."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from zope.interface import Interface

from p2pship.errors import LocalError
from p2pship.lookup.http.server.source import site_of
from p2pship.lookup.http.wire import MOST_SLOTS, SignedSlot

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

OWNER_LENGTH = 16
"Octets by which the publisher of a slot is counted: enough to be no one else's, and no address that could be read off a disk."


class StoreFailed(LocalError):
    """The server cannot keep or read slots now; ask again later."""


class Outcome(Enum):
    """What became of a put."""

    STORED = "stored"
    "it is kept, and survives a crash"
    REPEATED = "repeated"
    "exactly this was kept already, as when an answer was lost"
    ABSENT = "absent"
    "a tombstone for what is not here: there was nothing to do"
    STALE = "stale"
    "what is kept has this sequence or a higher one"
    WITHDRAWN = "withdrawn"
    "the same, and it is a tombstone"
    QUOTA = "quota"
    "the publisher's address has put as many slots as it may"
    FULL = "full"
    "the server has as many slots as it may"


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a put."""

    outcome: Outcome
    listed: bool = False
    "whether who asks for the lookup key sees what was stored: others may have been there longer"
    sequence: int = 0
    "that of what is kept, where that is not older than what was put"


@dataclass(frozen=True, slots=True)
class Change:
    """A slot was stored, or withdrawn."""

    publication_key: bytes
    slot: bytes
    "as it was printed, a tombstone too"
    listed: bool
    "whether who asks for the lookup key sees it"


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much is kept."""

    slots: int
    "in all, tombstones too"
    each: int
    "from one address, less when much is kept: :func:`p2pship.lookup.http.server.places.share`"


@dataclass(frozen=True, slots=True)
class Put:
    """A slot that is to be kept; form, signature and dates have been checked."""

    slot: SignedSlot
    printed: bytes
    "the slot as it came"
    source: str
    "the address that it came from, or the network that counts as one"
    now: float
    "Unix time"


Follower = Callable[[Change | None], None]
"Hears of changes; of None when some may have been missed, so that everything has to be asked for again."


class IRendezvousStore(Interface):
    """Keeps slots. One for each pair of lookup key and publication key; it forgets them when they expire.

    Deferreds fail with :class:`StoreFailed`. Of the slots under a lookup key those are *listed* that have been there longest,
    so that whoever comes later with slots of their own cannot push one out; the others are still found by their publication key.
    """

    def start() -> Deferred[None]:
        """Open what is kept.

        Fires when slots can be put and asked for; fails with ConfigError if the store cannot be used as it must.
        """

    def stop() -> Deferred[None]:
        """Finish what has been begun, and fire when everything is closed."""

    def put(put: Put) -> Deferred[Kept]:
        """Keep a slot; fires with the answer when a crash, of this process or of the machine, cannot undo it."""

    def listed(lookup_key: bytes, now: float) -> Deferred[Sequence[bytes]]:
        """Fire with the listed slots, longest-standing first, at most 16, as they were printed; no tombstones."""

    def one(lookup_key: bytes, publication_key: bytes, now: float) -> Deferred[bytes | None]:
        """Fire with one slot, listed or not, or its tombstone, as it was printed; None if there is none."""

    def follow(lookup_key: bytes, follower: Follower) -> Deferred[Callable[[], None]]:
        """Tell a follower every change under a lookup key from when this fires, with what ends it."""

    def sweep(now: float) -> Deferred[int]:
        """Forget what has expired; fires with how many slots that were."""

    def held() -> Deferred[int]:
        """Fire with how many slots are kept; fails if the store does not work."""


@dataclass(frozen=True, slots=True)
class Before:
    """What is kept in a slot at the moment of a put."""

    sequence: int
    withdrawn: bool
    printed: bytes


def refusal(before: Before | None, put: Put) -> Kept | None:
    """Return the answer to a put that changes nothing because of what is kept there; None if it is to be stored."""
    if before is None:
        return Kept(Outcome.ABSENT) if put.slot.withdrawn else None
    if before.printed == put.printed:
        return Kept(Outcome.REPEATED, sequence=before.sequence)
    if put.slot.sequence > before.sequence:
        return None
    return Kept(Outcome.WITHDRAWN if before.withdrawn else Outcome.STALE, sequence=before.sequence)


def owner_of(salt: bytes, source: str) -> bytes:
    """Return by what the slots from an address are counted: nobody can tell the address by it who lacks the store's salt."""
    return hmac.digest(salt, site_of(source).encode("ascii"), "sha256")[:OWNER_LENGTH]


def is_listed(before: int) -> bool:
    """Tell whether a slot is listed that so many under the same lookup key have been there longer than."""
    return before < MOST_SLOTS
