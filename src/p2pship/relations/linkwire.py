"""What an old and a new device of a person seal for each other when they are linked (docs/reference/linking.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from p2pship.identity.cbor import encode
from p2pship.relations.pakewire import BadMessage, is_number, is_octets, read_map

LONGEST_NAME = 64
"Characters of a device's name: a host name, mostly."

LONGEST_MODE = 16
"Characters of a mode of location privacy."

LONGEST_PAPER = 16_384
"Octets of a statement, a certificate, a revocation list or a key."

LONGEST_CHAIN = 4
"Certificates."

PUBLICATION_OCTETS = 32

_VERSION = 1


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What the new device says of itself; its Host Identity is the one that the link has proven."""

    publication_key: bytes
    "the Ed25519 key under which it publishes, 32 octets"
    name: str
    "what its owner may call it; as printable as its owner made it"

    def encode(self) -> bytes:
        """Return its octets."""
        return encode({0: _VERSION, 1: self.publication_key, 2: self.name[:LONGEST_NAME]})

    @classmethod
    def read(cls, octets: bytes) -> NewDevice:
        """Read it.

        :raises BadMessage: if it is not of its form.
        """
        fields = _fields(octets)
        key, name = fields.get(1), fields.get(2)
        if not is_octets(key, PUBLICATION_OCTETS, PUBLICATION_OCTETS):
            raise BadMessage()
        if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
            raise BadMessage()
        return cls(_octets(key), name)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What makes the new device one of the person's."""

    statement: bytes
    "signed, and listing the new device"
    chain: tuple[bytes, ...]
    "certificates, DER, end entity first"
    revocations: bytes
    "the newest list of who issued the certificates, DER, or empty: a long one stays behind, as it comes by other ways as well"
    private_key: bytes = field(repr=False)
    "the identity key, DER (RFC 5208); empty for a device that does not get it"
    mode: str = ""
    "the mode of location privacy, so that the new device never publishes more than the others; empty if it is not told"

    def encode(self) -> bytes:
        """Return its octets."""
        revocations = self.revocations if len(self.revocations) <= LONGEST_PAPER else b""
        papers = {1: self.statement, 2: list(self.chain), 3: revocations, 4: self.private_key}
        return encode({0: _VERSION, **papers, 5: self.mode})

    @classmethod
    def read(cls, octets: bytes) -> Welcome:
        """Read it; what is in it has not been checked.

        :raises BadMessage: if it is not of its form.
        """
        fields = _fields(octets)
        statement, chain, revocations, key = (fields.get(at) for at in range(1, 5))
        if not is_octets(statement, 1, LONGEST_PAPER) or not _is_chain(chain):
            raise BadMessage()
        if not is_octets(revocations, 0, LONGEST_PAPER) or not is_octets(key, 0, LONGEST_PAPER):
            raise BadMessage()
        mode = fields.get(5, "")
        if not isinstance(mode, str) or len(mode) > LONGEST_MODE:
            raise BadMessage()
        return cls(_octets(statement), tuple(chain or ()), _octets(revocations), _octets(key), mode)


def _fields(octets: bytes) -> dict[int, Any]:
    fields = read_map(octets)
    if not is_number(fields[0], _VERSION) or fields[0] != _VERSION:
        raise BadMessage("it is of another version")
    return fields


def _octets(value: Any) -> bytes:
    return bytes(value)


def _is_chain(value: Any) -> bool:
    if not isinstance(value, list) or len(value) > LONGEST_CHAIN:
        return False
    return all(is_octets(one, 1, LONGEST_PAPER) for one in value)
