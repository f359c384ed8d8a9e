"""Tests of SIP messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.sip.message import (
    LARGEST_MESSAGE,
    LONGEST_LINE,
    LONGEST_START_LINE,
    MOST_LINES,
    REASONS,
    BadMessage,
    Message,
    Request,
    Response,
    parse,
    request,
    response_to,
)
from p2pship.sip.uri import NameAddr, Parameters, Via
from tests.sip.invite import INVITE, invite
from tests.sip.strategies import requests


def _refusal(test: SynchronousTestCase, data: bytes) -> BadMessage:
    error = test.assertRaises(BadMessage, parse, data)
    assert isinstance(error, BadMessage)
    return error


class ParseTests(SynchronousTestCase):
    """From octets to messages."""

    def test_request(self) -> None:
        """The parts of a request are found, and it is sent on as it came."""
        message = invite()
        self.assertEqual(
            (message.method, message.uri, message.body), ("INVITE", "sip:bob@example.com", b"body")
        )
        self.assertEqual(message.encode(), INVITE)

    def test_response(self) -> None:
        """The parts of a response are found; the reason may be empty or missing."""
        for line, status, reason in (
            (b"SIP/2.0 200 OK", 200, "OK"),
            (b"SIP/2.0 100 ", 100, ""),
            (b"SIP/2.0 699", 699, ""),
            ("SIP/2.0 404 ei löydy".encode(), 404, "ei löydy"),
        ):
            message = parse(line + b"\r\n\r\n")
            assert isinstance(message, Response)
            self.assertEqual((message.status, message.reason), (status, reason))
            self.assertEqual(message.encode(), line + b"\r\n\r\n")

    def test_leading_line_ends(self) -> None:
        """CRLFs before the start line are ignored (RFC 3261 §7.5)."""
        self.assertEqual(parse(b"\r\n\r\n" + INVITE).encode(), INVITE)

    def test_body_cut(self) -> None:
        """Octets beyond Content-Length are noise; without it they are the body (RFC 3261 §18.3)."""
        self.assertEqual(parse(INVITE + b"noise").encode(), INVITE)
        self.assertEqual(parse(b"SIP/2.0 200 OK\r\nTo: x\r\n\r\nall").body, b"all")

    def test_short_body(self) -> None:
        """A body shorter than Content-Length is answered with 400."""
        error = _refusal(self, INVITE[:-1])
        self.assertEqual((error.status, repr(error.message)), (400, "<INVITE sip:bob@example.com>"))

    def test_bad_content_length(self) -> None:
        """A Content-Length that is no one number is answered with 400."""
        for value in (
            b"",
            b"-1",
            b"+1",
            b"1 1",
            b"x",
            b"99999999999",
            b"9" * 5000,
            b"1\r\nl: 1",
            "١".encode(),
        ):
            error = _refusal(self, b"BYE sip:a SIP/2.0\r\nContent-Length: " + value + b"\r\n\r\nx")
            self.assertEqual(error.status, 400)
            self.assertIsInstance(error.message, Request)

    def test_other_versions(self) -> None:
        """Another version gets 505; the version's case does not matter but is not passed on (RFC 3261 §7.1)."""
        error = _refusal(self, b"BYE sip:a SIP/3.0\r\nVia: x\r\n\r\n")
        self.assertEqual(error.status, 505)
        assert error.message is not None
        self.assertEqual(error.message.first("Via"), "x")
        self.assertEqual(parse(b"BYE sip:a sip/2.0\r\n\r\n").encode(), b"BYE sip:a SIP/2.0\r\n\r\n")

    def test_malformed_request_line(self) -> None:
        """A request line that can be understood, but is not well-formed, is answered with 400."""
        for line in (
            b"BYE  sip:a SIP/2.0",
            b"BYE sip:a  SIP/2.0",
            b"BYE sip:a SIP/2.0 ",
            b"BYE sip:a b SIP/2.0",
            b"BYE <sip:a> SIP/2.0",
            b"BYE sip:a\x00 SIP/2.0",
        ):
            error = _refusal(self, line + b"\r\nVia: x\r\n\r\n")
            self.assertEqual(error.status, 400)
            assert error.message is not None
            self.assertEqual(error.message.first("Via"), "x")

    def test_not_sip(self) -> None:
        """What is neither request nor response cannot be answered."""
        for data in (
            b"",
            b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"BYE sip:a\r\n\r\n",
            b"B@D sip:a SIP/2.0\r\n\r\n",
            b"SIP/2.0 99 x\r\n\r\n",
            b"SIP/2.0 700 x\r\n\r\n",
            b"SIP/2.0 4294967301 x\r\n\r\n",
            b"SIP/2.0\r\n\r\n",
            b" \r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
        ):
            error = _refusal(self, data)
            self.assertEqual((error.status, error.message), (400, None), data)

    def test_bad_header_lines(self) -> None:
        """A line without name or colon is answered with 400, and what else is there is understood."""
        for line in (b"junk", b"Via", b": x", b"Bad Name: x", "Ä: x".encode(), b"Via : \x00\rx", b"To: a\nb"):
            error = _refusal(self, b"BYE sip:a SIP/2.0\r\nCSeq: 1 BYE\r\n" + line + b"\r\nTo: sip:b\r\n\r\n")
            self.assertEqual(error.status, 400)
            if b"\r" not in line and b"\n" not in line:
                assert error.message is not None
                self.assertEqual((error.message.first("To"), error.message.cseq), ("sip:b", (1, "BYE")))

    def test_folded_first_line(self) -> None:
        """A start line cannot be folded."""
        self.assertEqual(_refusal(self, b"BYE sip:a SIP/2.0\r\n x\r\n\r\n").status, 400)

    def test_limits(self) -> None:
        """Each limit is kept to the octet, and has its status."""
        start = b"BYE sip:a SIP/2.0\r\n"
        for largest, over, status in (
            (LARGEST_MESSAGE - len(start) - 2, b"\r\n%s", 513),
            (LONGEST_LINE, b"%s\r\n\r\n", 400),
        ):
            filling = b"X:".ljust(largest, b"x") if status == 400 else b"x" * largest
            self.assertTrue(parse(start + over % filling))
            self.assertEqual(_refusal(self, start + over % (filling + b"x")).status, status)
        self.assertTrue(parse(start + b"X: x\r\n" * (MOST_LINES - 1) + b"\r\n"))
        self.assertEqual(_refusal(self, start + b"X: x\r\n" * MOST_LINES + b"\r\n").status, 400)
        uri = b"sip:".ljust(LONGEST_START_LINE - 12, b"x")
        self.assertTrue(parse(b"BYE " + uri + b" SIP/2.0\r\n\r\n"))
        error = _refusal(self, b"BYE " + uri + b"x SIP/2.0\r\nVia: x\r\n\r\n")
        self.assertEqual((error.status, error.message and error.message.lines("Via")), (414, ["x"]))
        self.assertIsNone(
            _refusal(self, b"SIP/2.0 200 ".ljust(LONGEST_START_LINE + 1, b"x") + b"\r\n\r\n").message
        )

    def test_hostile_start_line(self) -> None:
        """A start line of nothing but spaces costs no more than another."""
        self.assertEqual(_refusal(self, b"A" + b" " * (LONGEST_START_LINE - 1) + b"\r\n\r\n").status, 400)

    def test_truncated_everywhere(self) -> None:
        """A message cut at any length is refused, never anything else."""
        for length in range(len(INVITE)):
            self.assertEqual(_refusal(self, INVITE[:length]).status, 400)

    @given(st.binary(max_size=200))
    def test_garbage(self, data: bytes) -> None:
        """Garbage is refused, alone and within headers."""
        for whole in (
            data,
            b"BYE sip:a SIP/2.0\r\n" + data + b"\r\n\r\n",
            b"BYE sip:a SIP/2.0\r\nVia: " + data + b"\r\n\r\n",
        ):
            try:
                message = parse(whole)
                self.assertIsInstance(message.via, Via)
            except BadMessage as error:
                self.assertEqual(error.status, 400)

    @given(requests())
    def test_round_trip(self, message: Request) -> None:
        """What was made is read back the same."""
        again = parse(message.encode())
        self.assertEqual(
            (repr(again), again.body, again.encode()), (repr(message), message.body, message.encode())
        )
        for name in ("Via", "Route", "X-Other", "Contact", "Subject", "To", "From"):
            self.assertEqual(again.lines(name), message.lines(name))


