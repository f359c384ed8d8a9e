"""The addresses that a phone writes into a message for others to use: they must mean the same at every node.

A phone may name people at its own node's address, and itself or its neighbours by their Contacts. Other nodes get the
person's AOR, or the GRUU of the phone, and no address. What a peer writes must not lead a phone to its own machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from p2pship.address import BadAddress, canonical_host
from p2pship.identity.aor import BadAOR, split_aor
from p2pship.sip.bindings import Binding, Bindings
from p2pship.sip.gruus import GRUUs
from p2pship.sip.message import BadMessage, Message, Request, Response
from p2pship.sip.names import OwnNames
from p2pship.sip.uri import BadURI, NameAddr, Parameters, parse_uri, scheme_of

_NAMING = ("Referred-By", "Diversion", "History-Info", "Reply-To")
"Header fields that name people beside the one that is asked for (RFC 3892, 5806, 7044, 3261 §20.31)."

_NAMING_KEYS = frozenset([name.lower() for name in _NAMING])

_TELLS_OTHERS = frozenset({485, *range(300, 400)})
"Statuses whose Contacts are not where the sender is, but whom to ask instead (RFC 3261 §20.10)."

_NEVER_ASKED_FOR = frozenset(
    {
        *("via", "v", "route", "record-route", "path", "from", "f", "contact", "m", "call-id", "i", "cseq"),
        *(
            "p-asserted-identity",
            "p-preferred-identity",
            "remote-party-id",
            "answer-mode",
            "priv-answer-mode",
        ),
    }
)
"Headers that a URI must not ask for: they would say who or where the sender is (RFC 3261 §19.1.5)."

MOST_CONTACTS = 16
"Contacts of a 3xx that pass: the other node asks fewer, and takes no message with hundreds of lines."

_SIPFRAG = "message/sipfrag"


class References:
    """Rewrites the addresses in what our phones say."""

    def __init__(self, names: OwnNames, bindings: Bindings, gruus: GRUUs) -> None:
        self._names = names
        self._bindings = bindings
        self._gruus = gruus

    def show_request(self, request: Request, own: str) -> None:
        """Rewrite what a request of our phone names, and cut what a NOTIFY about a transfer tells to its status line.

        The other headers of the response that a NOTIFY may quote (RFC 3515 §2.4.5) are of another dialog, with our
        phone's addresses in it.

        :raises BadMessage: if Refer-To names nobody that others could ask for.
        :raises BadURI: if it cannot be read.
        """
        if "Refer-To" in request:
            request.set(
                "Refer-To", *(self._asked_for(each, own, request) for each in request.values("Refer-To"))
            )
        self._show_names(request, own)
        if request.method == "NOTIFY" and _is_sipfrag(request):
            request.body = request.body.partition(b"\r\n")[0] + b"\r\n"

    def show_response(self, response: Response, own: str) -> None:
        """Rewrite what a response of our phone names, and the Contacts that tell whom to ask instead.

        Contacts that nobody else can use are left out, and those of other failures, where they mean nothing (RFC 3261
        §20.10) and phones write their own address all the same. A success has its Contact from its branch.

        :raises BadURI: if a Contact cannot be read.
        """
        self._show_names(response, own)
        if response.status < 300 or "Contact" not in response:
            return
        if response.status not in _TELLS_OTHERS:
            response.remove("Contact")
            return
        contacts = [NameAddr.parse(value) for value in response.values("Contact")]
        shown = [(each, self.uri(each.uri, own)) for each in contacts]
        usable = [str(replace(each, uri=uri)) for each, uri in shown if uri and not _is_literal(uri)]
        _set_list(response, "Contact", usable[:MOST_CONTACTS])

    def _show_names(self, message: Message, own: str) -> None:
        if not message.has_any(_NAMING_KEYS):
            return
        for name in _NAMING:
            if name in message:
                shown = [self._shown_or_none(value, own) for value in message.values(name)]
                _set_list(message, name, shown)

    def uri(self, uri: str, own: str) -> str | None:
        """Return a URI of our phone as others may see it; None if it is an address here that names nobody."""
        if scheme_of(uri) not in ("sip", "sips"):
            return uri
        parsed = parse_uri(uri)
        headers = _harmless(parsed.headers)
        binding = self._binding_at(uri, own) if _is_literal(uri) else None
        if binding is not None:
            return _with_headers(self._gruus.of(binding), headers)
        if not self._names.is_own(parsed.host):
            parameters = parsed.parameters.drop("maddr")  # where this phone would send it, past this node
            shown = replace(parsed, parameters=parameters, headers=headers)
            return uri if shown == parsed else str(shown)
        try:
            aor = self._names.aor(uri, split_aor(own)[1])
        except BadAOR:
            return None
        kept = Parameters(tuple(item for item in parsed.parameters if item[0].lower() == "gr"))
        return _with_headers(f"sip:{aor}{kept}", headers)

    def leads_here(self, uri: str) -> bool:
        """Tell whether a URI of a peer would lead our phone to this very machine; raises BadURI."""
        if scheme_of(uri) not in ("sip", "sips"):
            return False
        parsed = parse_uri(uri)
        return any(self._names.is_own(host) for host in (parsed.host, parsed.parameters.get("maddr")) if host)

    def screen_response(self, response: Response) -> None:
        """Leave out of a peer's response the Contacts that would lead our phone to an address, past this node.

        No honest node shows any. What the others ask a phone to say is taken out of them as of a Refer-To.
        """
        if response.status not in _TELLS_OTHERS or "Contact" not in response:
            return
        _set_list(response, "Contact", [self._screened(value) for value in response.values("Contact")])

    def _screened(self, value: str) -> str | None:
        try:
            address = NameAddr.parse(value)
            if self.leads_here(address.uri) or _is_literal(address.uri):
                return None
            return value if "?" not in address.uri else str(replace(address, uri=_harmless_uri(address.uri)))
        except BadURI:
            return None

    def _asked_for(self, value: str, own: str, request: Request) -> str:
        shown = self._shown(value, own)
        if shown is None:
            raise BadMessage(400, "an address at this node names nobody", request)
        return shown

    def _shown_or_none(self, value: str, own: str) -> str | None:
        """Return a value as others may see it; what cannot be read might be an address, and is left out."""
        try:
            return self._shown(value, own)
        except BadURI:
            return None

    def _shown(self, value: str, own: str) -> str | None:
        address = NameAddr.parse(value)
        uri = self.uri(address.uri, own)
        if uri is None or uri == address.uri:
            return None if uri is None else value
        return str(replace(address, uri=uri))

    def _binding_at(self, uri: str, own: str) -> Binding | None:
        """Return the binding of a Contact: the sender's, where one phone has registered it for several people."""
        bare = str(replace(parse_uri(uri), headers=()))
        bindings = (*self._bindings.of(own), *self._bindings)
        return next((binding for binding in bindings if binding.has_contact(bare)), None)


