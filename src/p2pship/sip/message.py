"""SIP messages (RFC 3261 §7): what is not touched keeps its octets, what is not asked for is not parsed.

A message is its start line, its header lines as they came, and its body. Each line is known by the key of its name;
values are decoded when they are first asked for, and typed values are kept until their header changes. Parsing
checks only what framing needs; :func:`p2pship.sip.validity.validate` checks what a proxy or server must.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, Self, cast

from p2pship.errors import LocalError, RemoteError
from p2pship.journal import printable
from p2pship.sip.fields import raw_keys
from p2pship.sip.headers import Headers, Value, elements, octets_of, read_line, text_of
from p2pship.sip.parameters import TOKEN
from p2pship.sip.reasons import REASONS
from p2pship.sip.scalars import read_call_id, read_cseq, read_max_forwards, read_number
from p2pship.sip.uri import BadURI, NameAddr, Via

__all__ = ["REASONS", "BadMessage", "Message", "Request", "Response", "parse", "request", "response_to"]

# The most that one UDP datagram can hold; TCP gets no more, so that a message fits in one payload of a peer.
LARGEST_MESSAGE = 65_535
# A Request-URI with an embedded message (RFC 3261 §19.1.1) stays far below; 414 says that it is this one.
LONGEST_START_LINE = 4_096
# The longest in use are Identity (RFC 8224) and Authorization headers of 2 to 4 KiB.
LONGEST_LINE = 16_384
# A message with Max-Forwards 70 can have 70 Vias and as many Record-Routes beside its own headers.
MOST_LINES = 256

# Characters of a message in a line of the log.
LONGEST_SHOWN = 200

_NOT_IN_URI = r' <>"\t\x00-\x1f\x7f'
_REQUEST_LINE = re.compile(rf"({TOKEN}) ([^{_NOT_IN_URI}]+) (?i:SIP)/2\.0".encode())
_STATUS_LINE = re.compile(rb"(?i:SIP)/2\.0 ([1-6][0-9][0-9])(?: (.*))?", re.DOTALL)
_VERSION = re.compile(rb"SIP/([0-9]+\.[0-9]+)", re.IGNORECASE)
_FOLDED_LINES = re.compile(rb"\r\n(?![ \t])")
_METHOD = re.compile(TOKEN)
_URI = re.compile(rf"[^{_NOT_IN_URI}]+")


_COPIED = frozenset({"via", "from", "to", "call-id", "cseq"})
_COPIED_TO_100 = _COPIED | {"timestamp"}


class BadMessage(RemoteError):
    """This is not a SIP message that can be accepted."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: Message | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """``message`` is what could be read, if that is enough to answer it with ``status`` and ``headers``."""
        super().__init__(reason)
        self.status = status
        self.message = message
        self.headers = tuple(headers)


class Typed(Generic[Value]):
    """A header of a message with one value, read when it is first asked for: then the message has it as an attribute.

    Reading raises :class:`BadMessage` with status 400 if the header is missing, comes twice or is malformed.
    """

    def __init__(self, key: str, read: Callable[[str], Value]) -> None:
        self._key = key
        self._read = read

    def __get__(self, message: Message, _: type[Message]) -> Value:
        value = message.__dict__[message.typed[self._key]] = message.read_typed(self._key, self._read)
        return value


class OptionalTyped(Typed[Value | None]):
    """The same, None if the header is missing."""

    def __get__(self, message: Message, owner: type[Message]) -> Value | None:
        return super().__get__(message, owner) if self._key in message._keys else None


def topmost_via(text: str) -> Via:
    """Read the first value of a Via line; raises BadURI."""
    values = elements(text)
    if not values:
        raise BadURI("it is empty")
    return Via.parse(values[0])


class Message(Headers):
    """A request or a response."""

    typed: ClassVar = {
        "call-id": "call_id",
        "cseq": "cseq",
        "from": "from_",
        "max-forwards": "max_forwards",
        "to": "to",
        "via": "via",
    }

    call_id = Typed("call-id", read_call_id)
    "the Call-ID (RFC 3261 §20.8)"
    cseq = Typed("cseq", read_cseq)
    "the number and the method of CSeq (RFC 3261 §20.16)"
    from_ = Typed("from", NameAddr.parse)
    "the From (RFC 3261 §20.20)"
    max_forwards = OptionalTyped("max-forwards", read_max_forwards)
    "Max-Forwards, 0 to 255 (RFC 3261 §20.22)"
    to = Typed("to", NameAddr.parse)
    "the To (RFC 3261 §20.39)"
    via = Typed("via", topmost_via)
    "the topmost Via (RFC 3261 §20.42)"

    def __init__(self, start: bytes, keys: list[str], lines: list[bytes], body: bytes) -> None:
        """Take a start line and raw header lines, without line ends, with the key of each; for this module only."""
        super().__init__(keys, lines)
        self._start = start
        self._body = body

    @property
    def body(self) -> bytes:
        """The body; setting it sets Content-Length too."""
        return self._body

    @body.setter
    def body(self, body: bytes) -> None:
        self._body = body
        self.set("Content-Length", str(len(body)))

    def copy(self) -> Self:
        """Return a copy that can be changed by itself."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)  # the typed values, too
        twin._keys, twin._lines = self._keys[:], self._lines[:]
        return twin

    def encode(self) -> bytes:
        """Return the octets to send."""
        return b"\r\n".join((self._start, *self._lines, b"", self._body))

    def read_typed(self, key: str, read: Callable[[str], Value]) -> Value:
        """Read the only line of a key, or the first of Via; raises BadMessage."""
        count = self._keys.count(key)
        if count > 1 and key != "via":
            raise BadMessage(400, f"there are several {key} headers", self)
        if not count:
            raise BadMessage(400, f"there is no {key} header", self)
        try:
            return read_line(read, self._lines[self._keys.index(key)])
        except BadURI as error:
            raise BadMessage(400, f"bad {key} header: {error}", self) from None


