"""What is answered, without a transaction, to a request that cannot be accepted (RFC 3261 §8.2.7)."""

from __future__ import annotations

from hashlib import blake2s

from p2pship.sip.message import BadMessage, Request, Response, response_to

LONGEST_REASON = 120
"characters of a reason phrase: enough for a person who reads a trace"

LONGEST_WARNING = 600
"characters of a Warning: what four lookups say; a telephone's display shows the first of them"

_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")
_NEEDED = ("Via", "CSeq")  # by these the sender knows what is answered (RFC 3261 §17.1.3)


def refusal(error: BadMessage) -> Response | None:
    """Return the answer to a bad message; None to a response, an ACK, or what lacks Via or CSeq.

    What else an answer copies, it lacks where the request does (RFC 4475 §3.3.1).
    """
    bad = error.message
    if not isinstance(bad, Request):
        return None
    response = stateless(bad, error.status, str(error))
    if response is not None:
        for name, value in error.headers:
            response.append(name, value)
    return response


def stateless(request: Request, status: int, reason: str) -> Response | None:
    """Make an answer whose To tag is the same for each retransmission of the request; None where none may be sent."""
    if request.method == "ACK" or not all(name in request for name in _NEEDED):
        return None
    seed = "\n".join(request.first(name) or "" for name in _COPIED)
    tag = blake2s(seed.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    phrase = "".join(letter if letter.isprintable() else "?" for letter in reason[:LONGEST_REASON])
    return response_to(request, status, phrase, to_tag=tag)


def add_warning(response: Response, reason: str) -> None:
    """Say in words why this node answers as it does: in a Warning, which telephones show (RFC 3261 §20.43)."""
    text = "".join(letter if letter.isprintable() and letter not in '"\\' else "'" for letter in reason)
    response.append("Warning", f'399 p2pship "{text[:LONGEST_WARNING]}"')


def warning_text(value: str) -> str:
    """Return the words of a Warning value, without its code and agent (RFC 3261 §20.43)."""
    _, quoted, text = value.partition('"')
    return text.rstrip('"') if quoted else value
