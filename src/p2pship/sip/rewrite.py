"""What the node changes in a message that crosses it, header field by header field (RFC 3261 §16.6, §16.7).

Both phones see only their own node: Vias and route entries of one side are kept there and never shown to the other,
and a Contact becomes a GRUU (RFC 5627) that names the device and the phone without telling an address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from p2pship.sip.message import Message, Request, Response
from p2pship.sip.parameters import NONE
from p2pship.sip.uri import BadURI, NameAddr, parse_uri, request_uri

FORMS_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
"Methods whose success makes a dialog (RFC 3261 §12, RFC 6665 §4.4.1, RFC 3515 §2.4)."

CARRIES_TARGET = FORMS_DIALOG | {"UPDATE", "NOTIFY"}
"Methods that make a dialog or refresh its target, so that their Contact is where to send next."

HOPS = 70
"Max-Forwards for a request that has none (RFC 3261 §16.6 item 3)."

ASSERTING = frozenset({"p-asserted-identity", "p-preferred-identity", "remote-party-id"})
"Header fields that say who somebody is without proof: phones believe Remote-Party-ID more than From."

_HOP_FIELDS = ASSERTING | {"via", "route", "record-route", "path", "proxy-authorization"}
_CHALLENGES = frozenset({"www-authenticate", "proxy-authenticate"})
_PROOFS = frozenset({"authorization"})
_COMMANDS = frozenset({"answer-mode", "priv-answer-mode", "p-auto-answer"}) | _CHALLENGES
_VIA, _RECORD_ROUTE = frozenset({"via"}), frozenset({"record-route"})
_MAY_COMMAND = ("Alert-Info", "Call-Info", "Error-Info")
_HARMLESS = "<urn:"
_WARN_AGENT = "p2pship"
_HIT = re.compile("[0-9a-f]{32}")
_NO_TEXT = '""'


@dataclass(frozen=True, slots=True)
class Parties:
    """The two ends of a dialog as one side of the node knows them, without tags."""

    phone: str
    "the From or To value that stands for our phone"
    peer: str
    "the From or To value that stands for the peer"


def onward(request: Request) -> Request:
    """Return a copy with one hop fewer to go (RFC 3261 §16.6 item 3)."""
    copy = request.copy()
    hops = request.max_forwards
    copy.set("Max-Forwards", str(HOPS if hops is None else hops - 1))
    return copy


def strip(message: Message) -> None:
    """Remove what one side must not see of the other: Vias, routes and asserted identities."""
    message.drop(_HOP_FIELDS)
    if "Warning" in message:
        message.set("Warning", *(_hide_agent(value) for value in message.values("Warning")))


def asserts(message: Message) -> bool:
    """Tell whether a message says who somebody is, which no node like this one lets over a link (RFC 3325 §5)."""
    return message.has_any(ASSERTING)


def hold_back(message: Message) -> None:
    """Remove what would have a phone answer a stranger by itself, with its microphone on, or with a proof of its password.

    The first is RFC 5373, and what phones have long understood instead: ``answer-after=0`` in Call-Info, ``Auto Answer`` or
    ``info=alert-autoanswer`` in Alert-Info. Phones also fetch what these lead to, from whatever machine: only what leads nowhere
    passes, as the names of ringing tones do (RFC 7462).
    """
    message.drop(_COMMANDS)
    for name in _MAY_COMMAND:
        values = message.values(name)
        lower = [(value, value.lower()) for value in values]
        harmless = [value for value, low in lower if low.startswith(_HARMLESS) and "answer" not in low]
        if len(harmless) < len(values):
            message.set(name, *harmless)


def hold_back_proofs(message: Message) -> None:
    """Remove what asks a phone for a proof of its password, and the proofs: both are between it and its own node.

    A phone that has answered 401 may send Authorization with whatever it asks next (RFC 3261 §22.2), and whoever sees that
    can try passwords at home.
    """
    message.drop(_CHALLENGES)
    message.drop(_PROOFS)


def _hide_agent(warning: str) -> str:
    """Replace the warn-agent, which is a host, by a pseudonym (RFC 3261 §20.43)."""
    code, _, rest = warning.strip().partition(" ")
    _agent, _, text = rest.strip().partition(" ")
    return f"{code} {_WARN_AGENT} {text.strip() or _NO_TEXT}"


def set_parties(message: Message, parties: Parties, from_phone: bool) -> None:
    """Write From and To as the receiving side knows them; the tags stay."""
    sender, receiver = (parties.phone, parties.peer) if from_phone else (parties.peer, parties.phone)
    _set_party(message, "From", message.from_, NameAddr.parse(sender))
    _set_party(message, "To", message.to, NameAddr.parse(receiver))


def _set_party(message: Message, name: str, current: NameAddr, wanted: NameAddr) -> None:
    same = current.uri == wanted.uri and current.display == wanted.display
    if same and current.parameters.drop("tag") == wanted.parameters:
        return
    message.set(name, str(wanted.with_parameter("tag", current.tag) if current.tag else wanted))


def party(value: str | None) -> str:
    """Return a From or To value without its tag."""
    return str(NameAddr.parse(value or "").without_parameter("tag"))


def with_uri(value: str, uri: str) -> str:
    """Return a From or To value with another URI, its display name and parameters kept."""
    old = NameAddr.parse(value)
    return str(NameAddr(old.display, uri, old.parameters))


def contact_uri(message: Message) -> str | None:
    """Return the URI of the only Contact, as requests to it have it, or None when there is not exactly one.

    :raises BadURI: if it cannot be read.
    """
    values = message.values("Contact")
    return request_uri(NameAddr.parse(values[0]).uri) if len(values) == 1 and values[0] != "*" else None


def set_contact(message: Message, uri: str, needed: bool = False) -> None:
    """Give the only Contact another URI; its header parameters stay. One that is ``needed`` and missing is added.

    Several, which nothing but REGISTER and 3xx may have (RFC 3261 §8.1.1.8), become this one: each shows an address.
    """
    values = message.values("Contact")
    if values:
        parameters = NameAddr.parse(values[0]).parameters if len(values) == 1 else NONE
        message.set("Contact", str(NameAddr("", uri, parameters)))
    elif needed:
        message.append("Contact", f"<{uri}>")


def gruu(aor: str, token: str) -> str:
    """Return the GRUU of one phone: ``sip:alice@example.com;gr=TOKEN`` (RFC 5627 §3)."""
    return f"sip:{aor};gr={token}"


def gruu_device(uri: str) -> bytes | None:
    """Return the HIT of the device that a GRUU of a node like this one names; None of any other URI."""
    device, dot, _ = (gruu_token(uri) or "").partition(".")
    return bytes.fromhex(device) if dot and _HIT.fullmatch(device) else None


def gruu_token(uri: str) -> str | None:
    """Return the ``gr`` parameter of a URI, or None."""
    try:
        return parse_uri(uri).parameters.get("gr")
    except BadURI:
        return None


def restore(response: Response, request: Request, own_route: str | None, routes_kept: bool) -> None:
    """Make a response fit the request as it came to this node: its Vias, From, To and Record-Routes.

    ``own_route`` is this node's own Record-Route towards a phone; with ``routes_kept`` those of the request follow it.
    """
    tag = response.to.tag
    response.take("from", request)
    response.take("to", request)
    if tag and not request.to.tag:
        response.set("To", f"{request.first('To')};tag={tag}")
    response.drop(_VIA | _RECORD_ROUTE)
    if routes_kept:
        response.put_first(request, _RECORD_ROUTE)
    if own_route:
        response.prepend("Record-Route", own_route)
    response.put_first(request, _VIA)
