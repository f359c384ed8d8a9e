"""What the node changes in a message that crosses it, header field by header field (RFC 3261 §16.6, §16.7).

Both phones see only their own node: Vias and route entries of one side are kept there and never shown to the other,
and a Contact becomes a GRUU (RFC 5627) that names the device and the phone without telling an address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from p2pship.sip.message import Message, Request, Response
from p2pship.sip.privacy import is_anonymous, keeps_name
from p2pship.sip.uri import BadURI, NameAddr, parse_uri, request_uri

FORMS_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
"Methods whose success makes a dialog (RFC 3261 §12, RFC 6665 §4.4.1, RFC 3515 §2.4)."

CARRIES_TARGET = FORMS_DIALOG | {"UPDATE", "NOTIFY"}
"Methods that make a dialog or refresh its target, so that their Contact is where to send next."

HOPS = 70
"Max-Forwards for a request that has none (RFC 3261 §16.6 item 3)."

# What stands for one hop, or says who somebody is without proof: phones believe Remote-Party-ID more than From.
_HOP_FIELDS = (
    *("Via", "Route", "Record-Route", "Path"),
    *("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"),
)
_COMMANDS = ("Answer-Mode", "Priv-Answer-Mode", "P-Auto-Answer")
_MAY_COMMAND = ("Alert-Info", "Call-Info")
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
    message.remove(*_HOP_FIELDS)
    if message.first("Warning") is not None:
        message.set("Warning", *(_hide_agent(value) for value in message.values("Warning")))


def hold_back(message: Message) -> None:
    """Remove what would have a phone answer a stranger by itself, with its microphone on.

    That is RFC 5373, and what phones have long understood instead: ``answer-after=0`` in Call-Info, ``Auto Answer`` or
    ``info=alert-autoanswer`` in Alert-Info. Other values of these pass.
    """
    message.remove(*_COMMANDS)
    for name in _MAY_COMMAND:
        values = message.values(name)
        harmless = [value for value in values if "answer" not in value.lower()]
        if len(harmless) < len(values):
            message.set(name, *harmless)


def _hide_agent(warning: str) -> str:
    """Replace the warn-agent, which is a host, by a pseudonym (RFC 3261 §20.43)."""
    code, _, rest = warning.strip().partition(" ")
    _agent, _, text = rest.strip().partition(" ")
    return f"{code} {_WARN_AGENT} {text.strip() or _NO_TEXT}"


def set_parties(message: Message, parties: Parties, from_phone: bool) -> None:
    """Write From and To as the receiving side knows them; the tags stay."""
    sender, receiver = (parties.phone, parties.peer) if from_phone else (parties.peer, parties.phone)
    _set_party(message, "From", sender)
    _set_party(message, "To", receiver)


def _set_party(message: Message, name: str, value: str) -> None:
    current = NameAddr.parse(message.first(name) or "")
    wanted = NameAddr.parse(value)
    untagged = current.without_parameter("tag")
    if untagged == wanted or str(untagged) == str(wanted):
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
    """Give the only Contact another URI; its header parameters stay. One that is ``needed`` and missing is added."""
    values = message.values("Contact")
    if len(values) == 1:
        message.set("Contact", str(NameAddr("", uri, NameAddr.parse(values[0]).parameters)))
    elif needed and not values:
        message.append("Contact", f"<{uri}>")


def shown_sender(sender: NameAddr, aor: str) -> NameAddr:
    """Return a From as our phone is to see it: a display name, which anybody can make up, ends with the AOR."""
    if not sender.display or sender.display.endswith(aor) or is_anonymous(sender.uri):
        return sender
    return replace(sender, display=f"{sender.display} {aor}")


def show_sender(request: Request, aor: str) -> None:
    """Show our phone who a peer is, and assert it (RFC 3325), unless privacy was asked for (RFC 3323 §4.2)."""
    shown = shown_sender(request.from_, aor)
    if shown != request.from_:
        request.set("From", str(shown))
    if not keeps_name(request):
        request.append("P-Asserted-Identity", f"<sip:{aor}>")


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
    response.set("From", request.first("From") or "")
    to = NameAddr.parse(request.first("To") or "")
    response.set("To", str(to) if to.tag or not tag else f"{request.first('To')};tag={tag}")
    routes = ([own_route] if own_route else []) + (request.lines("Record-Route") if routes_kept else [])
    _put_first(response, "Record-Route", routes)
    _put_first(response, "Via", request.lines("Via"))


def _put_first(message: Message, name: str, values: Sequence[str]) -> None:
    """Give a header these lines, before all others: hops look there first (RFC 3261 §7.3.1)."""
    message.remove(name)
    for value in reversed(values):
        message.prepend(name, value)
