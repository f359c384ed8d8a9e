"""CBOR of plain values, with one encoding for each (RFC 8949 §4.2.1).

Plain are integers, octets, text, arrays, maps, booleans and null. The keys of one map are all unsigned integers or all
text. Tags are refused before they are decoded: the library would make dates, regular expressions and e-mails of them.
"""

from __future__ import annotations

from typing import Any

import cbor2

from p2pship.errors import RemoteError

DEEPEST = 4
"Arrays and maps within each other: papers need three."

_ARGUMENT_OCTETS = {24: 1, 25: 2, 26: 4, 27: 8}
_UNSIGNED, _OCTETS, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 0, 2, 3, 4, 5, 6, 7
"Major types (RFC 8949 §3.1)."
_PLAIN_SIMPLE = frozenset(b"\xf4\xf5\xf6")
"False, true, null."


class BadCBOR(RemoteError):
    """This is not plain, deterministic CBOR."""


def encode(value: Any) -> bytes:
    """Return the deterministic encoding of a plain value."""
    # "canonical" sorts by length first (RFC 7049 §3.9); with keys of one kind in a map that is the order of RFC 8949.
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Any:
    """Return the plain value of which ``data`` is the encoding: the whole of it, and the deterministic one.

    :raises BadCBOR: if it is not.
    """
    if _end(data, 0, 0) != len(data):
        raise BadCBOR("octets follow the CBOR item")
    try:
        value = cbor2.loads(data)
    except cbor2.CBORDecodeError as error:
        raise BadCBOR(f"the CBOR cannot be read: {error}") from None
    if encode(value) != data:
        raise BadCBOR("the CBOR is not encoded deterministically")
    return value


def _end(data: bytes, at: int, depth: int) -> int:
    """Return where the item at ``at`` ends; refuse what is not plain."""
    major, argument, inside = _head(data, at)
    if major in (_OCTETS, _TEXT):
        if inside + argument > len(data):
            raise BadCBOR("the CBOR is cut short")
        return inside + argument
    if major == _TAG or (major == _SIMPLE and data[at] not in _PLAIN_SIMPLE):
        raise BadCBOR(f"the CBOR has an item of type {data[at]:#04x}")
    if major not in (_ARRAY, _MAP):
        return inside
    if depth == DEEPEST:
        raise BadCBOR(f"the CBOR is nested deeper than {DEEPEST}")
    if major == _MAP:
        return _end_of_map(data, argument, inside, depth)
    for _ in range(argument):
        inside = _end(data, inside, depth + 1)
    return inside


def _end_of_map(data: bytes, entries: int, at: int, depth: int) -> int:
    kinds = set()
    for _ in range(entries):
        kinds.add(_head(data, at)[0])
        at = _end(data, _end(data, at, depth + 1), depth + 1)
    if kinds not in (set(), {_UNSIGNED}, {_TEXT}):
        raise BadCBOR("the CBOR has a map whose keys are not all unsigned integers or all text")
    return at


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the major type and argument of the item at ``at``, and where what is inside begins (RFC 8949 §3)."""
    if at >= len(data):
        raise BadCBOR("the CBOR is cut short")
    major, low = data[at] >> 5, data[at] & 0x1F
    if low < 24:
        return major, low, at + 1
    octets = _ARGUMENT_OCTETS.get(low)
    if octets is None or at + 1 + octets > len(data):
        raise BadCBOR("the CBOR is cut short, or has an item of indefinite length")
    return major, int.from_bytes(data[at + 1 : at + 1 + octets], "big"), at + 1 + octets
