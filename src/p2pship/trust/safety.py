"""The safety number: 60 digits that two people compare, to know that each has the other's true key.

Each side has 30 digits, made of its canonical AOR and identity key alone; the smaller side comes first, so both people see the
same number. A side is 5,200 rounds of SHA-512, so that trying keys until the digits look alike costs that much more: 30 digits
are 100 bits, 5,200 rounds add 12. A QR code carries both hashes whole and is compared by the program.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Generator
from enum import Enum
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator

from p2pship.errors import RemoteError

T = TypeVar("T")

ROUNDS = 5_200
SLICE = 400
"Rounds done in one turn of the reactor: under a millisecond."

GROUPS, DIGITS = 6, 5
"Groups of a side, and digits of a group."

_VERSION = b"\0\1"
_GROUP_OCTETS = 5
_SIDE_OCTETS = 64
_URI = "p2pship:safety?v=1&h="


class BadSafetyNumber(RemoteError):
    """This is no safety number: it has 60 digits, or is the p2pship:safety address that a QR code holds."""


class Comparison(Enum):
    """What came of comparing."""

    SAME = "the numbers are the same: the key is the person's own"
    DIFFERENT = "the numbers differ: somebody may be between you and them; do not trust the key"
    ANOTHER = "this is the safety number of other people or other keys than yours"


def in_one_go(steps: Generator[None, None, T]) -> T:
    """Return what a computation in steps comes to: some 10 ms for a safety number."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_slices(clock: IReactorTime, steps: Generator[None, None, T]) -> Deferred[T]:
    """Do a computation in steps, one in each turn of the reactor, so that no packet waits for it."""
    ended: list[T] = []

    def run() -> Generator[None, None, None]:
        ended.append((yield from steps))

    later: Callable[[Callable[[], Any]], Any] = lambda turn: clock.callLater(0, turn)  # noqa: E731
    done = Cooperator(scheduler=later, terminationPredicateFactory=lambda: lambda: True).coiterate(run())
    return done.addCallback(lambda _: ended[0])


def hashes(own: str, own_key: bytes, aor: str, key: bytes) -> Generator[None, None, tuple[bytes, bytes]]:
    """Make the hash of our own side and that of the other, 64 octets each, in steps.

    AORs are canonical, keys DER SubjectPublicKeyInfo.
    """
    ours = yield from _side(own, own_key)
    theirs = yield from _side(aor, key)
    return ours, theirs


def number(ours: bytes, theirs: bytes) -> str:
    """Return the 60 digits of two sides' hashes, in 12 groups of 5."""
    return " ".join(sorted((_digits(ours), _digits(theirs))))


def uri(ours: bytes, theirs: bytes) -> str:
    """Return what a QR code is to hold."""
    both = b"".join(sorted((ours, theirs)))
    return _URI + base64.urlsafe_b64encode(both).rstrip(b"=").decode("ascii")


def compare(given: str, ours: bytes, theirs: bytes) -> Comparison:
    """Compare a safety number, or the URI of a QR code, with the hashes of both sides.

    :raises BadSafetyNumber: if it is neither.
    """
    if given.startswith("p2pship:"):
        return _judged(_sides_of(given), ours, theirs)
    digits = "".join(given.split())
    if len(digits) != 2 * GROUPS * DIGITS or not (digits.isascii() and digits.isdigit()):
        raise BadSafetyNumber
    half = GROUPS * DIGITS
    sides = [digits[:half], digits[half:]]
    return _judged(sides, *("".join(_digits(side).split()) for side in (ours, theirs)))


def _judged(sides: list[Any], ours: Any, theirs: Any) -> Comparison:
    if sorted(sides) == sorted((ours, theirs)):
        return Comparison.SAME
    # Somebody between both shows each of them a true own side, and a false one of the other.
    return Comparison.DIFFERENT if ours in sides or theirs in sides else Comparison.ANOTHER


def _sides_of(given: str) -> list[bytes]:
    text = given.removeprefix(_URI)
    try:
        both = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise BadSafetyNumber from None
    if not given.startswith(_URI) or len(both) != 2 * _SIDE_OCTETS:
        raise BadSafetyNumber
    return [both[:_SIDE_OCTETS], both[_SIDE_OCTETS:]]


def _side(aor: str, key: bytes) -> Generator[None, None, bytes]:
    digest = _VERSION + key + aor.encode("utf-8")
    for done in range(ROUNDS):
        digest = hashlib.sha512(digest + key).digest()
        if done % SLICE == SLICE - 1:
            yield
    return digest


def _digits(side: bytes) -> str:
    pieces = (side[at * _GROUP_OCTETS : (at + 1) * _GROUP_OCTETS] for at in range(GROUPS))
    return " ".join(f"{int.from_bytes(piece, 'big') % 10**DIGITS:0{DIGITS}}" for piece in pieces)
