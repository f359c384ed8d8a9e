"""Tests of header values that are one word or number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.scalars import (
    LARGEST_NUMBER,
    MOST_FORWARDS,
    read_call_id,
    read_cseq,
    read_max_forwards,
    read_number,
    read_preference,
)
from p2pship.sip.uri import BadURI


class ScalarTests(SynchronousTestCase):
    """Reading of them."""

    @given(st.integers(0, LARGEST_NUMBER), st.integers(0, 30))
    def test_numbers(self, number: int, zeros: int) -> None:
        """Every number is read, however many zeros lead it."""
        self.assertEqual(read_number("0" * zeros + str(number)), number)

    def test_bad_numbers(self) -> None:
        """What is no number, or too large, is refused; digits of other scripts are none."""
        for text in ("", " 1", "-1", "+1", "1.0", "0x1", "١", str(LARGEST_NUMBER + 1), "9" * 6000):
            self.assertRaises(BadURI, read_number, text)
        self.assertRaises(BadURI, read_number, "11", 10)

    def test_max_forwards(self) -> None:
        """Max-Forwards ends at 255 (RFC 3261 §20.22)."""
        self.assertEqual(read_max_forwards(str(MOST_FORWARDS)), 255)
        self.assertRaises(BadURI, read_max_forwards, "256")

    def test_cseq(self) -> None:
        """A number and a method, with any white space between (RFC 3261 §20.16)."""
        self.assertEqual(read_cseq("0009 \t INVITE"), (9, "INVITE"))
        self.assertEqual(read_cseq("4294967295 !m%"), (LARGEST_NUMBER, "!m%"))
        for text in ("", "1", "INVITE", "1INVITE", "4294967296 INVITE", "1 INVITE ACK", "1 B@D"):
            self.assertRaises(BadURI, read_cseq, text)

    def test_call_id(self) -> None:
        """Anything without white space (RFC 3261 §20.8)."""
        text = "word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
        self.assertEqual(read_call_id(text), text)
        for bad in ("", "a b", "a\0"):
            self.assertRaises(BadURI, read_call_id, bad)

    def test_preference(self) -> None:
        """A q is 0 to 1, with three digits after the point; what is none means 1."""
        for text, value in (("0", 0.0), ("0.7", 0.7), ("0.", 0.0), ("1.000", 1.0), ("1.5", 1.0), (None, 1.0)):
            self.assertEqual(read_preference(text), value, text)
        for bad in ("", "-1", "nan", "inf", "1e-3", "0.1234", "0,5", "\u0660.5", "high"):
            self.assertEqual(read_preference(bad), 1.0, bad)