class TypedTests(SynchronousTestCase):
    """Typed access to the headers that every message has."""

    def test_values(self) -> None:
        """Each is read as its type."""
        message = invite()
        self.assertEqual(message.call_id, "a84b4c76e66710@example.com")
        self.assertEqual(message.cseq, (314159, "INVITE"))
        self.assertEqual(
            message.from_, NameAddr("A, B", "sip:alice@example.com", Parameters((("tag", "1928301774"),)))
        )
        self.assertEqual(message.to.uri, "sip:bob@example.com")
        self.assertEqual((message.via.host, message.via.port), ("127.0.0.1", 5070))
        self.assertEqual(message.max_forwards, 70)
        self.assertIs(message.via, message.via)

    def test_follow_changes(self) -> None:
        """A changed header is read anew."""
        message = invite()
        seen = [message.max_forwards, message.via.port]
        message.set("Max-Forwards", "0069")
        message.prepend("Via", "SIP/2.0/UDP h:1")
        seen += [message.max_forwards, message.via.port]
        message.pop("Via")
        message.remove("Max-Forwards")
        self.assertEqual([*seen, message.max_forwards, message.via.port], [70, 5070, 69, 1, None, 5070])

    def test_missing_twice_and_malformed(self) -> None:
        """What cannot be read raises 400 and names the message."""
        for name, attribute, bad in (
            ("Call-ID", "call_id", ("", "a b")),
            (
                "CSeq",
                "cseq",
                ("", "1", "x INVITE", "4294967296 INVITE", "-1 INVITE", "1 INVITE x", f"{'9' * 5000} A"),
            ),
            ("From", "from_", ("", "<sip:a")),
            ("To", "to", ("", "sip:a?b")),
            ("Via", "via", ("", "SIP/2.0/UDP")),
            ("Max-Forwards", "max_forwards", ("", "256", "-1", "x", "1" + "0" * 100)),
        ):
            for values in [(value,) for value in bad] + ([] if name == "Via" else [("1 INVITE", "1 INVITE")]):
                message = invite()
                message.set(name, *values)
                error = self.assertRaises(BadMessage, getattr, message, attribute)
                self.assertEqual((error.status, error.message), (400, message))

    def test_absent(self) -> None:
        """A header that is not there raises 400, but for Max-Forwards."""
        message = parse(b"BYE sip:a SIP/2.0\r\n\r\n")
        for attribute in ("call_id", "cseq", "from_", "to", "via"):
            self.assertRaises(BadMessage, getattr, message, attribute)
        self.assertIsNone(message.max_forwards)


