"""Signed slots, octet by octet."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.identity.cbor import encode
from p2pship.lookup.http.wire import (
    CONTEXT,
    LARGEST_NUMBER,
    LONGEST_LIST,
    LONGEST_SEALED,
    LONGEST_SLOT,
    MOST_SLOTS,
    BadSlot,
    SignedSlot,
    WrongSignature,
    events_path,
    parse_event,
    parse_slots,
    print_event,
    print_slots,
    signed,
    slot_path,
    slots_path,
)
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher

PUBLISHER = Publisher(7)
SLOT = signed(PUBLISHER.slot(), b"item", 5, 9)

numbers = st.integers(0, LARGEST_NUMBER)
slots = st.builds(
    SignedSlot,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    numbers,
    numbers,
    st.binary(max_size=LONGEST_SEALED),
    st.binary(min_size=64, max_size=64),
)


class SlotTests(SynchronousTestCase):
    """A slot is seven fields in CBOR."""

    def test_vector(self) -> None:
        """The layout is that of the reference page, and the signature covers it with the context in front."""
        fields = b"\x01\x58\x20" + LOOKUP_KEY + b"\x58\x20" + PUBLISHER.key + b"\x05\x09\x44item"
        self.assertEqual(SLOT.print(), b"\x87" + fields + b"\x58\x40" + SLOT.signature)
        key = Ed25519PublicKey.from_public_bytes(PUBLISHER.key)
        key.verify(SLOT.signature, b"p2pship rendezvous slot v1\0\x86" + fields)

    @given(slots)
    def test_round_trip(self, slot: SignedSlot) -> None:
        """Every slot is read as it was printed, and none is longer than the limit."""
        printed = slot.print()
        self.assertEqual(SignedSlot.parse(printed), slot)
        self.assertLessEqual(len(printed), LONGEST_SLOT)

    def test_longest(self) -> None:
        """The limit is exactly what the longest slot has."""
        slot = SignedSlot(
            bytes(32), bytes(32), LARGEST_NUMBER, LARGEST_NUMBER, bytes(LONGEST_SEALED), bytes(64)
        )
        self.assertEqual(len(slot.print()), LONGEST_SLOT)

    def test_truncated(self) -> None:
        """A slot cut anywhere, or with octets after it, is none."""
        printed = SLOT.print()
        for length in range(len(printed)):
            self.assertRaises(BadSlot, SignedSlot.parse, printed[:length])
        self.assertRaises(BadSlot, SignedSlot.parse, printed + b"\0")

    @given(st.binary(max_size=300))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage gives a RemoteError only, wherever something is read."""
        self.assertRaises(BadSlot, SignedSlot.parse, garbage)
        self.assertRaises(BadSlot, parse_event, garbage.decode("latin-1"))
        if garbage != b"\x80":
            self.assertRaises(BadSlot, parse_slots, garbage)

    @given(st.integers(0, 200), st.integers(1, 255))
    def test_changed(self, at: int, by: int) -> None:
        """Whatever octet of a slot is changed, it is no slot any more, or its signature is wrong."""
        printed = bytearray(SLOT.print())
        printed[at % len(printed)] ^= by
        self.assertRaises(BadSlot, lambda: SignedSlot.parse(bytes(printed)).verify())

    def test_wrong_fields(self) -> None:
        """Fields of other types, lengths and numbers are refused, also truth in place of a number."""
        good = [1, bytes(32), bytes(32), 5, 9, b"item", bytes(64)]
        SignedSlot.parse(encode(good))
        wrong: list[tuple[int, object]] = [
            (0, 2),
            (0, True),
            (1, bytes(31)),
            (2, bytes(33)),
            (3, -1),
            (3, True),
            (3, LARGEST_NUMBER + 1),
            (4, LARGEST_NUMBER + 1),
            (4, None),
            (5, bytes(LONGEST_SEALED + 1)),
            (5, "item"),
            (6, bytes(63)),
        ]
        for at, value in wrong:
            self.assertRaises(BadSlot, SignedSlot.parse, encode([*good[:at], value, *good[at + 1 :]]))
        others: list[object] = [good[:-1], [*good, 1], {}, 7]
        for other in others:
            self.assertRaises(BadSlot, SignedSlot.parse, encode(other))

    def test_own_mistakes(self) -> None:
        """To print or sign what is not of its form is our bug."""
        self.assertRaises(LocalError, replace(SLOT, signature=b"").print)
        self.assertRaises(LocalError, signed, PUBLISHER.slot(), bytes(LONGEST_SEALED + 1), 5, 9)
        self.assertRaises(LocalError, signed, PUBLISHER.slot(), ITEM, -5, 9)


