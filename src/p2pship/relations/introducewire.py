"""What friends send each other about third people: questions for a vouch, vouches, and which were taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from p2pship.errors import RemoteError
from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.trust.introductions import LONGEST, SERIAL_OCTETS

VERSION = 1
"The version of the format; another one is refused."

MOST_SERIALS = 64
"Serials in a message: more vouches than anybody has from one friend."

_ASK, _GIVE, _TAKEN_BACK, _CHECK = range(1, 5)


class BadIntroduce(RemoteError):
    """What a friend sent about a third person is not of its form."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Would you vouch for this person to me?"""

    subject: str
    "the third person's canonical AOR"


@dataclass(frozen=True, slots=True)
class Give:
    """A vouch, or that there is none now, for whatever reason."""

    vouch: bytes
    "the signed vouch; empty if there is none"


@dataclass(frozen=True, slots=True)
class TakenBack:
    """These vouches no longer hold."""

    serials: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Which of these vouches of yours have you taken back?"""

    serials: tuple[bytes, ...]


Message: TypeAlias = Ask | Give | TakenBack | Check


def write(message: Message) -> bytes:
    """Return the octets of a message: an array of version, kind and content, deterministic CBOR."""
    match message:
        case Ask():
            return encode([VERSION, _ASK, message.subject])
        case Give():
            return encode([VERSION, _GIVE, message.vouch])
        case TakenBack():
            return encode([VERSION, _TAKEN_BACK, b"".join(message.serials)])
    return encode([VERSION, _CHECK, b"".join(message.serials)])


def read(octets: bytes) -> Message:
    """Read a message.

    :raises BadIntroduce: if it is not of its form, of another version, or too long.
    """
    try:
        value = decode(octets)
    except BadCBOR as error:
        raise BadIntroduce(str(error)) from None
    match value:
        case [int(version), int(kind), content] if version == VERSION and version is not True:
            return _read(kind, content)
    raise BadIntroduce("it is not an array of three, of a version that is known")


def _read(kind: int, content: Any) -> Message:
    if kind == _ASK and kind is not True and isinstance(content, str):
        return Ask(_name(content))
    if kind == _GIVE and isinstance(content, bytes) and len(content) <= LONGEST:
        return Give(content)
    if kind in (_TAKEN_BACK, _CHECK) and isinstance(content, bytes):
        serials = _serials(content)
        return TakenBack(serials) if kind == _TAKEN_BACK else Check(serials)
    raise BadIntroduce("it is of no kind that is known")


def _name(text: str) -> str:
    try:
        if canonical_aor(text) == text:
            return text
    except BadAOR:
        pass
    raise BadIntroduce("the name in it is not a canonical address of record")


def _serials(octets: bytes) -> tuple[bytes, ...]:
    if len(octets) % SERIAL_OCTETS or len(octets) > SERIAL_OCTETS * MOST_SERIALS:
        raise BadIntroduce(f"it has not up to {MOST_SERIALS} serials of {SERIAL_OCTETS} octets")
    return tuple(octets[at : at + SERIAL_OCTETS] for at in range(0, len(octets), SERIAL_OCTETS))