class Request(Message):
    """A request."""

    def __init__(
        self,
        method: str,
        uri: str,
        keys: list[str],
        lines: list[bytes],
        body: bytes,
        start: bytes | None = None,
    ) -> None:
        """Take what was read; see :func:`request` to make one."""
        super().__init__(_request_line(method, uri) if start is None else start, keys, lines, body)
        self.method = method
        "the method, which stays; methods are case-sensitive (RFC 3261 §7.1)"
        self._uri = uri

    def __repr__(self) -> str:
        return printable(f"<{self.method} {self._uri}>", LONGEST_SHOWN)

    @property
    def uri(self) -> str:
        """The Request-URI as written, of any scheme."""
        return self._uri

    @uri.setter
    def uri(self, uri: str) -> None:
        self._start = _request_line(self.method, uri)
        self._uri = uri


class Response(Message):
    """A response."""

    def __init__(
        self,
        status: int,
        reason: str,
        keys: list[str],
        lines: list[bytes],
        body: bytes,
        start: bytes | None = None,
    ) -> None:
        """Take what was read; see :func:`response_to` to make one."""
        super().__init__(_status_line(status, reason) if start is None else start, keys, lines, body)
        self.status = status
        "the status, 100 to 699, which stays"
        self._reason = reason

    def __repr__(self) -> str:
        return printable(f"<{self.status} {self._reason}>", LONGEST_SHOWN)

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self._reason

    @reason.setter
    def reason(self, reason: str) -> None:
        self._start = _status_line(self.status, reason)
        self._reason = reason


def parse(data: bytes) -> Request | Response:
    """Read one message: a whole datagram, or what a :class:`~p2pship.sip.framing.StreamParser` cut out.

    The body is cut to Content-Length; without one it is the rest (RFC 3261 §18.3).

    :raises BadMessage: if it is no message, breaks a limit, or its body is shorter than Content-Length.
    """
    if len(data) > LARGEST_MESSAGE:
        raise BadMessage(513, f"the message has more than {LARGEST_MESSAGE} octets")
    if data[:1] in (b"\r", b"\n"):  # RFC 3261 §7.5
        data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise BadMessage(
            400, "there is no empty line after the headers", _read(*_split(data.rstrip(b"\r\n")), b"")
        )
    start, lines = _split(data[:end])
    message = _read(start, lines, data[end + 4 :])
    if "content-length" in message._keys:
        _cut_body(message)
    if message._keys.count("content-type") > 1:  # one would be looked at here, and the other by the phone
        raise BadMessage(400, "there are several Content-Type headers", message)
    return message


