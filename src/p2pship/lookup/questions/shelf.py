"""What a node holds for those who ask, and whom it answers: only who knows the lookup key, and asks this node.

Theory of operation. A question calls the lookup key by its handle, which strangers may know. So that nobody learns even whether
a node has something there, it is answered only if its MAC proves that the asker knows the key itself. Whoever gets a question, as
anybody does who announces himself under the handle, could pass it on to the true node to get the item: it is
therefore good only for the address that was asked, and only for :data:`SKEW` seconds.

How often all are heard is limited before the MAC is computed, and how often one is heard and all are answered, after: with questions
that prove nothing, in whoever's name, nobody keeps those out who know the key, until it is :data:`HEARD_IN_ALL` of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from enum import Enum

from p2pship.errors import LocalError
from p2pship.lookup.candidate import Slot
from p2pship.lookup.questions.keys import handle, question_secret
from p2pship.lookup.questions.wire import LONGEST_ITEM, Answer, Question, is_authentic, packed
from p2pship.lookup.rates import Rate, RateEach, TokenBucket

SKEW = 15 * 60
"Seconds that the asker's clock may be off ours, as for records."

HEARD_FROM_ONE = Rate(20.0, 60.0)
"Questions heard from one address, or IPv6 /64: a call takes two; the burst lets somebody open a contact list."

HEARD_IN_ALL = Rate(5000.0, 5000.0)
"Questions heard from everybody: their MACs take a twentieth of a processor."

ANSWERED = Rate(200.0, 400.0)
"Answers to everybody: 200 kB/s at most, to those who know a name of ours."

SOURCE_BITS = 64
"Bits of an IPv6 address that count as one asker: whoever has one of a network has all of them (RFC 4291 §2.5.4)."

LOOKUP_KEY_LENGTH = 32


class Silence(Enum):
    """Why a question was not answered; the value is the end of its counter's name."""

    UNKNOWN = "unknown"
    NOT_TO_US = "not_to_us"
    TOO_OFTEN = "too_often"
    WRONG_MAC = "wrong_mac"
    OLD = "old"


class _Held:
    """What is held under one lookup key."""

    __slots__ = ("items", "lookup_key")

    def __init__(self, lookup_key: bytes) -> None:
        self.lookup_key = lookup_key
        self.items: dict[bytes, bytes] = {}

    def turn(self) -> bytes:
        """Return the item whose turn it is, and give the next one its turn."""
        publication_key = next(iter(self.items))
        item = self.items[publication_key] = self.items.pop(publication_key)
        return item


class Shelf:
    """The items that this node publishes, and its answers to questions for them."""

    def __init__(self, now: float) -> None:
        self._held: dict[bytes, _Held] = {}
        self._own: frozenset[bytes] = frozenset()
        self._heard = TokenBucket(HEARD_IN_ALL, now)
        self._heard_from = RateEach(HEARD_FROM_ONE)
        self._answered = TokenBucket(ANSWERED, now)

    def set_own(self, hosts: Iterable[str]) -> None:
        """Take it that these are the addresses at which this node is asked."""
        self._own = frozenset(map(packed, hosts))

    def publish(self, slot: Slot, item: bytes) -> None:
        """Hold an item in its slot.

        :raises LocalError: if it does not fit into an answer.
        """
        if not 0 < len(item) <= LONGEST_ITEM or len(slot.lookup_key) != LOOKUP_KEY_LENGTH:
            raise LocalError(f"an item of {len(item)} octets does not fit into an answer")
        held = self._held.setdefault(handle(slot.lookup_key), _Held(slot.lookup_key))
        held.items[slot.publication_key] = item

    def withdraw(self, slot: Slot) -> bool:
        """Drop what the slot holds, and tell whether nothing is left under its lookup key; harmless when it is empty."""
        name = handle(slot.lookup_key)
        held = self._held.get(name)
        if held is None:
            return True
        held.items.pop(slot.publication_key, None)
        if held.items:
            return False
        del self._held[name]
        return True

    def answer(self, question: Question, datagram: bytes, host: str, now: float) -> bytes | Silence:
        """Return the answer to a question that was read of a datagram from ``host``, or why there is none."""
        held = self._held.get(question.handle)
        if held is None:
            return Silence.UNKNOWN
        if question.asked not in self._own:
            return Silence.NOT_TO_US
        if not self._heard.take(now):
            return Silence.TOO_OFTEN
        if not is_authentic(datagram, question_secret(held.lookup_key)):
            return Silence.WRONG_MAC
        if abs(question.time - now) > SKEW:
            return Silence.OLD
        if self._heard_from.wait(_source(host), now) or not self._answered.take(now):
            return Silence.TOO_OFTEN
        return Answer(question.query_id, held.turn(), len(held.items)).print()


def _source(host: str) -> str:
    """Return what counts as one asker."""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host, SOURCE_BITS), strict=False).network_address)
