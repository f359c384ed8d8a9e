"""Torture messages with octets changed, lost and added: nothing but BadMessage comes of them, wherever they arrive."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.framing import KeepAlive, StreamParser
from p2pship.sip.message import BadMessage, Message, Request, parse
from p2pship.sip.refusal import refusal
from p2pship.sip.sdp import BadSDP, capabilities
from p2pship.sip.validity import check_extensions, validate
from tests.sip.fakes import FakePeer
from tests.sip.station import Station
from tests.sip.torture import HANDLING, octets

ALICE, BOB = "alice@example.com", "bob@example.com"

OWN = {
    b"Via",
    b"Max-Forwards",
    b"Session-Expires",
    b"Min-SE",
    b"Max-Breadth",
    b"Record-Route",
    b"Contact",
    b"Content-Length",
    b"P-Asserted-Identity",
    b"From",
    b"To",
}
"What a node writes anew towards its phone."

ANSWERED = {b"To", b"Content-Length", b"Unsupported"}
"What an answer has beside what it copies: a tag in To, its length, and what is not supported."

ALIVE = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b",", b";", b":", b'"', b"<", b">", b"\\", b"%", b"["]
)
"Octets that mean something to a parser."


@st.composite
def named_mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A torture message with up to four changes, and its name."""
    name = draw(st.sampled_from(sorted(HANDLING)))
    message = octets(name)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(message)))
        lost = draw(st.integers(0, 3))
        message = message[:at] + draw(ALIVE | st.binary(max_size=2)) + message[at + lost :]
    return name, message


mutations = named_mutations().map(lambda chosen: chosen[1])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Torture messages one after the other, some changed, with line ends and anything else between them."""
    between = st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"]) | st.binary(max_size=8)
    whole = st.sampled_from(sorted(HANDLING)).map(octets)
    return b"".join(draw(st.lists(whole | mutations | between, max_size=5)))


def outcome(pieces: list[bytes]) -> tuple[list[bytes | KeepAlive], int]:
    """Return what comes out of a stream until it breaks, and the status of that; 0 if it does not."""
    parser, items = StreamParser(), list[bytes | KeepAlive]()
    try:
        for piece in [*pieces, b""]:
            items += parser.feed(piece)
    except BadMessage as error:
        return items, error.status
    return items, 0


class MutationTests(SynchronousTestCase):
    """Messages by themselves."""

    @given(mutations)
    def test_datagram(self, data: bytes) -> None:
        """What is taken is sent on as it came; what is not is BadMessage."""
        try:
            message = parse(data)
        except BadMessage as error:
            self._answerable(error)
            return
        self._round_trip(data.lstrip(b"\r\n"), message)
        try:
            self._read(message)
        except BadMessage as error:
            self._answerable(error)

    def _round_trip(self, data: bytes, message: Message) -> None:
        """A message is what came, up to the end of its body; only ``sip/2.0`` is written in capitals (§7.1)."""
        encoded = message.encode()
        start, _, rest = data[: len(encoded)].partition(b"\r\n")
        self.assertEqual(encoded.partition(b"\r\n")[2], rest)
        self.assertEqual(encoded.partition(b"\r\n")[0].upper(), start.upper())
        self.assertEqual(parse(encoded).encode(), encoded)

    def _read(self, message: Message) -> None:
        validate(message)
        if isinstance(message, Request):
            check_extensions(message, "Proxy-Require")
        try:
            capabilities(message.body)
        except BadSDP:
            return

    def _answerable(self, error: BadMessage) -> None:
        """The answer to a bad message, if there is one, is a message that has no line of anybody's making."""
        self.assertTrue(400 <= error.status < 600)
        answer = refusal(error)
        if answer is None:
            return
        again = parse(answer.encode())
        self.assertEqual((again.encode(), again.body), (answer.encode(), b""))
        assert error.message is not None
        known = set(header_lines(error.message))
        for line in header_lines(again):
            self.assertTrue(line in known or line.partition(b":")[0] in ANSWERED, line)


def header_lines(message: Message) -> list[bytes]:
    """Return the header lines of a message, folded ones in one piece."""
    return re.split(rb"\r\n(?![ \t])", message.encode().partition(b"\r\n\r\n")[0])[1:]


class StreamMutationTests(SynchronousTestCase):
    """Messages in a stream."""

    @given(streams(), st.lists(st.integers(1, 200), min_size=1, max_size=20))
    def test_pieces(self, data: bytes, sizes: list[int]) -> None:
        """The same messages come out, and the stream breaks at the same place, in whatever pieces it comes."""
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(data[at : at + size])
            at += size
        octet_by_octet = [data[at : at + 1] for at in range(len(data))]
        expected = outcome([data])
        self.assertEqual(outcome(pieces), expected)
        self.assertEqual(outcome(octet_by_octet), expected)

    @given(streams())
    def test_contents(self, data: bytes) -> None:
        """Each message is a part of the stream, in order, and is read or refused."""
        at = 0
        for item in outcome([data])[0]:
            octets_of_item = item if isinstance(item, bytes) else item.value
            at = data.index(octets_of_item, at) + len(octets_of_item)
            if isinstance(item, bytes):
                try:
                    self.assertEqual(parse(item).encode()[-20:], item[-20:])
                except BadMessage as error:
                    self.assertGreaterEqual(error.status, 400)


class ProxyMutationTests(SynchronousTestCase):
    """Messages at the proxies of two nodes, from phone to phone."""

    @given(named_mutations())
    def test_served(self, chosen: tuple[str, bytes]) -> None:
        """No message makes a proxy fail: it is answered, sent on or dropped, and no line is added but our own."""
        name, data = chosen
        near, far = Station(), Station()
        try:
            self._pass(near, far, name, data)
        finally:
            near.stop()
            far.stop()

    def _pass(self, near: Station, far: Station, name: str, data: bytes) -> None:
        caller, callee = _people(name)
        phone, other = near.register(caller), far.register(callee, 5071)
        registered = len(other.sent)
        _deliver(lambda: near.proxy.layer.message_received(parse(data), phone))
        peer = FakePeer(caller, callee)
        for search in near.overlay.searches:
            search.reach(peer)
            search.end()
        caller_there = FakePeer(callee, caller)
        for message in peer.sent:
            _deliver(partial(far.proxy.message_from_peer, caller_there, message))
        for station in (near, far):
            self.assertEqual(station.journal.counts["sip.user_failed"], 0, data)
        for message in other.sent[registered:]:
            self._only_ours(data, message.encode())

    def _only_ours(self, sent: bytes, came: bytes) -> None:
        """Look that each line that came was one of those sent, or has a name that this node writes itself."""
        known = set(header_lines(parse(sent)))
        for line in header_lines(parse(came)):
            self.assertTrue(line in known or line.partition(b":")[0] in OWN, (line, sent))


def _people(name: str) -> tuple[str, str]:
    """Return who calls whom with a message."""
    handling = HANDLING[name]
    people = (handling.caller, *handling.callees)[:2] if handling.caller else (f"sip:{ALICE}", f"sip:{BOB}")
    caller, callee = (person.removeprefix("sip:") for person in people)
    return caller, callee


def _deliver(take: Callable[[], None]) -> None:
    try:
        take()
    except BadMessage as error:
        assert error.status >= 400
