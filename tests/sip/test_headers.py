"""Tests of reading and changing header lines."""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.sip.fields import COMPACT
from p2pship.sip.message import BadMessage, Message, parse, request, response_to
from p2pship.sip.uri import Via
from tests.scale import SEED, scaled
from tests.sip.invite import INVITE, invite

_ROUTING = frozenset({"via", "route"})
_TYPED = ("call_id", "cseq", "from_", "max_forwards", "to", "via")


def _typed_values(message: Message) -> list[object]:
    """Return each typed value, or why there is none."""
    return [_value_or_why(message, name) for name in _TYPED]


def _value_or_why(message: Message, name: str) -> object:
    try:
        return getattr(message, name)
    except BadMessage as error:
        return str(error)


def _change(message: Message, chance: random.Random) -> None:
    """Change a header that has a typed value in some way."""
    key, value = chance.choice(
        [
            ("via", "SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKnew"),
            ("from", "<sip:carol@example.com>;tag=7"),
            ("to", "<sip:dan@example.com>;tag=8"),
            ("cseq", "9 BYE"),
            ("call-id", "another"),
            ("max-forwards", "3"),
        ]
    )
    other = request("BYE", "sip:a", [(key, value)])
    changes: list[Callable[[], object]] = [
        lambda: message.set(key, value),
        lambda: message.append(key, value),
        lambda: message.prepend(key, value),
        lambda: message.remove(key),
        lambda: message.drop(frozenset({key})),
        lambda: message.take(key, other),
        lambda: message.put_first(other, frozenset({key})),
        lambda: message.pop(key),
    ]
    chance.choice(changes)()


