"""Tests of cutting a byte stream into messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.framing import KeepAlive, StreamParser
from p2pship.sip.message import LARGEST_MESSAGE, LONGEST_START_LINE, BadMessage, Request
from tests.sip.strategies import requests

BYE = b"BYE sip:a SIP/2.0\r\nVia: x\r\nContent-Length :\r\n 4\r\n\r\nbody"
OK = b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n"


def _cut(parser: StreamParser, data: bytes) -> list[bytes | KeepAlive]:
    """Feed octet by octet."""
    return [item for at in range(len(data)) for item in parser.feed(data[at : at + 1])]


class StreamParserTests(SynchronousTestCase):
    """Messages and keep-alives, however they come."""

    def test_messages(self) -> None:
        """Messages are cut by Content-Length, all at once and octet by octet."""
        expected: list[bytes | KeepAlive] = [BYE, OK, BYE]
        self.assertEqual(StreamParser().feed(BYE + OK + BYE + b"B"), expected)
        self.assertEqual(_cut(StreamParser(), BYE + OK + BYE + b"B"), expected)

    def test_line_ends_between(self) -> None:
        """CRLFs between messages are no part of them; two are a ping (RFC 5626 §4.4.1)."""
        data = b"\r\n" + OK + b"\r\n\r\n" + OK + b"\r\n\r\n\r\n" + OK + b"\r\n\r\n\r\n\r\n"
        expected = [OK, KeepAlive.PING, OK, KeepAlive.PING, OK, KeepAlive.PING, KeepAlive.PING]
        self.assertEqual(StreamParser().feed(data), expected)
        self.assertEqual(_cut(StreamParser(), data), expected)

    def test_pongs(self) -> None:
        """To the side that pings, every CRLF is a pong."""
        data = b"\r\n" + OK + b"\r\n\r\n" + OK
        expected = [KeepAlive.PONG, OK, KeepAlive.PONG, KeepAlive.PONG, OK]
        self.assertEqual(StreamParser(pinging=True).feed(data), expected)
        self.assertEqual(_cut(StreamParser(pinging=True), data), expected)

    def test_no_length(self) -> None:
        """A message without Content-Length has no body; what follows must be SIP."""
        parser = StreamParser()
        self.assertEqual(parser.feed(b"BYE sip:a SIP/2.0\r\n\r\nv=0\r\n"), [b"BYE sip:a SIP/2.0\r\n\r\n"])
        self.assertTrue(parser.broken)
        self.assertRaises(BadMessage, parser.feed, b"")

    def test_body_without_length(self) -> None:
        """A body that has a type and no length has no end: it is answerable, and ends the stream (RFC 4475 §3.3.9)."""
        for line in (b"Content-Type: application/sdp", b"c:application/sdp", b"CONTENT-TYPE : a/b"):
            error = self.assertRaises(
                BadMessage, StreamParser().feed, b"BYE sip:a SIP/2.0\r\n" + line + b"\r\n\r\nv=0\r\n"
            )
            self.assertEqual((error.status, type(error.message)), (400, Request))

    def test_other_protocols(self) -> None:
        """What is not SIP is refused with its first line, or its first octet, and nothing after is looked at."""
        for data in (
            b"GET / HTTP/1.1\r\n",
            b"POST /x HTTP/1.1\r\nHost: a\r\n\r\nBYE sip:a SIP/2.0\r\n\r\n",
            b"\x16\x03\x01",
            b"\n",
            b"\rX",
            b" BYE",
            b"BYE sip:a\r\n",
            b"BYE\r\n",
            b"B@D sip:a SIP/2.0\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
        ):
            for feed in (StreamParser.feed, _cut):
                parser = StreamParser()
                error = self.assertRaises(BadMessage, feed, parser, data)
                self.assertEqual((error.status, error.message), (400, None), data)
                self.assertRaises(BadMessage, parser.feed, OK)

    def test_error_after_messages(self) -> None:
        """Messages before the fault are returned; the fault is raised by the next call."""
        parser = StreamParser()
        self.assertEqual(parser.feed(OK + b"GET / HTTP/1.1\r\n\r\n" + OK), [OK])
        self.assertTrue(parser.broken)
        self.assertRaises(BadMessage, parser.feed, OK)

    def test_bad_length(self) -> None:
        """A Content-Length that is no one number loses the framing (RFC 4475 §3.1.2.3, §3.3.9), and is answerable."""
        for lines in (b"l: -1", b"l: five", b"l:", b"l: 1\r\nContent-Length: 1", b"l: 99999999999"):
            parser = StreamParser()
            error = self.assertRaises(BadMessage, parser.feed, b"BYE sip:a SIP/2.0\r\n" + lines + b"\r\n\r\n")
            self.assertEqual((error.status, type(error.message)), (400, Request), lines)

    def test_limits(self) -> None:
        """Nothing is buffered beyond the limits."""
        start = b"BYE sip:a SIP/2.0\r\n"
        for data, status in (
            (b"B" * (LONGEST_START_LINE + 2), 414),
            (start + b"X: x\r\n" * (LARGEST_MESSAGE // 6), 513),
            (start + b"l: %d\r\n\r\n" % LARGEST_MESSAGE, 513),
        ):
            error = self.assertRaises(BadMessage, StreamParser().feed, data)
            self.assertEqual(error.status, status)
        length = LARGEST_MESSAGE - len(start) - len(b"l: 65500\r\n\r\n")
        largest = start + b"l: %d\r\n\r\n" % length + b"x" * length
        self.assertEqual(StreamParser().feed(largest), [largest])

    def test_waiting(self) -> None:
        """Whether a message has begun is known, for the timer that limits it."""
        parser = StreamParser()
        seen = [parser.waiting]
        for data in (b"\r\n", BYE[:3], BYE[3:-1], BYE[-1:]):
            parser.feed(data)
            seen.append(parser.waiting)
        self.assertEqual(seen, [False, False, True, True, False])

    @given(st.lists(requests(), max_size=3), st.lists(st.integers(1, 40), min_size=1))
    def test_chunks(self, messages: list[Request], sizes: list[int]) -> None:
        """However a stream is cut up, the same messages come out."""
        whole = [message.encode() for message in messages]
        parser, data, out, turn = StreamParser(), b"".join(whole), [], 0
        while data:
            size = sizes[turn % len(sizes)]
            out += parser.feed(data[:size])
            data, turn = data[size:], turn + 1
        self.assertEqual(out, whole)

    @given(st.lists(st.binary(max_size=30), max_size=6))
    def test_garbage(self, chunks: list[bytes]) -> None:
        """Garbage gives BadMessage only, in one piece as in many."""
        for pieces in (chunks, [b"".join(chunks)], [b"BYE sip:a SIP/2.0\r\n", *chunks, b"\r\n\r\n"]):
            parser = StreamParser()
            try:
                for piece in pieces:
                    parser.feed(piece)
            except BadMessage as error:
                self.assertIn(error.status, (400, 414, 513))