class MakeTests(SynchronousTestCase):
    """Making of requests and responses."""

    def test_request(self) -> None:
        """A request is printed with its headers in order and Content-Length."""
        made = request("MESSAGE", "sip:b", [("Via", "x"), ("To", "<sip:ö>")], b"hi")
        expected = "MESSAGE sip:b SIP/2.0\r\nVia: x\r\nTo: <sip:ö>\r\nContent-Length: 2\r\n\r\nhi"
        self.assertEqual(made.encode(), expected.encode())

    def test_request_refuses_nonsense(self) -> None:
        """What would not be read back is our error."""
        for method, uri in (
            ("", "sip:a"),
            ("A B", "sip:a"),
            ("BYE", ""),
            ("BYE", "sip:a b"),
            ("BYE", "sip:a\r\nX:"),
        ):
            self.assertRaises(LocalError, request, method, uri, [])
        message = invite()
        self.assertRaises(LocalError, setattr, message, "uri", "a b")
        self.assertEqual(message.encode(), INVITE)

    def test_set_uri(self) -> None:
        """The Request-URI can be replaced."""
        message = invite()
        message.uri = "sip:bob@192.0.2.9"
        self.assertTrue(message.encode().startswith(b"INVITE sip:bob@192.0.2.9 SIP/2.0\r\nVia"))

    def test_response(self) -> None:
        """A response copies what RFC 3261 §8.2.6.2 names, octet for octet, and gets its tag."""
        made = response_to(invite(), 486, to_tag="7")
        lines = INVITE.split(b"\r\n")
        self.assertEqual(
            made.encode().split(b"\r\n"),
            [
                b"SIP/2.0 486 Busy Here",
                *lines[1:3],
                lines[4],
                b"To: <sip:bob@example.com>;tag=7",
                *lines[6:8],
                b"Content-Length: 0",
                b"",
                b"",
            ],
        )

    def test_response_tag_kept(self) -> None:
        """A To that has a tag keeps it; without ``to_tag`` none is added."""
        message = invite()
        self.assertIsNone(response_to(message, 100).to.tag)
        message.set("To", "<sip:bob@example.com>;tag=1")
        self.assertEqual(response_to(message, 200, to_tag="2").to.tag, "1")

    def test_response_timestamp(self) -> None:
        """Timestamp is copied into a 100 only (RFC 3261 §8.2.6.1)."""
        message = invite()
        message.set("Timestamp", "54")
        self.assertEqual(response_to(message, 100).first("Timestamp"), "54")
        self.assertIsNone(response_to(message, 180).first("Timestamp"))

    def test_response_to_bad_request(self) -> None:
        """A request that lacks headers, or has unreadable ones, can be answered."""
        error = _refusal(self, b"BYE sip:a SIP/9.0\r\nVia: x\r\nTo: <<\r\n\r\n")
        assert isinstance(error.message, Request)
        made = response_to(error.message, error.status, to_tag="1")
        self.assertEqual(
            made.encode(),
            b"SIP/2.0 505 Version Not Supported\r\nVia: x\r\nTo: <<\r\nContent-Length: 0\r\n\r\n",
        )

    def test_shown(self) -> None:
        """What the log shows of a message is text on one line that steers no terminal, whatever its octets are."""
        asked = parse(b"BYE sip:\xff\xc2\x9b2J SIP/2.0\r\n\r\n")
        answered = parse(b"SIP/2.0 200 \x1b[2J\xff\r\n\r\n")
        self.assertEqual((repr(asked), repr(answered)), ("<BYE sip:??2J>", "<200 ?[2J?>"))
        self.assertLess(len(repr(request("BYE", "sip:" + "a" * 4_000, []))), 250)

    def test_reason(self) -> None:
        """A reason can be chosen and changed; an unknown status has none."""
        made = response_to(invite(), 480, "Peer lost")
        self.assertEqual(made.reason, "Peer lost")
        made.reason = "Gone away"
        self.assertTrue(made.encode().startswith(b"SIP/2.0 480 Gone away\r\n"))
        self.assertRaises(LocalError, setattr, made, "reason", "a\r\nb")
        self.assertEqual(response_to(invite(), 299).reason, "")
        self.assertRaises(LocalError, response_to, invite(), 700)
        self.assertEqual(REASONS[487], "Request Terminated")

    def test_message_is_base(self) -> None:
        """Both kinds are messages."""
        self.assertTrue(issubclass(Request, Message) and issubclass(Response, Message))
