"""What a message must be beyond its framing, so that it can be routed or answered (RFC 3261 §8.2, §16.3, §18.1.2)."""

from __future__ import annotations

from collections.abc import Collection

from p2pship.address import BadAddress, canonical_host, is_never_dialled
from p2pship.sip.message import BadMessage, Message, Request, Response
from p2pship.sip.uri import BadURI, NameAddr, Via, parse_uri, scheme_of

MOST_VIAS = 100  # Max-Forwards starts at 70; one with more has looped
COOKIE = "z9hG4bK"  # of the branch of RFC 3261 §8.1.1.7

# An unknown method whose CSeq differs gets 501, which its sender understands better (RFC 4475 §3.1.2.18).
KNOWN_METHODS = frozenset(
    {
        "ACK",
        "BYE",
        "CANCEL",
        "INFO",
        "INVITE",
        "MESSAGE",
        "NOTIFY",
        "OPTIONS",
        "PRACK",
        "PUBLISH",
        "REFER",
        "REGISTER",
        "SUBSCRIBE",
        "UPDATE",
    }
)
_SIP = frozenset({"sip", "sips"})

# §8.1.1.5: so that whoever ends the dialog, which may be this node, has a higher number left.
MOST_CSEQ = 2**31 - 1


def validate(message: Message, schemes: Collection[str] = _SIP) -> None:
    """Check what every element must: the headers that it needs and the syntax of those that route.

    :param schemes: of the Request-URI, in lower case, that can be served.
    :raises BadMessage: with the status to answer; a response that is not valid is to be dropped (RFC 3261 §18.1.2).
    """
    _check_vias(message)
    _ = message.call_id, message.cseq  # reading them checks them
    _check_address(message.from_, message)
    _check_address(message.to, message)
    if isinstance(message, Request):
        _check_method(message)
        _check_target(message, schemes)
        _check_contacts(message)


def check_extensions(request: Request, header: str, understood: Collection[str] = ()) -> None:
    """Check that every option tag in Require (as a server) or Proxy-Require (as a proxy) is understood.

    Not asked of ACK and CANCEL (RFC 3261 §8.2.2.3).

    :raises BadMessage: with status 420 and an Unsupported header (§16.3).
    """
    if request.method in ("ACK", "CANCEL"):
        return
    known = {tag.lower() for tag in understood}
    unknown = ", ".join([tag for tag in request.values(header) if tag.lower() not in known])
    if unknown:
        raise BadMessage(420, f"{header} asks for {unknown}", request, [("Unsupported", unknown)])


def _check_vias(message: Message) -> None:
    if message.via.branch == COOKIE:
        raise BadMessage(400, "the branch names no transaction", message)
    vias = message.values("Via")
    if len(vias) > MOST_VIAS:
        raise BadMessage(482, f"there are more than {MOST_VIAS} Vias", message)
    if isinstance(message, Response) and len(vias) > 1:
        _check_next(vias[1], message)


def _check_next(value: str, response: Response) -> None:
    """Check that a response would not be sent on to a broadcast or multicast address (RFC 4475 §3.3.10)."""
    try:
        host = canonical_host(Via.parse(value).host)
    except BadAddress:
        return  # a name
    except BadURI as error:
        raise BadMessage(400, str(error), response) from None
    if is_never_dialled(host):
        raise BadMessage(400, f"the response would go to {host}", response)


def _check_address(address: NameAddr, message: Message) -> None:
    try:
        if scheme_of(address.uri) in _SIP:
            parse_uri(address.uri)
    except BadURI as error:
        raise BadMessage(400, str(error), message) from None


def _check_method(request: Request) -> None:
    _ = request.max_forwards  # it may be missing (RFC 3261 §16.3), and reading it checks it
    number, method = request.cseq
    if number > MOST_CSEQ:
        raise BadMessage(400, f"the CSeq number is above {MOST_CSEQ}", request)
    if request.method.upper() in KNOWN_METHODS and request.method not in KNOWN_METHODS:
        # They differ by case (§7.1), but not to every phone: what is screened as one must not be taken for another there.
        raise BadMessage(501, f"{request.method} is no method: write {request.method.upper()}", request)
    if method == request.method:
        return
    status = 400 if request.method in KNOWN_METHODS else 501
    raise BadMessage(status, f"CSeq names {method}, not {request.method}", request)


def _check_target(request: Request, schemes: Collection[str]) -> None:
    try:
        scheme = scheme_of(request.uri)
        with_headers = scheme in _SIP and parse_uri(request.uri).headers
    except BadURI as error:
        raise BadMessage(400, str(error), request) from None
    if with_headers:
        raise BadMessage(400, "a Request-URI may not have headers", request)  # RFC 3261 §19.1.1
    if scheme not in schemes:
        raise BadMessage(416, f"the scheme {scheme} is not served", request)


def _check_contacts(request: Request) -> None:
    for value in request.values("Contact"):
        if value == "*":  # of a REGISTER (RFC 3261 §10.2.2)
            continue
        try:
            _check_address(NameAddr.parse(value), request)
        except BadURI as error:
            raise BadMessage(400, f"bad contact header: {error}", request) from None
