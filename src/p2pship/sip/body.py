"""The session descriptions in a message's body, alone or in a multipart (RFC 5621), as the other side is to see them.

One of them counts: the first that is for the session (RFC 3261 §20.11). Any other, such as one for early media (RFC 3959)
or an alternative, passes without address and port, so that nothing is told and nothing can be sent there.
"""

from __future__ import annotations

import re

from p2pship.sip.message import BadMessage, Message
from p2pship.sip.multipart import Part, PartHeaders, find_parts, media_type, replace_part
from p2pship.sip.offer import OfferAnswer, Turn
from p2pship.sip.sdp import BadSDP, capabilities

OFFERS = frozenset({"INVITE", "ACK", "PRACK", "UPDATE"})
"Methods whose messages, and the responses to them, may be an offer or an answer (RFC 3264, RFC 6337 §2)."

_SDP = "application/sdp"
_MEDIA_LINE = re.compile(rb"(?:\A|[\r\n])[ \t]*m=")


def describe(message: Message, turn: Turn, media: OfferAnswer | None) -> None:
    """Rewrite the session descriptions of a message; without ``media`` none of them is an offer or an answer.

    :raises BadMessage: 415 if one is encoded (RFC 3261 §21.4.13).
    :raises BadSDP: if one cannot be read, or a peer hides one.
    :raises LocalError: if no port or flow number is left.
    """
    body = message.body
    if not body:
        return
    whole = PartHeaders.of(message.first)
    parts = find_parts(whole, body, _SDP)
    negotiates = turn.method in OFFERS
    _check_plain(whole, parts, negotiates)
    if negotiates and not turn.by_phone:
        _check_none_hidden(body, parts)
    chosen = next((part for part in parts if part.disposition == "session"), None) if negotiates else None
    shown = [
        media.described(body[part.content], turn)
        if media is not None and part is chosen
        else capabilities(body[part.content])
        for part in parts
    ]
    if shown:
        message.body = _replaced(whole, body, parts[0], shown)


def _replaced(whole: PartHeaders, body: bytes, first: Part, shown: list[bytes]) -> bytes:
    body = replace_part(body, first, shown[0])
    for index, description in enumerate(shown[1:], 1):  # each replacement moves what follows it
        body = replace_part(body, find_parts(whole, body, _SDP)[index], description)
    return body


def _check_plain(whole: PartHeaders, parts: list[Part], strict: bool) -> None:
    """Check that every description can be read; when ``strict``, a multipart that may have some must be readable too."""
    hidden = strict and not whole.is_plain and media_type(whole.content_type)[0].startswith("multipart/")
    if hidden or not all(part.is_plain for part in parts):
        raise BadMessage(415, "a session description is encoded", headers=[("Accept-Encoding", "identity")])


def _check_none_hidden(body: bytes, parts: list[Part]) -> None:
    """Check that no session description stands where we do not look: a phone may look there.

    That is in a body that says to be something else, or in another kind of part.

    :raises BadSDP: if there is one.
    """
    at = 0
    for part in [each.content for each in parts] + [slice(len(body), len(body))]:
        if _MEDIA_LINE.search(body[at : part.start]):
            raise BadSDP("there is a session description beside the one that counts")
        at = part.stop