class SignatureTests(SynchronousTestCase):
    """Who put it there."""

    def test_signed(self) -> None:
        """What the slot's key signed holds, a tombstone as well."""
        SLOT.verify()
        tombstone = signed(PUBLISHER.slot(), b"", 5, 9)
        tombstone.verify()
        self.assertTrue(tombstone.withdrawn)
        self.assertFalse(SLOT.withdrawn)

    def test_moved(self) -> None:
        """Under another lookup key, publication key, sequence or expiry, or with another item, it does not."""
        for other in (
            replace(SLOT, lookup_key=bytes(32)),
            replace(SLOT, publication_key=Publisher(8).key),
            replace(SLOT, sequence=6),
            replace(SLOT, expiry=10),
            replace(SLOT, sealed=b""),
        ):
            self.assertRaises(WrongSignature, other.verify)

    def test_context(self) -> None:
        """A signature over the fields alone, as another use of the key might give, is not one of a slot."""
        key = PUBLISHER.slot().private_key
        bare = key.sign(encode([1, LOOKUP_KEY, PUBLISHER.key, 5, 9, b"item"]))
        self.assertRaises(WrongSignature, replace(SLOT, signature=bare).verify)
        self.assertTrue(CONTEXT.endswith(b"\0"))

    def test_no_point(self) -> None:
        """A publication key that is no point of the curve signs nothing."""
        for key in (b"\xff" * 32, b"\x02" + bytes(31)):
            self.assertRaises(WrongSignature, replace(SLOT, publication_key=key).verify)


class ListTests(SynchronousTestCase):
    """All slots under a lookup key."""

    @given(st.lists(slots, max_size=MOST_SLOTS))
    def test_round_trip(self, several: list[SignedSlot]) -> None:
        """Every list is read as it was printed, from none to the most."""
        printed = print_slots([slot.print() for slot in several])
        self.assertEqual(list(parse_slots(printed)), several)

    def test_too_many(self) -> None:
        """More than 16 are refused, and not printed."""
        many = [SLOT.print()] * (MOST_SLOTS + 1)
        self.assertRaises(LocalError, print_slots, many)
        self.assertRaises(BadSlot, parse_slots, b"\x91" + b"".join(many))
        self.assertRaises(BadSlot, parse_slots, bytes(LONGEST_LIST + 1))

    def test_truncated(self) -> None:
        """A list cut anywhere gives nothing of it."""
        printed = print_slots([SLOT.print()] * 2)
        for length in range(len(printed)):
            self.assertRaises(BadSlot, parse_slots, printed[:length])

    def test_no_list(self) -> None:
        """What is no list, or one of something else, is refused."""
        others: list[object] = [{}, [7], [[]], None]
        for other in others:
            self.assertRaises(BadSlot, parse_slots, encode(other))


class EventTests(SynchronousTestCase):
    """A slot as a server-sent event."""

    def test_event(self) -> None:
        """It is one field of one line, that gives the slot again."""
        name, data, *rest = print_event(SLOT.print()).split(b"\n")
        self.assertEqual((name, rest), (b"event: slot", [b"", b""]))
        self.assertEqual(parse_event(data.decode().removeprefix("data: ")), SLOT)

    def test_not_base64(self) -> None:
        """What is not ASCII, or not Base64, is refused."""
        for data in ("é", "a", "A A=", "####"):
            self.assertRaises(BadSlot, parse_event, data)


class PathTests(SynchronousTestCase):
    """Where things are."""

    def test_paths(self) -> None:
        """Keys are hexadecimal digits in the paths."""
        self.assertEqual(slots_path(b"\xab" * 32), "/v1/slots/" + "ab" * 32)
        self.assertEqual(slot_path(b"\xab" * 32, bytes(32)), f"/v1/slots/{'ab' * 32}/{'00' * 32}")
        self.assertEqual(events_path(b"\xab" * 32), f"/v1/slots/{'ab' * 32}/events")
