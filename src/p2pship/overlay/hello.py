"""What a hello says: who speaks to whom, and where they left off (docs/reference/overlay.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode

VERSION = 1
"The version of the overlay's protocol; another one cannot be talked to."

MAX_AOR = 255
"Characters of an AOR in a hello."

MAX_SUBPROTOCOLS = 64
"Names in a hello: enough for every application that a node is likely to have, and short of the 4 KiB."

MAX_NAME = 32
"Characters of a subprotocol's name."

_U64 = 0xFFFF_FFFF_FFFF_FFFF


class BadHello(RemoteError):
    """A hello is not of its form."""


@dataclass(frozen=True, slots=True)
class HelloBody:
    """The body of a hello in either direction."""

    called: str
    "the canonical AOR that it is for: in an answer, the AOR of the one who called"
    statement: bytes
    "the speaker's signed statement"
    record: bytes
    "the signed record of the speaker's device"
    session: int
    "the speaker's random number for this peer and process, above 0"
    known: int
    "the last session number that came from the other side; 0 when there was none"
    received: int
    "the number of the last counted frame that came in the session ``known``"
    subprotocols: tuple[str, ...]
    "what the speaker takes part in; a frame names one by its place"
    features: int = 0
    "bits for what later versions add; unknown ones are ignored"
    chain: bytes = b""
    "the speaker's certificates, DER, end entity first, one after the other; empty if nobody vouches or there is no room"
    revocations: bytes = b""
    "the newest revocation list of who issued them, DER; empty if there is none or no room"

    def encode(self) -> bytes:
        """Return the octets of the body, deterministic CBOR (RFC 8949 §4.2)."""
        values = {key: getattr(self, name) for key, (name, _) in _FIELDS.items()}
        optional = {key: getattr(self, name) for key, name in _OPTIONAL.items() if getattr(self, name)}
        return encode({0: VERSION, **values, **optional})


def _number(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= _U64


def _is_octets(value: Any) -> bool:
    return isinstance(value, bytes)


def _is_aor(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_AOR


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) <= MAX_SUBPROTOCOLS and all(map(is_name, value))


def is_name(value: object) -> bool:
    """Tell whether this can be a subprotocol's name: lower-case ASCII, at most 32 characters."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        return False
    return value.isascii() and value.isprintable() and value == value.lower()


_FIELDS: dict[int, tuple[str, Callable[[Any], bool]]] = {
    1: ("features", _number(0)),
    2: ("called", _is_aor),
    3: ("statement", _is_octets),
    4: ("record", _is_octets),
    5: ("session", _number(1)),
    6: ("known", _number(0)),
    7: ("received", _number(0)),
    8: ("subprotocols", _are_names),
}
"Key in the CBOR map, field, and what the value must be."

_OPTIONAL = {9: "chain", 10: "revocations"}
"Octets that are left out where there are none."


def parse_hello(body: bytes) -> HelloBody:
    """Read the body of a hello; keys that are not known are ignored.

    :raises BadHello: if it is not of its form, or of another version.
    """
    fields = _read_map(body)
    if fields.get(0) != VERSION:
        raise BadHello("it speaks another version of the protocol")
    values: dict[str, Any] = {}
    for key, (name, fits) in _FIELDS.items():
        if not fits(fields.get(key)):
            raise BadHello(f"its {name} is missing or not of its form")
        values[name] = fields[key]
    for key, name in _OPTIONAL.items():
        values[name] = fields.get(key, b"")
        if not _is_octets(values[name]):
            raise BadHello(f"its {name} are not of their form")
    values["subprotocols"] = tuple(values["subprotocols"])
    return HelloBody(**values)


def _read_map(body: bytes) -> dict[Any, Any]:
    try:
        fields = decode(body)
    except BadCBOR as error:
        raise BadHello(str(error)) from None
    if not isinstance(fields, dict):
        raise BadHello("it is not a map")
    return fields
