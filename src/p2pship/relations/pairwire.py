"""What contacts say to each other for a new pair secret (docs/reference/pairing.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from p2pship.identity.cbor import encode
from p2pship.relations.pake import PROOF_OCTETS
from p2pship.relations.pakewire import BadMessage, is_number, is_octets, read_map

EPHEMERAL_OCTETS = 32
"An X25519 public key (RFC 7748)."

MOST_VERSIONS = 8
"Versions that are told: twice what is kept."

_OFFER, _ACCEPT, _CONFIRM, _KNOWN, _PLEASE = range(16, 21)
_LARGEST_VERSION = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Offer:
    """Begins: what the sender has, and a key for a new secret."""

    ephemeral: bytes
    versions: tuple[int, ...]
    anew: bool
    "whether a new secret is wanted though there are some"


@dataclass(frozen=True, slots=True)
class Accept:
    """Answers an offer: the other's key, and the proof that both come to the same secret."""

    ephemeral: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Confirm:
    """The proof of who has offered."""

    proof: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """The versions that the sender has: no new one is needed, or what was confirmed is kept."""

    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Please:
    """Asks for an offer: who may not begin wants a new secret."""


PairMessage: TypeAlias = Offer | Accept | Confirm | Known | Please


def write_pairing(message: PairMessage) -> bytes:
    """Return the octets of a message, deterministic CBOR (RFC 8949 §4.2)."""
    if isinstance(message, Offer):
        return encode({0: _OFFER, 1: message.ephemeral, 2: list(message.versions), 3: message.anew})
    if isinstance(message, Accept):
        return encode({0: _ACCEPT, 1: message.ephemeral, 2: message.proof})
    if isinstance(message, Confirm):
        return encode({0: _CONFIRM, 1: message.proof})
    if isinstance(message, Known):
        return encode({0: _KNOWN, 1: list(message.versions)})
    return encode({0: _PLEASE})


def is_pairing(octets: bytes) -> bool:
    """Tell whether a message is one of these, and not one of a key exchange under a code.

    :raises BadMessage: if it is no message at all.
    """
    return bool(read_map(octets)[0] >= _OFFER)


def read_pairing(octets: bytes) -> PairMessage:
    """Read a message.

    :raises BadMessage: if it is not of its form.
    """
    fields = read_map(octets)
    kind, first, second, third = (fields.get(at) for at in range(4))
    if kind == _OFFER and _is_key(first) and _are_versions(second) and isinstance(third, bool):
        return Offer(bytes(first or b""), tuple(second or ()), third)
    if kind == _ACCEPT and _is_key(first) and is_octets(second, PROOF_OCTETS, PROOF_OCTETS):
        return Accept(bytes(first or b""), bytes(second or b""))
    if kind == _CONFIRM and is_octets(first, PROOF_OCTETS, PROOF_OCTETS):
        return Confirm(bytes(first or b""))
    if kind == _KNOWN and _are_versions(first):
        return Known(tuple(first or ()))
    if kind == _PLEASE:
        return Please()
    raise BadMessage()


def _is_key(value: object) -> bool:
    return is_octets(value, EPHEMERAL_OCTETS, EPHEMERAL_OCTETS)


def _are_versions(value: object) -> bool:
    if not isinstance(value, list) or len(value) > MOST_VERSIONS:
        return False
    return all(is_number(one, _LARGEST_VERSION) for one in value)
