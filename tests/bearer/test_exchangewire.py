"""Tests for p2pship.bearer.exchangewire."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.exchangewire import (
    ANSWER_SIZE,
    CLOSING_SIZE,
    OPENING_SIZE,
    Answer,
    BadExchange,
    Closing,
    Opening,
    parse_answer,
    parse_closing,
    parse_opening,
    signed_part,
)

N, E, D, C, S = b"n" * 32, b"e" * 33, b"d" * 33, b"c" * 32, b"s" * 64
PARSERS = (parse_opening, parse_answer, parse_closing)


class MessageTests(SynchronousTestCase):
    """The three messages."""

    def test_vectors(self) -> None:
        """The octets are those of the reference page."""
        self.assertEqual(Opening(N, E, D, C).encode(), b"\1\1" + N + E + D + C + bytes(32))
        self.assertEqual(Answer(N, E, D, S).encode(), b"\2\1" + N + E + D + S)
        self.assertEqual(Closing(S).encode(), b"\3\1" + S)
        self.assertEqual((OPENING_SIZE, ANSWER_SIZE, CLOSING_SIZE), (164, 164, 66))
        self.assertEqual(signed_part(Answer(N, E, D, S).encode()), b"\2\1" + N + E + D)

    def test_round_trip(self) -> None:
        """What is written is read."""
        self.assertEqual(parse_opening(Opening(N, E, D, C).encode()), Opening(N, E, D, C))
        self.assertEqual(parse_answer(Answer(N, E, D, S).encode()), Answer(N, E, D, S))
        self.assertEqual(parse_closing(Closing(S).encode()), Closing(S))

    def test_told_apart(self) -> None:
        """None is taken for another, cut short, or of another version."""
        messages = [Opening(N, E, D, C).encode(), Answer(N, E, D, S).encode(), Closing(S).encode()]
        for number, parse in enumerate(PARSERS):
            for other, message in enumerate(messages):
                if other != number:
                    self.assertRaises(BadExchange, parse, message)
            for length in range(len(messages[number])):
                self.assertRaises(BadExchange, parse, messages[number][:length])
            self.assertRaises(BadExchange, parse, messages[number][:1] + b"\2" + messages[number][2:])

    def test_padding(self) -> None:
        """Nothing is hidden in the padding."""
        self.assertRaises(BadExchange, parse_opening, Opening(N, E, D, C).encode()[:-1] + b"\1")

    @given(st.binary(max_size=200))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage is refused, and nothing but BadExchange comes out."""
        for parse in PARSERS:
            self.assertRaises(BadExchange, parse, garbage)
