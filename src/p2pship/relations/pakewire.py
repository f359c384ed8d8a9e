"""The messages of a key exchange under a code, which linking and pairing share (docs/reference/linking.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.relations.codes import Means
from p2pship.relations.pake import ELEMENT_OCTETS, PROOF_OCTETS
from p2pship.relations.window import Ending

LONGEST_SEALED = 60_000
"Octets that one side seals for the other: a payload takes 65,536."

MOST_TRIES = 255

_REFUSAL, _ELEMENT, _PROOF = 0, 1, 2
"Kinds of message; numbers from 16 up are for what a subprotocol has beside these."

_MEANS = (Means.CODE, Means.SCANNED)


class BadMessage(RemoteError):
    """A message of the key exchange is not of its form."""


@dataclass(frozen=True, slots=True)
class Element:
    """The first message of either side."""

    octets: bytes
    means: Means = Means.CODE
    "which secret the beginner has; the answerer repeats it"


@dataclass(frozen=True, slots=True)
class Proof:
    """The second message of either side."""

    octets: bytes
    sealed: bytes
    "what is for the other side alone"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing comes of it."""

    ending: Ending
    tries: int = 0
    "how many are left"


Message: TypeAlias = Element | Proof | Refusal


def write_message(message: Message) -> bytes:
    """Return the octets of a message, deterministic CBOR (RFC 8949 §4.2)."""
    if isinstance(message, Element):
        return encode({0: _ELEMENT, 1: message.octets, 2: _MEANS.index(message.means)})
    if isinstance(message, Proof):
        return encode({0: _PROOF, 1: message.octets, 2: message.sealed})
    return encode({0: _REFUSAL, 1: message.ending.value, 2: message.tries})


def read_map(octets: bytes) -> dict[int, Any]:
    """Return the map of numbers that every message is; keys that are not known may be ignored.

    :raises BadMessage: if it is none.
    """
    try:
        fields = decode(octets)
    except BadCBOR as error:
        raise BadMessage(str(error)) from None
    if not isinstance(fields, dict) or type(fields.get(0)) is not int:
        raise BadMessage()
    return fields


def read_message(octets: bytes) -> Message:
    """Read a message.

    :raises BadMessage: if it is not of its form.
    """
    fields = read_map(octets)
    read = _READ.get(fields[0])
    if read is None:
        raise BadMessage()
    return read(fields.get(1), fields.get(2))


def _element(octets: Any, means: Any) -> Element:
    if not is_octets(octets, ELEMENT_OCTETS, ELEMENT_OCTETS) or not is_number(means, len(_MEANS) - 1):
        raise BadMessage()
    return Element(octets, _MEANS[means])


def _proof(octets: Any, sealed: Any) -> Proof:
    if not is_octets(octets, PROOF_OCTETS, PROOF_OCTETS) or not is_octets(sealed, 0, LONGEST_SEALED):
        raise BadMessage()
    return Proof(octets, sealed)


def _refusal(ending: Any, tries: Any) -> Refusal:
    if not is_number(ending, len(Ending) - 1) or not is_number(tries, MOST_TRIES):
        raise BadMessage()
    return Refusal(Ending(ending), tries)


_READ: dict[int, Callable[[Any, Any], Message]] = {_REFUSAL: _refusal, _ELEMENT: _element, _PROOF: _proof}


def is_octets(value: object, least: int, most: int) -> bool:
    """Tell whether a value of a message is octets, so many of them."""
    return isinstance(value, bytes) and least <= len(value) <= most


def is_number(value: object, most: int) -> bool:
    """Tell whether a value of a message is a number from 0 on."""
    return type(value) is int and 0 <= value <= most
