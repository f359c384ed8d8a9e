"""Tests for :mod:`p2pship.overlay.hello`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.cbor import encode
from p2pship.overlay.hello import MAX_SUBPROTOCOLS, BadHello, HelloBody, is_name, parse_hello

u64 = st.integers(0, 2**64 - 1)
names = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=32)
BODIES = st.builds(
    HelloBody,
    called=st.text(st.characters(codec="utf-8"), min_size=1, max_size=255),
    statement=st.binary(max_size=200),
    record=st.binary(max_size=200),
    session=st.integers(1, 2**64 - 1),
    known=u64,
    received=u64,
    subprotocols=st.lists(names, max_size=8).map(tuple),
    features=u64,
)
PLAIN = HelloBody("bob@example.com", b"statement", b"record", 1, 2, 3, ("sip", "media"))


def fields(**changes: Any) -> dict[int, Any]:
    """Return the fields of a plain body, by number, some changed (``_3=...``) or, with None, left out."""
    plain: dict[int, Any] = {
        0: 1,
        1: 0,
        2: PLAIN.called,
        3: PLAIN.statement,
        4: PLAIN.record,
        5: 1,
        6: 2,
        7: 3,
        8: list(PLAIN.subprotocols),
    }
    plain.update({int(name[1:]): value for name, value in changes.items()})
    return {key: value for key, value in plain.items() if value is not None}


class HelloTests(SynchronousTestCase):
    """Octets to hellos and back."""

    @given(BODIES)
    def test_round_trip(self, body: HelloBody) -> None:
        """What is said is what is understood."""
        self.assertEqual(parse_hello(body.encode()), body)

    def test_layout(self) -> None:
        """The numbers of the fields are those of the documentation; unknown ones are ignored."""
        self.assertEqual(PLAIN.encode(), encode(fields()))
        self.assertEqual(parse_hello(encode(fields(_99=b"later"))), PLAIN)
        self.assertEqual(parse_hello(encode(fields(_1=5))), replace(PLAIN, features=5))

    def test_not_of_its_form(self) -> None:
        """Each field has to be there and of its form."""
        all_changes: tuple[dict[str, Any], ...] = (
            *({f"_{key}": None} for key in range(9)),
            {"_0": 2},
            {"_1": -1},
            {"_2": ""},
            {"_2": "a" * 256},
            {"_2": b"bob"},
            {"_3": "text"},
            {"_5": 0},
            {"_5": True},
            {"_6": -1},
            {"_8": "sip"},
            {"_8": [1]},
            {"_8": [""]},
            {"_8": ["SIP"]},
            {"_8": ["a" * 33]},
            {"_8": ["a"] * (MAX_SUBPROTOCOLS + 1)},
        )
        for changes in all_changes:
            self.assertRaises(BadHello, parse_hello, encode(fields(**changes)))

    def test_truncated(self) -> None:
        """A hello cut anywhere is refused."""
        data = PLAIN.encode()
        for length in range(len(data)):
            self.assertRaises(BadHello, parse_hello, data[:length])

    @given(st.binary(max_size=64))
    def test_garbage(self, data: bytes) -> None:
        """Garbage raises BadHello and nothing else."""
        self.assertRaises(BadHello, parse_hello, data)

    def test_names(self) -> None:
        """A subprotocol's name is lower-case ASCII of at most 32 characters."""
        self.assertEqual(
            [
                name
                for name in ("sip", "x-1", "", "Sip", "ü", "a\n", "a" * 32, "a" * 33, b"sip")
                if is_name(name)
            ],
            ["sip", "x-1", "a" * 32],
        )
