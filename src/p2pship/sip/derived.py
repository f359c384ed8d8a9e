"""The requests that are made from an INVITE for the same hop: its CANCEL, and the ACK to its failure.

A CANCEL shares the branch of the INVITE (RFC 3261 §9.1), and so does this ACK (§17.1.1.3), which is thereby not the one
that the user sends for a 2xx.
"""

from __future__ import annotations

from p2pship.sip.message import BadMessage, Message, Request, Response, request

MAX_FORWARDS = "70"
"where a request starts (§8.1.1.6)"


def cancel_of(invite: Request, reason: str | None) -> Request:
    """Make the CANCEL of an INVITE as it was sent; ``reason`` is the value of a Reason header (RFC 3326).

    :raises BadMessage: if the INVITE lacks a header that a CANCEL needs.
    """
    cancel = _of_same_branch("CANCEL", invite, _required(invite, "To"))
    if reason is not None:
        cancel.append("Reason", reason)
    return cancel


def ack_of(invite: Request, response: Response) -> Request:
    """Make the ACK of a final response other than 2xx to an INVITE as it was sent.

    A response without To is acknowledged too, so that it is not sent again and again.

    :raises BadMessage: if the INVITE lacks a header that an ACK needs.
    """
    return _of_same_branch("ACK", invite, response.first("To") or _required(invite, "To"))


def _of_same_branch(method: str, invite: Request, to: str) -> Request:
    headers = [
        ("Via", str(invite.via)),
        ("Max-Forwards", MAX_FORWARDS),
        ("From", _required(invite, "From")),
        ("To", to),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq[0]} {method}"),
        *(("Route", route) for route in invite.lines("Route")),
    ]
    return request(method, invite.uri, headers)


def _required(message: Message, name: str) -> str:
    value = message.first(name)
    if value is None:
        raise BadMessage(400, f"there is no {name} header", message)
    return value
