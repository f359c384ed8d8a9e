"""The two messages of the LAN lookup, a question and its answer (``docs/reference/lan-lookup.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from construct import (
    Bytes,
    Const,
    ConstructError,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Padding,
    Prefixed,
    Struct,
    Terminated,
)

from p2pship.errors import LocalError, RemoteError

QUESTION_LENGTH = 1000
"""Octets of every question. It is padded so that no answer is longer than what asked for it: a node that is asked in
somebody else's name sends that victim no more than the asker spent (RFC 5358 tells what happens otherwise)."""

LONGEST_ITEM = 960
"Octets of a sealed item in an answer, which then has 986."

QUERY_ID_LENGTH = 16
"Octets of a query id: too many to guess, so whoever did not hear the question cannot answer it."

LOOKUP_KEY_LENGTH = 32

_MAGIC = b"P2PL"
_VERSION = 1
_QUESTION, _ANSWER = 1, 2

_QUESTION_FORMAT: Any = Struct(
    "magic" / Const(_MAGIC),
    "version" / Const(_VERSION, Int8ub),
    "kind" / Const(_QUESTION, Int8ub),
    "reserved" / Padding(2),
    "query_id" / Bytes(QUERY_ID_LENGTH),
    "lookup_key" / Bytes(LOOKUP_KEY_LENGTH),
    "padding" / Padding(QUESTION_LENGTH - 56),
    Terminated,
)

_ANSWER_FORMAT: Any = Struct(
    "magic" / Const(_MAGIC),
    "version" / Const(_VERSION, Int8ub),
    "kind" / Const(_ANSWER, Int8ub),
    "reserved" / Padding(2),
    "query_id" / Bytes(QUERY_ID_LENGTH),
    "item" / Prefixed(Int16ub, GreedyBytes),
    Terminated,
)


class BadMessage(RemoteError):
    """This is no message of the LAN lookup."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who has something under this lookup key?"""

    query_id: bytes
    "16 octets, random, which the answer repeats"
    lookup_key: bytes
    "32 octets"

    def print(self) -> bytes:
        """Return the datagram.

        :raises LocalError: if a part has another length than it must.
        """
        return _build(_QUESTION_FORMAT, query_id=self.query_id, lookup_key=self.lookup_key)

    @classmethod
    def parse(cls, datagram: bytes) -> Question:
        """Read a datagram.

        :raises BadMessage: if it is not a question of exactly 1,000 octets.
        """
        read = _parse(_QUESTION_FORMAT, datagram)
        return cls(read.query_id, read.lookup_key)


@dataclass(frozen=True, slots=True)
class Answer:
    """I have this."""

    query_id: bytes
    "that of the question"
    item: bytes
    "a sealed item, 1 to 960 octets"

    def print(self) -> bytes:
        """Return the datagram.

        :raises LocalError: if a part has another length than it must.
        """
        if not 0 < len(self.item) <= LONGEST_ITEM:
            raise LocalError(f"an item of {len(self.item)} octets does not fit into an answer")
        return _build(_ANSWER_FORMAT, query_id=self.query_id, item=self.item)

    @classmethod
    def parse(cls, datagram: bytes) -> Answer:
        """Read a datagram.

        :raises BadMessage: if it is not an answer with an item of 1 to 960 octets.
        """
        read = _parse(_ANSWER_FORMAT, datagram)
        if not 0 < len(read.item) <= LONGEST_ITEM:
            raise BadMessage(f"an item has {len(read.item)} octets")
        return cls(read.query_id, read.item)


def _build(form: Any, **values: bytes) -> bytes:
    try:
        built: bytes = form.build(values)
    except ConstructError as error:
        raise LocalError(f"this message cannot be sent: {error}") from error
    return built


def _parse(form: Any, datagram: bytes) -> Any:
    try:
        return form.parse(datagram)
    except ConstructError as error:
        raise BadMessage(f"not a message of the LAN lookup: {type(error).__name__}") from error
