"""What names a transaction: the keys by which messages find theirs (RFC 3261 §17.1.3, §17.2.3)."""

from __future__ import annotations

from collections.abc import Hashable

from p2pship.interfaces import ISIPHop
from p2pship.sip.message import Message, Request, Response
from p2pship.sip.uri import Via

MAGIC_COOKIE = "z9hG4bK"
"how a branch begins that is unique for its transaction (§8.1.1.7)"
DEFAULT_PORT = 5060
"the port of a sent-by that names none (§18.2.1)"
SHARED_TRANSPORTS = frozenset({"UDP", "TCP"})
"transports over which a transaction may change its socket or connection"


def scope(hop: ISIPHop) -> Hashable:
    """Return what keeps the transactions of a hop apart from those of others.

    Messages of a phone find their transaction from whatever socket they come, as a response may arrive by another
    connection (§18.1.1) and branches cannot be guessed. A peer only ever finds the transactions that it has with us.
    """
    return None if hop.transport in SHARED_TRANSPORTS else hop.key


def client_key(response: Response, origin: ISIPHop) -> Hashable:
    """Return the key of the client transaction that a response is for (§17.1.3).

    :raises BadMessage: if Via or CSeq cannot be read.
    """
    return scope(origin), response.via.branch, response.cseq[1]


def request_key(request: Request, hop: ISIPHop) -> Hashable:
    """Return the key of the client transaction that sends a request, whose top Via is our own."""
    return scope(hop), request.via.branch, request.method


def server_key(request: Request, origin: ISIPHop, method: str | None = None) -> Hashable:
    """Return the key of the server transaction that a request belongs to (§17.2.3).

    ``method`` stands in for the request's own: a CANCEL names the transaction to be cancelled in this way (§9.2). An
    ACK has the key of its INVITE; if that is of a client of RFC 2543, see also :func:`acknowledges`.

    :raises BadMessage: if a header that the key is made of cannot be read.
    """
    via = request.via
    creates = method or ("INVITE" if request.method == "ACK" else request.method)
    if has_cookie(via):
        return scope(origin), via.branch, _sent_by(via), creates
    # The To tag tells requests of different dialogs apart. An INVITE has none yet where its ACK has one.
    tag = None if creates == "INVITE" else request.to.tag
    return (
        scope(origin),
        request.uri,
        tag,
        request.from_.tag,
        request.call_id,
        request.cseq[0],
        str(via),
        creates,
    )


def has_cookie(via: Via) -> bool:
    """Tell whether the branch names the transaction by itself. The bare cookie names nothing."""
    branch = via.branch
    return branch is not None and branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE)


def acknowledges(ack: Request, response: Message | None) -> bool:
    """Tell whether an ACK that found its INVITE is for the response given to it.

    That matters only for a client of RFC 2543, whose ACK must have the To tag of the response (§17.2.3).

    :raises BadMessage: if the headers cannot be read.
    """
    if has_cookie(ack.via):
        return True
    return response is not None and ack.to.tag == response.to.tag


def _sent_by(via: Via) -> tuple[str, int]:
    return via.host.lower(), via.port or DEFAULT_PORT
