"""The two datagrams: a question that only who knows the lookup key can ask, and its answer (``docs/reference/questions.md``)."""

from __future__ import annotations

import hmac
import ipaddress
import struct
from dataclasses import dataclass

from p2pship.errors import LocalError, RemoteError
from p2pship.lookup.questions.keys import HANDLE_LENGTH

QUESTION_LENGTH = 1000
"""Octets of every question. It is padded so that no answer is longer than what asked for it: a node that is asked in
somebody else's name sends that victim no more than the asker spent (RFC 5358 tells what happens otherwise)."""

LONGEST_ITEM = 960
"Octets of a sealed item in an answer, which then has 986."

QUERY_ID_LENGTH = 16
"Octets of a query id: too many to guess, so whoever did not get the question cannot answer it."

ADDRESS_LENGTH = 16
"Octets of an address; IPv4 as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2)."

MAC_LENGTH = 16
"Octets of HMAC-SHA-256, truncated (RFC 2104 §5): a forger has one try in 2¹²⁸, and a node answers 200 a second."

MOST_ITEMS = 255
"Items of one node under a lookup key that an answer can count."

_MAGIC = b"P2PQ"
_VERSION = 1
_QUESTION, _ANSWER = 1, 2

_QUESTION_HEAD = struct.Struct(f">4sBB2x{QUERY_ID_LENGTH}s{HANDLE_LENGTH}s{ADDRESS_LENGTH}sI")
_ANSWER_HEAD = struct.Struct(f">4sBBBx{QUERY_ID_LENGTH}sH")
_MAC_END = _QUESTION_HEAD.size + MAC_LENGTH


class BadMessage(RemoteError):
    """This is no question and no answer."""


def packed(host: str) -> bytes:
    """Return the 16 octets of an address without scope."""
    address = ipaddress.ip_address(host)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


@dataclass(frozen=True, slots=True)
class Question:
    """What do you hold under the lookup key with this handle?"""

    query_id: bytes
    "16 octets, random, which the answer repeats"
    handle: bytes
    "20 octets that stand for the lookup key"
    asked: bytes
    "16 octets: the address that is asked, so that whoever gets a question can ask nobody else with it"
    time: int
    "when it was asked, Unix time"

    def print(self, secret: bytes) -> bytes:
        """Return the datagram, authenticated with the question secret of the lookup key.

        :raises LocalError: if a part has another length than it must.
        """
        lengths = len(self.query_id), len(self.handle), len(self.asked)
        if lengths != (QUERY_ID_LENGTH, HANDLE_LENGTH, ADDRESS_LENGTH) or not 0 <= self.time < 1 << 32:
            raise LocalError("a part of a question has a wrong length")
        head = _QUESTION_HEAD.pack(
            _MAGIC, _VERSION, _QUESTION, self.query_id, self.handle, self.asked, self.time
        )
        return (head + _mac(head, secret)).ljust(QUESTION_LENGTH, b"\0")

    @classmethod
    def parse(cls, datagram: bytes) -> Question:
        """Read a datagram, of which nothing has been proven yet.

        :raises BadMessage: if it is not a question of exactly 1,000 octets.
        """
        if len(datagram) != QUESTION_LENGTH:
            raise BadMessage(f"a question has {len(datagram)} octets")
        magic, version, kind, query_id, handle, asked, time = _QUESTION_HEAD.unpack_from(datagram)
        if (magic, version, kind) != (_MAGIC, _VERSION, _QUESTION):
            raise BadMessage("not a question")
        return cls(query_id, handle, asked, time)


def is_authentic(question: bytes, secret: bytes) -> bool:
    """Tell whether the datagram of a question was made by somebody who knows the lookup key that the secret is of."""
    mac = question[_QUESTION_HEAD.size : _MAC_END]
    return hmac.compare_digest(mac, _mac(question[: _QUESTION_HEAD.size], secret))


@dataclass(frozen=True, slots=True)
class Answer:
    """I hold this."""

    query_id: bytes
    "that of the question"
    item: bytes
    "a sealed item, 1 to 960 octets"
    items: int = 1
    "how many items are held there, 1 to 255: who asks again gets the next one"

    def print(self) -> bytes:
        """Return the datagram.

        :raises LocalError: if a part has another length than it must.
        """
        if not 0 < len(self.item) <= LONGEST_ITEM or len(self.query_id) != QUERY_ID_LENGTH:
            raise LocalError(f"an item of {len(self.item)} octets does not fit into an answer")
        items = min(self.items, MOST_ITEMS)
        head = _ANSWER_HEAD.pack(_MAGIC, _VERSION, _ANSWER, items, self.query_id, len(self.item))
        return head + self.item

    @classmethod
    def parse(cls, datagram: bytes) -> Answer:
        """Read a datagram.

        :raises BadMessage: if it is not an answer with an item of 1 to 960 octets.
        """
        if len(datagram) <= _ANSWER_HEAD.size:
            raise BadMessage(f"an answer has {len(datagram)} octets")
        magic, version, kind, items, query_id, length = _ANSWER_HEAD.unpack_from(datagram)
        item = datagram[_ANSWER_HEAD.size :]
        if (magic, version, kind) != (_MAGIC, _VERSION, _ANSWER) or not items:
            raise BadMessage("not an answer")
        if len(item) != length or length > LONGEST_ITEM:
            raise BadMessage(f"an item has {len(item)} octets, and says {length}")
        return cls(query_id, item, items)


def _mac(head: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, head, "sha256")[:MAC_LENGTH]
