"""What the bearer ``udp`` puts around its messages: the page ``docs/reference/udp-bearer.md`` draws it.

Every datagram begins with four octets. On a link they are the *connection id* that its receiver chose, whose first octet is
never zero, and the rest is sealed (:mod:`p2pship.bearer.channel`). A first octet of zero begins a message of the handshake.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from p2pship.bearer.channel import OVERHEAD as SEAL_SIZE
from p2pship.bearer.cookie import COOKIE_SIZE
from p2pship.bearer.exchangewire import ANSWER_SIZE, CLOSING_SIZE, OPENING_SIZE
from p2pship.errors import RemoteError

ID_SIZE = 4
"Octets of a connection id."

UDP_HEADER = 8
IP_HEADERS = {4: 20, 6: 40}
"Octets of headers by IP version (RFC 791, RFC 8200); we send no options."


class BadHandshake(RemoteError):
    """What came is no message of the handshake."""


class Knock(NamedTuple):
    """The dialler's first message, also with the cookie that it was sent."""

    own: bytes
    "the dialler's connection id"
    cookie: bytes
    "zeros at first"
    opening: bytes


class Retry(NamedTuple):
    """Asks to knock again with a cookie."""

    to: bytes
    "the dialler's connection id"
    cookie: bytes


class Answered(NamedTuple):
    """The listener's answer."""

    to: bytes
    "the dialler's connection id"
    own: bytes
    "the listener's connection id"
    answer: bytes


class Closed(NamedTuple):
    """The dialler's closing."""

    to: bytes
    "the listener's connection id"
    closing: bytes


class Refused(NamedTuple):
    """Says that another device is here. Nobody vouches for that, so it ends one attempt and nothing else."""

    to: bytes
    "the dialler's connection id"


Handshake = Knock | Retry | Answered | Closed | Refused

_LAYOUTS: dict[int, tuple[Callable[..., Handshake], struct.Struct]] = {
    1: (Knock, struct.Struct(f">xB{ID_SIZE}s{COOKIE_SIZE}s{OPENING_SIZE}s")),
    2: (Retry, struct.Struct(f">xB{ID_SIZE}s{COOKIE_SIZE}s")),
    3: (Answered, struct.Struct(f">xB{ID_SIZE}s{ID_SIZE}s{ANSWER_SIZE}s")),
    4: (Closed, struct.Struct(f">xB{ID_SIZE}s{CLOSING_SIZE}s")),
    5: (Refused, struct.Struct(f">xB{ID_SIZE}s")),
}
_KINDS = {made: kind for kind, (made, _layout) in _LAYOUTS.items()}


def encode(message: Handshake) -> bytes:
    """Return a message of the handshake as it goes over the wire."""
    kind = _KINDS[type(message)]
    return _LAYOUTS[kind][1].pack(kind, *message)


def parse(datagram: bytes) -> Handshake:
    """Read a message of the handshake.

    :raises BadHandshake: if it is none.
    """
    if len(datagram) < 2 or datagram[0] or datagram[1] not in _LAYOUTS:
        raise BadHandshake("there is no such message in the handshake")
    made, layout = _LAYOUTS[datagram[1]]
    if len(datagram) != layout.size:
        raise BadHandshake(f"a message of {len(datagram)} octets came where one of {layout.size} is due")
    _kind, *fields = layout.unpack(datagram)
    return made(*fields)


def overhead(host: str) -> int:
    """Return the octets of headers around what a sealed datagram to this address carries."""
    return IP_HEADERS[6 if ":" in host else 4] + UDP_HEADER + ID_SIZE + SEAL_SIZE
