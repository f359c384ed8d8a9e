"""What is kept in a rendezvous server and goes to and from it: signed slots (``docs/reference/rendezvous-server.md``).

A slot is one CBOR array: version, lookup key, publication key, sequence, expiry, sealed octets, signature. The signature is
Ed25519 by the publication key, over :data:`CONTEXT` and the CBOR array of all before it, so that no server can change or
move a slot. A slot without sealed octets is a *tombstone*: what was there has been withdrawn.

The sequence is the time of signing in milliseconds, so that no clock but the publisher's orders its slots, and nothing that was
signed long ago can be put again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from p2pship.errors import LocalError, RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.lookup.candidate import Slot

VERSION = 1

CONTEXT = b"p2pship rendezvous slot v1\0"
"What every signature covers first: none that the key made for something else passes for a slot."

KEY_LENGTH = 32
"Octets of a lookup key, and of a publication key."

SIGNATURE_LENGTH = 64

LONGEST_SEALED = 2048
"Octets of what is sealed: twice an item as it is now."

LONGEST_SLOT = 1 + 1 + 2 * (2 + KEY_LENGTH) + 2 * 9 + 3 + LONGEST_SEALED + 2 + SIGNATURE_LENGTH
"Octets of a slot with the longest of everything."

MOST_SLOTS = 16
"Slots under one lookup key: as many as a statement lists devices."

LONGEST_LIST = 1 + MOST_SLOTS * (3 + LONGEST_SLOT)
"Octets of the longest answer to who asks for a lookup key."

LONGEST_LIFETIME = 30 * 24 * 3600
"Seconds from signing to the expiry of a slot: as long as a statement holds."

SKEW = 15 * 60
"Seconds that the publisher's clock may be off the server's, as for records."

LARGEST_NUMBER = 2**63 - 1
"What databases can keep."

CONTENT_TYPE = "application/cbor"

EVENTS_TYPE = "text/event-stream"

EVENT_NAME = "slot"
"The type of the events that bring a slot; what has another type is ignored."


class BadSlot(RemoteError):
    """This is no slot of a rendezvous server."""


class WrongSignature(BadSlot):
    """The slot is not signed by its publication key."""


@dataclass(frozen=True, slots=True)
class SignedSlot:
    """A slot whose form has been checked, but not its signature."""

    lookup_key: bytes
    "32 octets"
    publication_key: bytes
    "an Ed25519 public key, 32 octets, as octets only: it may be no point of the curve"
    sequence: int
    "milliseconds of Unix time when it was signed, and more than the slot before it has"
    expiry: int
    "Unix time in seconds"
    sealed: bytes
    "at most 2,048 octets; none in a tombstone"
    signature: bytes
    "64 octets"

    @property
    def withdrawn(self) -> bool:
        """Whether this is a tombstone."""
        return not self.sealed

    def print(self) -> bytes:
        """Return the CBOR.

        :raises LocalError: if a part is not of its form.
        """
        _check_local(self)
        return encode([*_fields(self), self.signature])

    @classmethod
    def parse(cls, data: bytes) -> SignedSlot:
        """Read the CBOR of one slot.

        :raises BadSlot: if it is not one.
        """
        if len(data) > LONGEST_SLOT:
            raise BadSlot(f"a slot of {len(data)} octets is longer than {LONGEST_SLOT}")
        return _slot(_decoded(data))

    def verify(self) -> None:
        """Pass a slot that is signed by its publication key.

        :raises WrongSignature: if it is not.
        """
        try:
            key = Ed25519PublicKey.from_public_bytes(self.publication_key)
            key.verify(self.signature, _to_be_signed(self))
        except (InvalidSignature, ValueError):
            raise WrongSignature from None


def signed(slot: Slot, item: bytes, sequence: int, expiry: int) -> SignedSlot:
    """Return a slot with a sealed item, or a tombstone if ``item`` is empty, signed by the slot's private key.

    ``sequence`` is now in milliseconds, or one more than the last one if that is not less; ``expiry`` is in seconds. A tombstone
    expires no earlier than what it takes back, which could be put again otherwise.

    :raises LocalError: if a part is not of its form.
    """
    blank = SignedSlot(slot.lookup_key, slot.publication_key, sequence, expiry, item, bytes(SIGNATURE_LENGTH))
    _check_local(blank)
    signature = slot.private_key.sign(_to_be_signed(blank))
    return SignedSlot(slot.lookup_key, slot.publication_key, sequence, expiry, item, signature)


def print_slots(slots: Iterable[bytes]) -> bytes:
    """Return the list of slots, each as it was printed, that answers a question for a lookup key."""
    parts = tuple(slots)
    return _array_head(len(parts)) + b"".join(parts)


def parse_slots(data: bytes) -> tuple[SignedSlot, ...]:
    """Read a list of at most 16 slots.

    :raises BadSlot: if it is not one: nothing of it is then taken.
    """
    if len(data) > LONGEST_LIST:
        raise BadSlot(f"a list of {len(data)} octets is longer than {LONGEST_LIST}")
    values = _decoded(data)
    if not isinstance(values, list) or len(values) > MOST_SLOTS:
        raise BadSlot(f"it is not a list of at most {MOST_SLOTS} slots")
    return tuple(map(_slot, values))


def print_event(slot: bytes) -> bytes:
    """Return the server-sent event that brings a slot as it was printed."""
    return b"event: %s\ndata: %s\n\n" % (EVENT_NAME.encode("ascii"), b64encode(slot))


def parse_event(data: str) -> SignedSlot:
    """Read the data of an event of type ``slot``.

    :raises BadSlot: if it is not Base64 of a slot.
    """
    try:
        return SignedSlot.parse(b64decode(data.encode("ascii"), validate=True))
    except (NotBase64, ValueError):
        raise BadSlot("the event is not Base64") from None


def slots_path(lookup_key: bytes) -> str:
    """Return the path at which all slots of a lookup key are asked for."""
    return f"/v1/slots/{lookup_key.hex()}"


def slot_path(lookup_key: bytes, publication_key: bytes) -> str:
    """Return the path of one slot, to put and to ask for it."""
    return f"{slots_path(lookup_key)}/{publication_key.hex()}"


def events_path(lookup_key: bytes) -> str:
    """Return the path at which the slots of a lookup key come as they change."""
    return f"{slots_path(lookup_key)}/events"


def _fields(slot: SignedSlot) -> list[object]:
    return [VERSION, slot.lookup_key, slot.publication_key, slot.sequence, slot.expiry, slot.sealed]


def _to_be_signed(slot: SignedSlot) -> bytes:
    return CONTEXT + encode(_fields(slot))


def _array_head(length: int) -> bytes:
    """Return the head of a CBOR array of at most 16 items (RFC 8949 §3)."""
    if length > MOST_SLOTS:
        raise LocalError(f"a list of {length} slots is longer than {MOST_SLOTS}")
    return encode([None] * length)[:1]


def _decoded(data: bytes) -> object:
    try:
        return decode(data)
    except BadCBOR as error:
        raise BadSlot(str(error)) from None


def _slot(value: object) -> SignedSlot:
    match value:
        case [
            int(version),
            bytes(lookup),
            bytes(publication),
            int(sequence),
            int(expiry),
            bytes(item),
            bytes(signature),
        ]:
            if version != VERSION or version is True:
                raise BadSlot(f"the slot is of version {version}; this node reads {VERSION}")
            slot = SignedSlot(lookup, publication, sequence, expiry, item, signature)
        case _:
            raise BadSlot("it is not a slot: seven fields of their types")
    wrong = _wrong(slot)
    if wrong:
        raise BadSlot(wrong)
    return slot


def _check_local(slot: SignedSlot) -> None:
    wrong = _wrong(slot)
    if wrong:
        raise LocalError(wrong)


def _wrong(slot: SignedSlot) -> str:
    """Say what is wrong with the parts of a slot; empty if nothing is."""
    if len(slot.lookup_key) != KEY_LENGTH or len(slot.publication_key) != KEY_LENGTH:
        return f"the keys of a slot have {KEY_LENGTH} octets"
    if len(slot.signature) != SIGNATURE_LENGTH:
        return f"the signature of a slot has {SIGNATURE_LENGTH} octets"
    if len(slot.sealed) > LONGEST_SEALED:
        return f"{len(slot.sealed)} sealed octets are more than {LONGEST_SEALED}"
    if any(
        isinstance(each, bool) or not 0 <= each <= LARGEST_NUMBER for each in (slot.sequence, slot.expiry)
    ):
        return "the sequence and the expiry of a slot are from 0 to 2^63 - 1"
    return ""
