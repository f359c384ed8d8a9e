"""Tests of parameters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.parameters import NONE, BadURI, Parameters, quote, unquote
from tests.sip.strategies import header_parameters, uri_parameters


class ParametersTests(SynchronousTestCase):
    """Reading, printing and changing of parameters."""

    @given(header_parameters)
    def test_header_round_trip(self, parameters: Parameters) -> None:
        """Header parameters print as they were read."""
        self.assertEqual(Parameters.of_header(str(parameters)), parameters)

    @given(uri_parameters)
    def test_uri_round_trip(self, parameters: Parameters) -> None:
        """URI parameters print as they were read."""
        self.assertEqual(Parameters.of_uri(str(parameters)), parameters)

    def test_white_space_and_quotes(self) -> None:
        """White space may stand around ``;`` and ``=`` in a header; quotes hide separators."""
        read = Parameters.of_header(' ; a = 1\t;b ; c="x;y=\\"z" ')
        self.assertEqual(list(read), [("a", "1"), ("b", None), ("c", '"x;y=\\"z"')])
        self.assertEqual(unquote(read.get("C") or ""), 'x;y="z')

    def test_absent_and_without_value(self) -> None:
        """``in`` tells a parameter without value from one that is not there."""
        read = Parameters.of_uri(";lr")
        self.assertEqual(
            ("LR" in read, read.get("lr"), "x" in read, read.get("x")), (True, None, False, None)
        )

    def test_change(self) -> None:
        """Changing gives new parameters in the same order."""
        read = Parameters.of_uri(";a=1;b;c=3")
        self.assertEqual(str(read.put("B", "2").drop("a").put("d")), ";b=2;c=3;d")
        self.assertEqual(str(read), ";a=1;b;c=3")
        self.assertEqual(len(NONE), 0)

    def test_malformed(self) -> None:
        """What is no list of parameters is refused."""
        for text in (";", ";;a", ";a;A", ";a=", ";=b", "a", ";a b", ';a="x', ";a=<b>", ";ä"):
            self.assertRaises(BadURI, Parameters.of_header, text)
        for text in (";", ";a;A", ";a=", "; a", ";a=b c", ';a="b"', ";a%4", ";a=%zz"):
            self.assertRaises(BadURI, Parameters.of_uri, text)

    @given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20))
    def test_quoting(self, text: str) -> None:
        """Any text survives quoting."""
        self.assertEqual(unquote(quote(text)), text)

    def test_quoted_line_end(self) -> None:
        """A line end, which cannot be quoted, becomes a space."""
        self.assertEqual(quote("a\r\nb"), '"a  b"')
