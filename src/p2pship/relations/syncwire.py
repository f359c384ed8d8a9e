"""What own devices send each other of the ledger: summaries, questions and entries, as deterministic CBOR.

Each message is an array that begins with the format's version and the number of its kind (docs/reference/sync.md). The
value of an entry is a byte string that holds CBOR itself, so that it may be nested as deep as any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.trust.entry import STAMP_OCTETS, BadEntry, Entry

VERSION = 1
"The version of the format; another one is refused."

BUCKETS = 256
"Parts in which the ledger is compared: with ten thousand entries, 40 of them are listed to find the one that differs."

DIGEST_OCTETS = 8
"Of each part in a summary: own devices compare what they have; nobody is convinced of anything by it."

ID_OCTETS = 12
"Of SHA-256 over kind, a zero octet and name: an entry's own in a question."

LONGEST_NEWS = 56_000
"Octets: a statement, its chain and its revocation list, each as long as may be."

MOST_ENTRIES = 1_024
"Entries in a message."

MOST_LISTED = 2_048
"Entries listed in a question: 61 KB, so that it fits one payload."

_SUMMARY, _QUESTION, _ENTRIES = 1, 2, 3


class BadSync(RemoteError):
    """What another own device sent is not of its form."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a device has, in short."""

    digests: tuple[bytes, ...]
    "of each of the 256 parts"
    news: bytes
    "the newest statement of the identity that the device knows, as of :mod:`p2pship.relations.statementwire`"


@dataclass(frozen=True, slots=True)
class Question:
    """Which entries of some parts are newer with you than with me?"""

    buckets: bytes
    "the numbers of the parts, one octet each, rising"
    known: tuple[tuple[bytes, bytes], ...]
    "id and stamp of each entry that the asker has in them"


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries, asked for or because they have changed."""

    entries: tuple[Entry, ...]
    left: bytes = b""
    "the numbers of those parts of the question that have more: ask again"


Message: TypeAlias = Summary | Question | Entries


def entry_id(kind: str, name: str) -> bytes:
    """Return what names an entry in a question; its first octet is the number of its part."""
    return hashlib.sha256(kind.encode("utf-8") + b"\0" + name.encode("utf-8")).digest()[:ID_OCTETS]


def write(message: Message) -> bytes:
    """Return the octets of a message."""
    match message:
        case Summary():
            return encode([VERSION, _SUMMARY, b"".join(message.digests), message.news])
        case Question():
            known = b"".join(id + stamp for id, stamp in message.known)
            return encode([VERSION, _QUESTION, message.buckets, known])
    entries = [[one.kind, one.name, one.stamp, one.value] for one in message.entries]
    return encode([VERSION, _ENTRIES, entries, message.left])


def size(entry: Entry) -> int:
    """Return the most octets that an entry adds to a message."""
    return 16 + len(entry.kind) + 4 * len(entry.name) + STAMP_OCTETS + len(entry.value or b"")


def read(octets: bytes) -> Message:
    """Read a message.

    :raises BadSync: if it is not of its form, or anything in it is longer or more than allowed.
    """
    try:
        value = decode(octets)
    except BadCBOR as error:
        raise BadSync(str(error)) from None
    match value:
        case [int(version), *_] if version != VERSION or version is True:
            raise BadSync("it is of another version of the format")
        case [_, int(kind), first, second] if kind is not True:
            return _read(kind, first, second)
    raise BadSync("it is not an array of four")


def _read(kind: int, first: Any, second: Any) -> Message:
    if kind == _SUMMARY and isinstance(first, bytes) and isinstance(second, bytes):
        return _summary(first, second)
    if kind == _QUESTION and isinstance(first, bytes) and isinstance(second, bytes):
        return Question(_rising(first), _known(second))
    if kind == _ENTRIES and isinstance(first, list) and isinstance(second, bytes):
        if len(first) > MOST_ENTRIES:
            raise BadSync(f"it has {len(first)} entries, more than {MOST_ENTRIES}")
        return Entries(tuple(map(_entry, first)), _rising(second))
    raise BadSync("it is of no kind that is known")


def _summary(digests: bytes, news: bytes) -> Summary:
    if len(digests) != BUCKETS * DIGEST_OCTETS or len(news) > LONGEST_NEWS:
        raise BadSync("its summary has another length")
    return Summary(tuple(_pieces(digests, DIGEST_OCTETS)), news)


def _rising(buckets: bytes) -> bytes:
    if bytes(sorted(set(buckets))) != buckets:
        raise BadSync("the parts that it names are not in order")
    return buckets


def _known(octets: bytes) -> tuple[tuple[bytes, bytes], ...]:
    length = ID_OCTETS + STAMP_OCTETS
    if len(octets) % length or len(octets) > MOST_LISTED * length:
        raise BadSync(f"what it lists is not up to {MOST_LISTED} times {length} octets")
    return tuple((one[:ID_OCTETS], one[ID_OCTETS:]) for one in _pieces(octets, length))


def _entry(value: Any) -> Entry:
    match value:
        case [str(kind), str(name), bytes(stamp), bytes() | None as content]:
            entry = Entry(kind, name, stamp, content)
            try:
                entry.check()
            except BadEntry as error:
                raise BadSync(str(error)) from None
            return entry
    raise BadSync("an entry is not of its form")


def _pieces(octets: bytes, length: int) -> Sequence[bytes]:
    return [octets[at : at + length] for at in range(0, len(octets), length)]
