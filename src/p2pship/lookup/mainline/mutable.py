"""Keeps items in the DHT itself, as mutable items of BEP 44: whoever knows the publication key finds them though the node is away.

Theory of operation. A node of the DHT that was given an item keeps it for two hours, and those that are responsible for it come
and go; a record holds for one. What is published is therefore put anew every :data:`PUT_EVERY` seconds or a little more:
rounds of a publisher come oftener, and most of them put nothing. A publication that comes sooner after the last one than
rounds do has news, and is put at once, as is the first after our addresses have changed. A put takes some dozens of datagrams, so that no more than :data:`AT_ONCE` are under way.
What is taken back is put as an empty item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred, succeed

from p2pship.journal import Journal
from p2pship.lookup.candidate import Slot

PUT_EVERY = 40 * 60.0
"""Seconds: with rounds a quarter of an hour apart an item is put every 45 minutes, so that the record in it always holds for a
quarter of an hour more. BEP 44 asks for once an hour at least."""

NEWS = 12 * 60.0
"Seconds between publications that show news: rounds are 13.5 minutes apart at least."

RETRY = 60.0
"Seconds until an item that no node took is put again."

PUT_TIME = 30.0
"Seconds after which a put is given up: a search of the DHT takes ten at most."

AT_ONCE = 4
"Puts under way: 40 kB of traffic."

SALT_LENGTH = 20
"Octets of a salt; BEP 44 allows 64."

_SALT = b"p2pship mutable item v1\0"

TAKEN_BACK = b""
"What is put for who takes an item back."


def salt(lookup_key: bytes) -> bytes:
    """Return the salt of what is published under a lookup key: it changes every day, as that does."""
    return hashlib.sha256(_SALT + lookup_key).digest()[:SALT_LENGTH]


def expanded(key: Ed25519PrivateKey) -> bytes:
    """Return the 64 octets that an Ed25519 private key becomes before it signs (RFC 8032 §5.1.5)."""
    digest = bytearray(hashlib.sha512(key.private_bytes_raw()).digest())
    digest[0] &= 0xF8
    digest[31] = digest[31] & 0x7F | 0x40
    return bytes(digest)


class PutsItems(Protocol):
    """What is used of :class:`~p2pship.lookup.mainline.session.DHTSession`."""

    def put_item(
        self,
        expanded_key: bytes,
        publication_key: bytes,
        salt: bytes,
        item: bytes,
        ended: Callable[[int], object],
    ) -> None:
        """Put an item."""


@dataclass(slots=True)
class _Kept:
    """What is published in one slot."""

    item: bytes
    published: float
    "when it last was, Unix time"
    put: float = 0.0
    "when it was last put; 0: never"


class MutableItems:
    """The items that this node keeps in the DHT."""

    def __init__(self, reactor: Any, session: PutsItems, journal: Journal) -> None:
        self._reactor = reactor
        self._session = session
        self._journal = journal
        self._kept: dict[Slot, _Kept] = {}
        self._waiting: dict[Slot, bytes] = {}
        self._under_way: dict[Slot, Any] = {}
        self._taken_back: dict[Slot, Deferred[None]] = {}
        self._retries: dict[Slot, Any] = {}

    def publish(self, slot: Slot, item: bytes) -> None:
        """Keep an item in its slot, and put it if it is time to, or is news."""
        now = self._reactor.seconds()
        self._tell_taken_back(slot)  # this takes the place of the empty item
        kept = self._kept.get(slot)
        if kept is None:
            kept = self._kept[slot] = _Kept(item, now)
        elif now - kept.published >= NEWS and now - kept.put < PUT_EVERY:
            kept.item, kept.published = item, now
            return
        kept.item, kept.published, kept.put = item, now, now
        self._put(slot, item)

    def moved(self) -> None:
        """Take the next publication of each item for news: our addresses have changed."""
        for kept in self._kept.values():
            kept.put = 0.0

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Put an empty item in the slot; fires when that was tried. Nothing is done if it holds none."""
        if self._kept.pop(slot, None) is None:
            return succeed(None)

        def forget(_: object) -> None:
            self._taken_back.pop(slot, None)

        done = self._taken_back[slot] = Deferred(forget)
        self._put(slot, TAKEN_BACK)
        return done

    def stop(self) -> None:
        """Put nothing more."""
        self._kept.clear()
        self._waiting.clear()
        for timer in (*self._under_way.values(), *self._retries.values()):
            timer.cancel()
        self._under_way.clear()
        self._retries.clear()
        for slot in tuple(self._taken_back):
            self._tell_taken_back(slot)

    def _put(self, slot: Slot, item: bytes) -> None:
        retry = self._retries.pop(slot, None)
        if retry is not None:
            retry.cancel()
        self._waiting[slot] = item
        self._next()

    def _next(self) -> None:
        for slot in tuple(self._waiting):
            if len(self._under_way) >= AT_ONCE:
                return
            if slot not in self._under_way:
                self._begin(slot, self._waiting.pop(slot))

    def _begin(self, slot: Slot, item: bytes) -> None:
        timer = self._reactor.callLater(PUT_TIME, self._ended, slot, item, 0)
        self._under_way[slot] = timer
        self._session.put_item(
            expanded(slot.private_key),
            slot.publication_key,
            salt(slot.lookup_key),
            item,
            lambda nodes: self._ended(slot, item, nodes, timer),
        )

    def _ended(self, slot: Slot, item: bytes, nodes: int, timer: Any = None) -> None:
        current = self._under_way.get(slot)
        if current is None or timer not in (None, current):
            return
        del self._under_way[slot]
        if current.active():
            current.cancel()
        if item == TAKEN_BACK:
            self._tell_taken_back(slot)
        elif not nodes:
            self._failed(slot)
        self._next()

    def _failed(self, slot: Slot) -> None:
        self._journal.count("mainline.not_put")
        if slot in self._kept and slot not in self._waiting:
            self._retries[slot] = self._reactor.callLater(RETRY, self._again, slot)

    def _again(self, slot: Slot) -> None:
        del self._retries[slot]
        self._put(slot, self._kept[slot].item)

    def _tell_taken_back(self, slot: Slot) -> None:
        done = self._taken_back.pop(slot, None)
        if done is not None:
            done.callback(None)
