"""Tests of plain, deterministic CBOR."""

from __future__ import annotations

from typing import Any

import cbor2
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.identity.cbor import DEEPEST, BadCBOR, decode, encode

UNSIGNED = st.integers(0, 2**64 - 1)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=300)
    | st.text(max_size=80)
)


def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Put values into an array or a map."""
    maps = st.dictionaries(UNSIGNED, inner, max_size=5) | st.dictionaries(
        st.text(max_size=8), inner, max_size=5
    )
    return st.lists(inner, max_size=5) | maps


PLAIN = LEAVES | deeper(LEAVES | deeper(LEAVES))

NOT_DETERMINISTIC = (
    "1800",  # 0 in two octets
    "190010",  # 16 in three
    "5801aa",  # octets with a length in two
    "9801 00",  # an array so
    "9f00ff",  # of indefinite length
    "5f41aaff",
    "bf0000ff",
    "a2 01 00 00 00",  # keys out of order
    "a2 00 00 00 01",  # the same key twice
    "a2 6161 00 6161 00",
)
NOT_PLAIN = (
    "f97e00",  # a float
    "fb3ff8000000000000",
    "f7",  # undefined
    "e0",  # an unassigned simple value
    "f820",
    "c11a514b67b0",  # tags: a date, big number, reference, regular expression, set
    "c249010000000000000000",
    "d81c80",
    "d81d00",
    "d8236161",
    "d9010280",
    "a14100 00",  # keys of octets, arrays, negative or mixed
    "a18000",
    "a12000",
    "a2 00 00 6161 00",
)
BROKEN = (
    "",
    "18",
    "19ff",
    "1c",
    "1f",
    "ff",
    "41",
    "5bffffffffffffffff",
    "61ff",
    "81",
    "a1",
    "a100",
    "9bffffffffffffffff",
    "bbffffffffffffffff",
    "0000",
)


class CBORTests(TestCase):
    """Encoding and decoding."""

    @given(PLAIN)
    def test_round_trip(self, value: Any) -> None:
        """What is encoded comes back, of the same types."""
        decoded = decode(encode(value))
        self.assertEqual(repr(decoded), repr(cbor2.loads(encode(value))))
        self.assertEqual(decoded, value)

    def test_order(self) -> None:
        """Keys are in the order of their encodings, octet by octet (RFC 8949 §4.2.1)."""
        maps = (dict.fromkeys((1000, 24, 3, 70000), 0), {"aa": 0, "z": 0, "b" * 30: 0})
        for value in maps:
            in_order = [encode(key) for key in decode(encode(value))]
            self.assertEqual(in_order, sorted(in_order))

    def test_refused(self) -> None:
        """What is not deterministic, not plain or not CBOR is refused."""
        for text in (*NOT_DETERMINISTIC, *NOT_PLAIN, *BROKEN):
            with self.assertRaises(BadCBOR, msg=text):
                decode(bytes.fromhex(text))

    def test_trailing(self) -> None:
        """Octets after the item are refused."""
        self.assertRaises(BadCBOR, decode, encode({0: 1}) + b"\0")

    def test_depth(self) -> None:
        """Four arrays or maps within each other are read, one more is refused, a thousand are no danger."""
        self.assertEqual(decode(b"\x81" * DEEPEST + b"\0"), [[[[0]]]])
        for depth in (DEEPEST + 1, 100_000):
            self.assertRaises(BadCBOR, decode, b"\x81" * depth + b"\0")
        self.assertRaises(BadCBOR, decode, b"\xa1\x00" * 100_000 + b"\0")

    def test_truncated(self) -> None:
        """An item that is cut short anywhere is refused."""
        data = encode({0: 1, 1: "name", 2: b"octets", 3: [1, 2, {"a": None}], 4: 2**40})
        for end in range(len(data)):
            self.assertRaises(BadCBOR, decode, data[:end])

    @given(st.binary(max_size=60))
    def test_garbage(self, data: bytes) -> None:
        """Garbage is refused, or is the one encoding of what it says."""
        try:
            value = decode(data)
        except BadCBOR:
            return
        self.assertEqual(encode(value), data)
