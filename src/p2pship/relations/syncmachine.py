"""How two copies of a ledger become the same: what differs is found by parts, and the newer entry of each name passes.

Theory of operation. The entries are dealt to 256 parts by the hash of their names. Two devices that meet show each other a
digest of each part (2 KiB). Each then asks the other about the parts that differ: it lists what it has in some of them, and
is sent what is newer there, in as many answers as it takes. Both ask, so each only ever takes what it lacks, and nothing
depends on who was right before. What came is merged by the ledger, which decides entry by entry; asking ends when an answer
brought nothing new, so a copy that cannot be merged is not asked for without end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from p2pship.relations.syncwire import (
    BUCKETS,
    DIGEST_OCTETS,
    MOST_ENTRIES,
    MOST_LISTED,
    Entries,
    Question,
    entry_id,
    size,
)
from p2pship.trust.entry import Entry

ROOM = 49_152
"Octets of entries in a message: it fits a payload of 65,536, and a part's last entry may still be one of the longest."

Key = tuple[str, str]
"Kind and name of an entry."


class Copy:
    """What one device has, by parts: the stamps of its entries, as they were when it was made."""

    def __init__(self, stamps: Mapping[Key, bytes]) -> None:
        """``stamps`` is the stamp of each entry by kind and name, removed ones included."""
        self._parts: list[dict[bytes, tuple[bytes, Key]]] = [{} for _ in range(BUCKETS)]
        for key, stamp in stamps.items():
            id = entry_id(*key)
            self._parts[id[0]][id] = stamp, key

    def digests(self) -> tuple[bytes, ...]:
        """Return the digest of each part."""
        return tuple(map(_digest, self._parts))

    def differing(self, digests: Sequence[bytes]) -> bytes:
        """Return the numbers of the parts whose digests differ from another copy's."""
        return bytes(number for number, own in enumerate(self.digests()) if own != digests[number])

    def questions(self, buckets: bytes) -> Iterator[Question]:
        """Yield the questions about some parts, each as long as a payload allows."""
        asked, known = bytearray(), list[tuple[bytes, bytes]]()
        for bucket in buckets:
            has = [(id, stamp) for id, (stamp, _) in self._parts[bucket].items()][:MOST_LISTED]
            if asked and len(known) + len(has) > MOST_LISTED:
                yield Question(bytes(asked), tuple(known))
                asked, known = bytearray(), []
            asked.append(bucket)
            known += has
        if asked:
            yield Question(bytes(asked), tuple(known))

    def newer(self, question: Question) -> list[tuple[int, Key]]:
        """Return part and key of each entry here that is newer than the asker's, or that the asker lacks."""
        known = dict(question.known)
        return [
            (bucket, key)
            for bucket in question.buckets
            for id, (stamp, key) in self._parts[bucket].items()
            if known.get(id, b"") < stamp
        ]


def pages(entries: Iterable[Entry]) -> Iterator[tuple[Entry, ...]]:
    """Cut entries into pages of which each fits one message."""
    page: list[Entry] = []
    octets = 0
    for entry in entries:
        length = size(entry)
        if page and (octets + length > ROOM or len(page) == MOST_ENTRIES):
            yield tuple(page)
            page, octets = [], 0
        page.append(entry)
        octets += length
    if page:
        yield tuple(page)


def first_page(found: Sequence[tuple[int, Entry]]) -> Entries:
    """Return the first page of what was asked for, each entry with its part, and which parts are not told whole."""
    page = next(pages(entry for _, entry in found), ())
    return Entries(page, bytes(sorted({bucket for bucket, _ in found[len(page) :]})))


def _digest(part: Mapping[bytes, tuple[bytes, Key]]) -> bytes:
    if not part:
        return bytes(DIGEST_OCTETS)
    digest = hashlib.sha256(b"".join(id + stamp for id, (stamp, _) in sorted(part.items())))
    return digest.digest()[:DIGEST_OCTETS]