class HeadersTests(SynchronousTestCase):
    """Reading and changing of header lines."""

    def test_first_and_lines(self) -> None:
        """Names are taken in any case and form; values are unfolded and stripped."""
        message = invite()
        self.assertEqual(message.first("SUBJECT"), "one two")
        self.assertEqual(message.first("s"), "one two")
        self.assertEqual(message.first("To"), "<sip:bob@example.com>")
        self.assertEqual(len(message.lines("via")), 2)
        self.assertEqual(
            (message.first("Route"), message.lines("Route"), "Route" in message), (None, [], False)
        )
        self.assertTrue("V" in message)

    def test_odd_octets_survive(self) -> None:
        """Octets that are not UTF-8 can be read and written back."""
        message = invite()
        value = message.first("X-Odd") or ""
        message.set("X-Odd", value)
        self.assertIn(b"X-Odd: \xff\r\n", message.encode())

    def test_values(self) -> None:
        """Lists are split at commas that stand alone."""
        message = request(
            "BYE",
            "sip:a",
            [
                ("Contact", '"A, \\"B" <sip:a,b@c>;x="1,2", <sip:d>'),
                ("m", "<sip:e>"),
                ("Supported", ""),
                ("Allow", "INVITE ,, ACK,"),
                ("Warning", '"unclosed, x'),
            ],
        )
        self.assertEqual(message.values("Contact"), ['"A, \\"B" <sip:a,b@c>;x="1,2"', "<sip:d>", "<sip:e>"])
        self.assertEqual(message.values("Supported"), [])
        self.assertEqual(message.values("Allow"), ["INVITE", "ACK"])
        self.assertEqual(message.values("Warning"), ['"unclosed, x'])

    def test_compact_forms(self) -> None:
        """Every compact form is another spelling of its name."""
        for short, name in COMPACT.items():
            for spelling in (short, short.upper(), name, name.upper()):
                message = parse(f"BYE sip:a SIP/2.0\r\n{spelling} : 0\r\n\r\n".encode())
                self.assertEqual((message.first(name), message.first(short)), ("0", "0"))

    def test_set(self) -> None:
        """Lines are replaced where the first one was, or added at the end; other lines keep their octets."""
        message = invite()
        message.set("Via", "one", "two", "three")
        message.set("Max-Forwards", "69")
        message.set("Route", "<sip:r>")
        lines = message.encode().split(b"\r\n")
        self.assertEqual(lines[1:5], [b"Via: one", b"Via: two", b"Via: three", b"Max-Forwards: 69"])
        self.assertEqual(lines[6], b"t: <sip:bob@example.com>")
        self.assertEqual(lines[-3:], [b"Route: <sip:r>", b"", b"body"])

    def test_set_nothing(self) -> None:
        """Setting to no values removes."""
        message = invite()
        message.set("Via")
        message.remove("Subject")
        message.remove("Route")
        self.assertNotIn("via", message)
        self.assertNotIn(b"two", message.encode())

    def test_prepend_and_append(self) -> None:
        """A line is added before the first or after the last of its name, else at the very top or end."""
        message = invite()
        message.prepend("Via", "new")
        message.append("Via", "old")
        message.prepend("Route", "<sip:r>")
        message.append("Reason", "Q.850")
        self.assertEqual(
            [value.partition(" ")[0] for value in message.lines("Via")],
            ["new", "SIP/2.0/UDP", "SIP/2.0/TCP", "old"],
        )
        lines = message.encode().split(b"\r\n")
        self.assertEqual((lines[1], lines[2], lines[-3]), (b"Route: <sip:r>", b"Via: new", b"Reason: Q.850"))

    def test_pop(self) -> None:
        """The first value goes, be it a line or a part of one."""
        message = invite()
        branches = []
        while (value := message.pop("Via")) is not None:
            branches.append(Via.parse(value).branch)
        self.assertEqual(branches, ["z9hG4bKnashds8", "z9hG4bKa", "z9hG4bKb"])
        self.assertNotIn("Via", message)

    def test_by_key(self) -> None:
        """Lines go, come from another message and are looked for by their keys; their octets stay as they are."""
        message, other = invite(), request("BYE", "sip:a", [("Route", "<sip:r>"), ("To", "<sip:c>")])
        self.assertEqual((other.has_any(_ROUTING), other.has_all(_ROUTING)), (True, False))
        other.put_first(message, frozenset({"via"}))
        other.take("to", message)
        other.take("subject", message)
        lines = other.encode().split(b"\r\n")
        self.assertEqual([line[:3] for line in lines[1:5]], [b"Via", b"v: ", b"Rou", b"t: "])
        self.assertEqual(lines[-4:-2], [b"Subject: one", b"\t two"])
        self.assertTrue(other.has_all(_ROUTING))
        other.drop(_ROUTING)
        self.assertFalse(other.has_any(_ROUTING))
        self.assertEqual(message.encode(), INVITE)

    def test_what_was_read_is_forgotten(self) -> None:
        """However a header changes, its typed value is that of the lines as they are now."""
        chance = random.Random(SEED)
        for _ in range(scaled(300, 10_000)):
            message = invite()
            for _ in range(4):
                _typed_values(message)
                _change(message, chance)
            self.assertEqual(_typed_values(message), _typed_values(parse(message.encode())), message.encode())
            self.assertEqual(_typed_values(message), _typed_values(message.copy()))

    def test_no_injection(self) -> None:
        """A value that would end its line is our error, and changes nothing."""
        message = invite()
        for value in ("a\r\nVia: b", "a\nb", "a\rb"):
            self.assertRaises(LocalError, message.set, "To", value)
            self.assertRaises(LocalError, message.append, "To", value)
            self.assertRaises(LocalError, message.prepend, "To", value)
        self.assertEqual(message.encode(), INVITE)

    def test_copy(self) -> None:
        """A copy changes by itself."""
        message = invite()
        self.assertEqual(message.from_.tag, "1928301774")
        copy = message.copy()
        copy.set("From", "<sip:x>;tag=2")
        copy.uri = "sip:other"
        copy.body = b""
        self.assertEqual(
            (copy.from_.tag, copy.uri, copy.method, copy.body), ("2", "sip:other", "INVITE", b"")
        )
        self.assertEqual(message.encode(), INVITE)
        self.assertEqual(message.from_.tag, "1928301774")
        response = response_to(message, 180).copy()
        self.assertEqual((response.status, response.reason), (180, "Ringing"))

    def test_body(self) -> None:
        """Setting the body sets Content-Length where it was."""
        message = invite()
        message.body = b"longer body"
        self.assertTrue(message.encode().endswith(b"Content-Length: 11\r\n\r\nlonger body"))