def _set_list(message: Message, name: str, values: Sequence[str | None]) -> None:
    """Replace a list by the values that are some: in one line, as other nodes take only so many; if all are None, in none."""
    kept = [value for value in values if value is not None]
    message.set(name, *([", ".join(kept)] if kept else []))


def take_out_commands(request: Request) -> None:
    """Remove from a peer's Refer-To what no URI may ask our phone to say; raises BadURI."""
    values = [NameAddr.parse(value) for value in request.values("Refer-To")]
    if any("?" in each.uri for each in values):
        request.set("Refer-To", *(str(replace(each, uri=_harmless_uri(each.uri))) for each in values))


def _harmless_uri(uri: str) -> str:
    if scheme_of(uri) not in ("sip", "sips"):
        return uri
    parsed = parse_uri(uri)
    return str(replace(parsed, headers=_harmless(parsed.headers)))


def _harmless(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(each for each in headers if each[0].lower() not in _NEVER_ASKED_FOR)


def _with_headers(uri: str, headers: tuple[tuple[str, str], ...]) -> str:
    return f"{uri}?{'&'.join(f'{name}={value}' for name, value in headers)}" if headers else uri


def _is_literal(uri: str) -> bool:
    if scheme_of(uri) not in ("sip", "sips"):
        return False
    parsed = parse_uri(uri)
    try:
        canonical_host(parsed.parameters.get("maddr") or parsed.host)
    except BadAddress:
        return False
    return True


def _is_sipfrag(message: Message) -> bool:
    return (message.first("Content-Type") or "").partition(";")[0].strip().lower() == _SIPFRAG