def request(method: str, uri: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> Request:
    """Make a request with these header lines, and Content-Length.

    :raises LocalError: if the method, the URI or a value cannot stand where it should.
    """
    made = Request(method, uri, [], [], b"")
    for name, value in headers:
        made.append(name, value)
    made.body = body
    return made


def response_to(
    request: Request, status: int, reason: str | None = None, to_tag: str | None = None
) -> Response:
    """Make a response with what it must copy from its request (RFC 3261 §8.2.6).

    These are Via, From, To, Call-ID and CSeq as they are, and Timestamp in a 100. ``to_tag`` is added to a To that
    has no tag. What the request lacks, the response lacks too, so that a bad request can be answered.
    """
    keys, lines = request.raw(_COPIED_TO_100 if status == 100 else _COPIED)
    made = Response(status, REASONS.get(status, "") if reason is None else reason, keys, lines, b"")
    if to_tag is not None:
        _add_tag(made, to_tag)
    made.body = b""
    return made


def _add_tag(response: Response, tag: str) -> None:
    try:
        untagged = response.to.tag is None
    except BadMessage:
        return  # a To that cannot be read is copied as it is, so that its sender recognises it
    if untagged:
        response.set("To", f"{response.first('To')};tag={tag}")


def _split(head: bytes) -> tuple[bytes, list[bytes]]:
    """Split what is above the empty line; continuation lines stay with the line that they continue (§7.3.1)."""
    lines = head.split(b"\r\n")
    if not head.count(b"\r") == head.count(b"\n") == len(lines) - 1:
        raise BadMessage(400, "a line ends with CR or LF alone")
    if b"\r\n " in head or b"\r\n\t" in head:
        lines = _FOLDED_LINES.split(head)
    if len(lines) > MOST_LINES:
        raise BadMessage(400, f"there are more than {MOST_LINES} header lines")
    if len(head) > LONGEST_LINE and max(map(len, lines)) > LONGEST_LINE:
        raise BadMessage(400, f"a header line has more than {LONGEST_LINE} octets")
    return lines[0], lines[1:]


def _read(start: bytes, lines: list[bytes], body: bytes) -> Request | Response:
    keys = raw_keys(lines)
    if None not in keys:
        return _read_start(start, cast("list[str]", keys), lines, body)
    good = [(key, line) for key, line in zip(keys, lines, strict=True) if key is not None]
    message = _read_start(start, [key for key, _ in good], [line for _, line in good], b"")
    bad = text_of(lines[keys.index(None)][:40])
    raise BadMessage(400, f"{bad!r} is not a header", message)


def _read_start(start: bytes, keys: list[str], lines: list[bytes], body: bytes) -> Request | Response:
    if len(start) > LONGEST_START_LINE:
        raise _too_long(start, keys, lines)
    match = _REQUEST_LINE.fullmatch(start)
    if match is not None:
        kept = (
            start if start.endswith(b"SIP/2.0") else None
        )  # taken in any case, sent in upper (RFC 3261 §7.1)
        return Request(match[1].decode("ascii"), text_of(match[2]), keys, lines, body, kept)
    match = _STATUS_LINE.fullmatch(start)
    if match is not None:
        kept = start if start.startswith(b"SIP/2.0") else None
        return Response(int(match[1]), text_of(match[2] or b""), keys, lines, body, kept)
    return _read_odd_start(start, keys, lines)


def _read_odd_start(start: bytes, keys: list[str], lines: list[bytes]) -> Request:
    """Raise the error for a start line, with the request if it is one that can be answered."""
    words = start.split()
    if len(words) < 3 or not _METHOD.fullmatch(text_of(words[0])):
        raise BadMessage(400, f"{text_of(start[:80])!r} is not the start of a SIP message")
    version = _VERSION.fullmatch(words[-1])
    if version is None:
        raise BadMessage(400, f"{text_of(start[:80])!r} is not the start of a SIP message")
    asked = Request(text_of(words[0]), text_of(b" ".join(words[1:-1])), keys, lines, b"", start)
    if version[1] != b"2.0":
        raise BadMessage(505, f"SIP version {text_of(version[1])} is not supported", asked)
    raise BadMessage(400, f"{text_of(start[:80])!r} is not a well-formed request line", asked)


def _too_long(start: bytes, keys: list[str], lines: list[bytes]) -> BadMessage:
    method = text_of(start.partition(b" ")[0])
    asked = Request(method, "sip:", keys, lines, b"", start) if _METHOD.fullmatch(method) else None
    return BadMessage(414, f"the start line has more than {LONGEST_START_LINE} octets", asked)


def _cut_body(message: Request | Response) -> None:
    if message._keys.count("content-length") > 1:
        raise BadMessage(400, "there are several Content-Length headers", message)
    try:
        length = read_line(read_number, message._lines[message._keys.index("content-length")])
    except BadURI as error:
        raise BadMessage(400, f"bad Content-Length: {error}", message) from None
    if length > len(message._body):
        raise BadMessage(400, f"the body has {len(message._body)} octets, not {length}", message)
    message._body = message._body[:length]


def _request_line(method: str, uri: str) -> bytes:
    if not _METHOD.fullmatch(method) or not _URI.fullmatch(uri):
        raise LocalError(f"{method!r} {uri!r} is not the start of a request")
    return octets_of(f"{method} {uri} SIP/2.0")


def _status_line(status: int, reason: str) -> bytes:
    if not 100 <= status <= 699:
        raise LocalError(f"{status} is not a SIP status")
    return octets_of(f"SIP/2.0 {status} {reason}")
