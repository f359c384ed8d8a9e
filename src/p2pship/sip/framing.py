"""Cuts a byte stream into SIP messages and keep-alives (RFC 3261 §7.5, §18.3; RFC 5626 §4.4.1)."""

from __future__ import annotations

import re
from enum import Enum

from p2pship.sip.headers import raw_value, text_of
from p2pship.sip.message import LARGEST_MESSAGE, LONGEST_START_LINE, BadMessage, Message, parse
from p2pship.sip.parameters import TOKEN, BadURI
from p2pship.sip.scalars import read_number

_METHOD = re.compile(TOKEN.encode())
_TYPE = re.compile(rb"\r\n(?:content-type|c)[ \t]*:", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\n((?:content-length|l)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE)


class KeepAlive(Enum):
    """What stands between messages to keep a connection alive (RFC 5626 §3.5.1)."""

    PING = b"\r\n\r\n"
    "to be answered with a pong at once"
    PONG = b"\r\n"


class StreamParser:
    """Cuts what comes over one connection.

    The side that sends pings hears pongs, and only that side: a lone CRLF means nothing to the other.
    """

    def __init__(self, pinging: bool = False) -> None:
        """With ``pinging`` this side sends pings."""
        self._pinging = pinging
        self._buffer = bytearray()
        self._seen = 0  # how far the buffer was searched for the end of the headers
        self._needed = 0  # the length of the message that has begun, once its headers are complete
        self._started = False  # whether its start line is complete, and one of SIP
        self._error: BadMessage | None = None

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take what came, and return every message that is complete, as its octets, and every keep-alive.

        :raises BadMessage: if what comes is not SIP, or its framing is lost; nothing after that is looked at, and the
            connection must be closed. Messages before it in the same call are returned first: it is then raised by
            the next call, and ``broken`` is true until then.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        items: list[bytes | KeepAlive] = []
        try:
            while (item := self._next()) is not None:
                items.append(item)
        except BadMessage as error:
            self._error = error
            self._buffer.clear()
            if not items:
                raise
        return items

    @property
    def broken(self) -> bool:
        """Whether the next call raises."""
        return self._error is not None

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._buffer.strip(b"\r\n"))

    def _next(self) -> bytes | KeepAlive | None:
        if not self._needed:
            keep_alive = self._take_line_ends()
            if keep_alive is not None or not self._has_start() or not self._has_headers():
                return keep_alive
        if len(self._buffer) < self._needed:
            return None
        message = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._seen, self._needed, self._started = 0, 0, False
        return message

    def _take_line_ends(self) -> KeepAlive | None:
        """Take the CRLFs between two messages (RFC 3261 §7.5)."""
        while self._buffer.startswith(b"\r\n"):
            if self._pinging:
                del self._buffer[:2]
                return KeepAlive.PONG
            if self._buffer.startswith(b"\r\n\r\n"):
                del self._buffer[:4]
                return KeepAlive.PING
            if len(self._buffer) < 4 and b"\r\n\r".startswith(self._buffer):
                return None
            del self._buffer[:2]
        return None

    def _has_start(self) -> bool:
        """Tell whether the start line is complete, as soon as can be that it is none of SIP."""
        if self._started or not self._buffer or b"\r\n\r".startswith(self._buffer):
            return self._started
        end = self._buffer.find(b"\r\n", 0, LONGEST_START_LINE + 2)
        if end < 0 and len(self._buffer) > LONGEST_START_LINE + 1:
            raise BadMessage(414, f"the start line has more than {LONGEST_START_LINE} octets")
        if not _METHOD.match(self._buffer) or (end >= 0 and not _is_start(self._buffer[:end])):
            raise BadMessage(400, "this is not SIP")
        self._started = end >= 0
        return self._started

    def _has_headers(self) -> bool:
        """Tell whether the headers are complete, and find how long the message is."""
        end = self._buffer.find(b"\r\n\r\n", self._seen)
        if end < 0:
            self._seen = max(0, len(self._buffer) - 3)
            if len(self._buffer) > LARGEST_MESSAGE:
                raise BadMessage(513, f"the headers have more than {LARGEST_MESSAGE} octets")
            return False
        head = bytes(self._buffer[: end + 4])
        self._needed = len(head) + _length_in(head)
        if self._needed > LARGEST_MESSAGE:
            raise BadMessage(513, f"the message has more than {LARGEST_MESSAGE} octets", _answerable(head))
        return True


def _is_start(line: bytes | bytearray) -> bool:
    words = line.split()
    if len(words) > 1 and words[0].upper() == b"SIP/2.0":
        return True
    return len(words) > 2 and bool(_METHOD.fullmatch(words[0])) and words[-1].upper().startswith(b"SIP/")


def _length_in(head: bytes) -> int:
    """Return the Content-Length; 0 without one, though the sender must give it (RFC 3261 §18.3).

    With a body that says of what type it is, but not how long, the framing is lost (RFC 4475 §3.3.9).
    """
    lines = _LENGTH.findall(head)
    if not lines and _TYPE.search(head):
        raise BadMessage(400, "there is a body without Content-Length", _answerable(head))
    if not lines:
        return 0
    try:
        length = read_number(text_of(raw_value(lines[0])))
    except BadURI as error:
        raise BadMessage(400, f"bad Content-Length: {error}", _answerable(head)) from None
    if len(lines) > 1:
        raise BadMessage(400, "there are several Content-Length headers", _answerable(head))
    return length


def _answerable(head: bytes) -> Message | None:
    try:
        return parse(head)
    except BadMessage as error:
        return error.message
