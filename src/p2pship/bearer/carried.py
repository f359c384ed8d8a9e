"""What the sealed datagrams of a link carry."""

from __future__ import annotations

from enum import IntEnum


class Carried(IntEnum):
    """What a sealed datagram carries."""

    MEDIA = 16
    "a datagram that was cast"
    PART = 17
    "a part of one that was too large"
    SEGMENT = 18
    "a segment of :mod:`p2pship.bearer.arq`"
    ALIVE = 19
    "nothing: it keeps routers on the way from forgetting the link, or says that the closing has come"
    GOODBYE = 20
    "nothing: the link has ended"
    QUESTION = 21
    "asks whether the other side is there: 8 octets"
    REPLY = 22
    "the same 8 octets"
