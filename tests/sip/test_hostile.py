"""Hostile text costs time in proportion to its length: one message must not stop the node for others."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import RemoteError
from p2pship.sip.framing import StreamParser
from p2pship.sip.headers import elements, raw_value
from p2pship.sip.multipart import PartHeaders, find_parts, media_type
from p2pship.sip.parameters import Parameters
from p2pship.sip.sdp import SDP
from p2pship.sip.uri import NameAddr, Via, parse_uri

SIZE = 60_000  # as long as a message can be; what grows with its square takes a minute and more
MOST_SECONDS = 3.0  # of this process; all take some milliseconds

LINE = 30_000  # SDP has a smaller limit
MIXED = "multipart/mixed;boundary=b"


class HostileTests(SynchronousTestCase):
    """Repetitions that make careless patterns try everything."""

    def _check(self, *attempts: Callable[[], object]) -> None:
        for number, attempt in enumerate(attempts):
            begun = time.process_time()
            try:
                attempt()
            except RemoteError:
                refused = True
            else:
                refused = False
            self.assertLess(time.process_time() - begun, MOST_SECONDS, (number, refused))

    def test_lists(self) -> None:
        """Quotes, escapes and brackets that are never closed."""
        self._check(
            lambda: elements("," + '"\\' * SIZE),
            lambda: elements("," + '\\"' * SIZE),
            lambda: elements("," + '\\"' * SIZE + "\\"),
            lambda: elements("," + '"' * (SIZE + 1)),
            lambda: elements("," + "<a" * SIZE),
            lambda: elements("," * SIZE),
        )

    def test_folds(self) -> None:
        """White space around one fold, and nothing but folds."""
        self._check(
            lambda: raw_value(b"X: a\r\n b" + b" " * SIZE + b"c"),
            lambda: raw_value(b"X: a" + b"\r\n  " * SIZE + b"c"),
        )

    def test_vias(self) -> None:
        """Colons, white space and long names."""
        start = "SIP/2.0/UDP "
        self._check(
            lambda: Via.parse(start + ":" * SIZE + "x"),
            lambda: Via.parse(start + "f:" * SIZE + "!"),
            lambda: Via.parse(start + "h" + " " * SIZE + "x"),
            lambda: Via.parse(start + "a" * SIZE + "!"),
            lambda: Via.parse("SIP" + " " * SIZE + "x"),
        )

    def test_addresses(self) -> None:
        """Display names without end, and URIs that are none."""
        self._check(
            lambda: NameAddr.parse("a" + " " * SIZE + 'b!"'),
            lambda: NameAddr.parse("a " * SIZE + '"'),
            lambda: NameAddr.parse("a" * SIZE + "("),
            lambda: NameAddr.parse('"' + '\\"' * SIZE),
            lambda: NameAddr.parse("sip:a" + " " * SIZE + "b"),
            lambda: parse_uri("sip:" + "a" * SIZE + "<"),
            lambda: parse_uri("sip:" + "a" * SIZE + ":" + "a" * SIZE),
            lambda: parse_uri("sip:a" + ";" * SIZE + "<"),
            lambda: parse_uri("sip:" + "%41" * SIZE),
            lambda: parse_uri("sip:a?" + "a" * SIZE),
        )

    def test_parameters(self) -> None:
        """Many parameters, long ones, and white space between them."""
        self._check(
            lambda: Parameters.of_header("".join([f";a{number}" for number in range(SIZE // 6)])),
            lambda: Parameters.of_header(";a" + " " * SIZE + ';b"'),
            lambda: Parameters.of_header(';a="' + '\\"' * SIZE),
            lambda: media_type("a" * SIZE + " " * SIZE + "x"),
        )

    def test_descriptions(self) -> None:
        """SDP lines that almost match."""
        self._check(
            lambda: SDP.parse(b"v=0\r\nm=audio 1 x" + b" " * LINE + b"\t"),
            lambda: SDP.parse(b"v=0\r\nm=audio 1 x" + b" a" * (LINE // 2) + b"\t"),
            lambda: SDP.parse(b"v=0\r\no=" + b" a" * (LINE // 2) + b"\t").rewrite("192.0.2.1", []),
            lambda: SDP.parse(b"v=0\r\no=a" + b" " * LINE + b"\t").rewrite("192.0.2.1", []),
            lambda: SDP.parse(b"v=0\r\n" + b"a=" * (LINE // 2) + b"\rb\r\n"),
            lambda: SDP.parse(b"v=0\r\n" + b"a=\n" * (LINE // 3) + b"\r"),
        )

    def test_multiparts(self) -> None:
        """Delimiters without end."""
        for body in (
            b"\r\n--b" * SIZE,
            b"\r\n--b" + b" " * SIZE,
            b"--b\r\n" + b"\r\n" * SIZE,
            b"--b\r\n" * SIZE,
        ):
            self._check(lambda body=body: find_parts(PartHeaders(MIXED), body, "application/sdp"))  # type: ignore[misc]

    def test_streams(self) -> None:
        """Headers that look like Content-Length, line ends alone, and one octet at a time."""
        start = b"A x SIP/2.0\r\n"

        def trickle() -> None:
            parser = StreamParser()
            for octet in start + b"x" * SIZE:
                parser.feed(bytes((octet,)))

        self._check(
            lambda: StreamParser().feed(start + b"l" + b" " * SIZE + b"x\r\n\r\n"),
            lambda: StreamParser().feed((start + b"l\r\n " * SIZE)[:SIZE] + b"\r\n\r\n"),
            lambda: StreamParser().feed(b"\r\n" * SIZE),
            trickle,
        )
