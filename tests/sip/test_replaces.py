"""Tests for p2pship.sip.replaces; what becomes of such an INVITE is in test_within."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.message import BadMessage, Request, request
from p2pship.sip.replaces import Replaced, replaced_by


def asked(*replaces: str, method: str = "INVITE") -> Request:
    """Make a request with these headers."""
    return request(method, "sip:bob@example.com", [("Replaces", value) for value in replaces])


class ReplacedTests(SynchronousTestCase):
    """RFC 3891 §3 and §6.1."""

    def test_read(self) -> None:
        """The tags are told from the side of who is called; what else stands there means nothing here."""
        expected = Replaced("98732@sip.example.com", "7743", "r33th4x0r")
        for value in (
            "98732@sip.example.com;from-tag=r33th4x0r;to-tag=7743",
            "98732@sip.example.com ; to-tag=7743 ;early-only; from-tag=r33th4x0r",
            "98732@sip.example.com;TO-TAG=7743;From-Tag=r33th4x0r;other=1",
        ):
            self.assertEqual(replaced_by(asked(value)), expected, value)

    def test_none(self) -> None:
        """Most requests replace nothing."""
        self.assertIsNone(replaced_by(asked()))

    def test_refused(self) -> None:
        """A missing tag, a second header, or another method than INVITE is 400."""
        good = "a@b;to-tag=1;from-tag=2"
        for made in (
            asked("a@b"),
            asked("a@b;to-tag=1"),
            asked("a@b;from-tag=2"),
            asked("a@b;;"),
            asked(good, good),
            asked(good, method="UPDATE"),
        ):
            self.assertEqual(self.assertRaises(BadMessage, replaced_by, made).status, 400)

    @given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=60))
    def test_garbage(self, value: str) -> None:
        """Nothing but 400 comes of garbage."""
        try:
            self.assertIsInstance(replaced_by(asked(value)), Replaced)
        except BadMessage as error:
            self.assertEqual(error.status, 400)
