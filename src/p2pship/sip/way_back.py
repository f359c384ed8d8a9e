"""Where a response to a phone goes: what is noted in the top Via of its request, and read again (RFC 3261 §18.2)."""

from __future__ import annotations

from p2pship.address import BadAddress, HostPort, canonical_host, is_loopback, is_never_dialled
from p2pship.sip.match import DEFAULT_PORT
from p2pship.sip.message import BadMessage, Message, Request, Response
from p2pship.sip.uri import Via


def mark_source(request: Request, source: HostPort) -> None:
    """Note in the top Via where a request came from (§18.2.1, RFC 3581 §4).

    What the sender itself wrote there is overwritten, or it could have the response sent to somebody else. A Via that
    cannot be read stays as it is, so that its sender recognises it in the 400 (RFC 4475 §3.1.2.1).

    :raises BadMessage: if there is no Via.
    """
    via = _read_or_none(request)
    if via is None:
        return
    marked = _marked(via, source)
    if marked is not via:
        request.pop("Via")
        request.prepend("Via", str(marked))


def way_back(response: Response, source: HostPort) -> HostPort:
    """Return where a response goes without a connection, when its request came from ``source`` (§18.2.2, RFC 3581 §4).

    An maddr counts only as the address of one host, as there is no multicast towards phones, and only from this machine: nobody else
    has the node send to whom they like. Where the Via cannot be read,
    the response goes back to where its request came from.

    :raises BadMessage: if there is no Via.
    """
    via = _read_or_none(response)
    if via is None:
        return source
    maddr = _address(via.parameters.get("maddr"))
    if maddr is not None and not is_never_dialled(maddr) and is_loopback(source.host):
        return HostPort(maddr, via.port or DEFAULT_PORT)
    if "rport" in via.parameters:
        return source
    return HostPort(source.host, via.port or DEFAULT_PORT)


def _read_or_none(message: Message) -> Via | None:
    """Return the top Via, or None if it cannot be read; raises BadMessage if there is none."""
    if "Via" in message:
        try:
            return message.via
        except BadMessage:
            return None
    return message.via


def _marked(via: Via, source: HostPort) -> Via:
    if "rport" in via.parameters:
        return via.with_parameter("rport", str(source.port)).with_parameter("received", source.host)
    if via.host != source.host and _address(via.host) != source.host:
        return via.with_parameter("received", source.host)
    return via.without_parameter("received") if "received" in via.parameters else via


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return canonical_host(text)
    except BadAddress:
        return None
