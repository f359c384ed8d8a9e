"""The three messages of the exchange by which two devices prove their keys; ``docs/reference/clear-bearers.md`` draws them.

Each begins with its kind and the version, and has one length only, so that none is ever taken for another.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from p2pship.errors import RemoteError

VERSION = 1
"The only version so far. It stands in each message, and each signature is over all of them."

OPENING = 1
ANSWER = 2
CLOSING = 3
"The kinds of messages."

NONCE_SIZE = 32

PADDING = bytes(32)
"Makes the opening as long as the answer: over UDP nobody can be made to send a victim more than was sent."

# 33 octets are a compressed P-256 point (SEC 1 §2.3.3).
_OPENING = struct.Struct(">BB32s33s33s32s32s")
_ANSWER = struct.Struct(">BB32s33s33s64s")
_CLOSING = struct.Struct(">BB64s")

OPENING_SIZE = _OPENING.size
ANSWER_SIZE = _ANSWER.size
CLOSING_SIZE = _CLOSING.size
"Octets of each message: 164, 164 and 66."


class BadExchange(RemoteError):
    """What came is no part of an exchange of keys with this device, or proves no key."""


class Opening(NamedTuple):
    """What the dialler says first."""

    nonce: bytes
    ephemeral: bytes
    "a compressed point"
    device: bytes
    "the dialler's Host Identity, a compressed point"
    called: bytes
    "the SHA-256 of the Host Identity (DER SubjectPublicKeyInfo) that is dialled"

    def encode(self) -> bytes:
        """Return it as it goes over the wire."""
        return _OPENING.pack(OPENING, VERSION, *self, PADDING)


class Answer(NamedTuple):
    """What the listener says."""

    nonce: bytes
    ephemeral: bytes
    "a compressed point"
    device: bytes
    "the listener's Host Identity, a compressed point"
    signature: bytes
    "64 octets, r ‖ s"

    def encode(self) -> bytes:
        """Return it as it goes over the wire."""
        return _ANSWER.pack(ANSWER, VERSION, *self)


class Closing(NamedTuple):
    """What the dialler says last."""

    signature: bytes
    "64 octets, r ‖ s"

    def encode(self) -> bytes:
        """Return it as it goes over the wire."""
        return _CLOSING.pack(CLOSING, VERSION, *self)


def signed_part(answer: bytes) -> bytes:
    """Return what an answer's signature is over: all before it."""
    return answer[: ANSWER_SIZE - 64]


def parse_opening(message: bytes) -> Opening:
    """Parse the dialler's first message.

    :raises BadExchange: if it is another message, or of another version.
    """
    *fields, padding = _fields(_OPENING, OPENING, message)
    if padding != PADDING:
        raise BadExchange("the padding of an opening is not zero")
    return Opening(*fields)


def parse_answer(message: bytes) -> Answer:
    """Parse the listener's message; raises as :func:`parse_opening`."""
    return Answer(*_fields(_ANSWER, ANSWER, message))


def parse_closing(message: bytes) -> Closing:
    """Parse the dialler's last message; raises as :func:`parse_opening`."""
    return Closing(*_fields(_CLOSING, CLOSING, message))


def _fields(layout: struct.Struct, expected: int, message: bytes) -> tuple[bytes, ...]:
    if len(message) != layout.size:
        raise BadExchange(f"a message of {len(message)} octets came where one of {layout.size} is due")
    kind, version, *fields = layout.unpack(message)
    if kind != expected:
        raise BadExchange(f"a message of kind {kind} came where one of kind {expected} is due")
    if version != VERSION:
        raise BadExchange(f"the other side speaks version {version} of the exchange, not {VERSION}")
    return tuple(fields)
