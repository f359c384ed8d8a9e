"""Which dialog an INVITE is to take the place of (RFC 3891)."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.sip.message import BadMessage, Request
from p2pship.sip.parameters import BadURI, Parameters


@dataclass(frozen=True, slots=True)
class Replaced:
    """A dialog, named as the one who is called knows it."""

    call_id: str
    local_tag: str
    remote_tag: str


def replaced_by(request: Request) -> Replaced | None:
    """Return the dialog that a request replaces; None if it replaces none.

    :raises BadMessage: if that cannot be read (RFC 3891 §3: 400 to more than one).
    """
    if "Replaces" not in request:
        return None
    values = request.lines("Replaces")
    call_id, _, rest = values[0].partition(";")
    try:
        parameters = Parameters.of_header(f";{rest}")
    except BadURI:
        raise BadMessage(400, "bad Replaces", request) from None
    local, remote = parameters.get("to-tag"), parameters.get("from-tag")
    if len(values) > 1 or local is None or remote is None or request.method != "INVITE":
        raise BadMessage(400, "bad Replaces", request)
    return Replaced(call_id.strip(), local, remote)
