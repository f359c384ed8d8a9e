"""Tests of the names of header fields."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.fields import COMPACT, key_of, raw_keys


class FieldsTests(SynchronousTestCase):
    """Every spelling has one key."""

    def test_spellings(self) -> None:
        """Case and compact form make no difference, for names that are known and others."""
        for short, name in COMPACT.items():
            spellings = (short, short.upper(), name, name.upper(), name.title())
            self.assertEqual({key_of(spelling) for spelling in spellings}, {name})
        self.assertEqual({key_of(name) for name in ("X-New", "x-NEW")}, {"x-new"})

    def test_lines(self) -> None:
        """The name ends at the colon, with white space before it or not."""
        lines = [b"Via: x", b"v:x", b"VIA\t: x", b"TO\r\n : x", b"X-New:", b"a:b:c"]
        self.assertEqual(raw_keys(lines), ["via", "via", "via", "to", "x-new", "accept-contact"])

    def test_no_names(self) -> None:
        """A line without a name or colon has no key, and does not hide the others."""
        lines = [b"Via", b": x", b"", b"B\xc3\xa4d: x", b"Two Words: x", b"To: x"]
        self.assertEqual(raw_keys(lines), [None, None, None, None, None, "to"])
