"""Makes the branches of new requests: what both sides of this node know of our phone, of the peer, and of their media."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p2pship.address import HostPort
from p2pship.interfaces import IMediaRelays, IPeer, ISIPHop
from p2pship.sip.bindings import Binding, Bindings
from p2pship.sip.callername import shown_sender
from p2pship.sip.calls import Calls
from p2pship.sip.gruus import GRUUs
from p2pship.sip.hops import PhoneHops, hop_to_phone, own_route, peer_of, source_of
from p2pship.sip.legs import LegToPeer, LegToPhone, PhoneSide
from p2pship.sip.linepool import LinePool
from p2pship.sip.match import has_cookie
from p2pship.sip.message import BadMessage, Request
from p2pship.sip.names import OwnNames
from p2pship.sip.privacy import ANONYMOUS_FROM, is_temporary_gruu_of, temporary_gruu
from p2pship.sip.replaces import replaced_by
from p2pship.sip.rewrite import (
    FORMS_DIALOG,
    Parties,
    contact_uri,
    gruu_token,
    party,
    with_uri,
)
from p2pship.sip.routes import groups_of
from p2pship.sip.transactions import ServerTransaction
from p2pship.sip.uri import NameAddr, parse_uri, request_uri


class Branches:
    """Puts together what a branch needs."""

    def __init__(
        self,
        calls: Calls,
        relays: IMediaRelays,
        bindings: Bindings,
        hops: PhoneHops,
        names: OwnNames,
        gruus: GRUUs,
        random: Callable[[int], bytes],
    ) -> None:
        self._calls = calls
        self._relays = relays
        self._bindings = bindings
        self._hops = hops
        self._names = names
        self._gruus = gruus
        self._random = random

    def to_peer(self, peer: IPeer, request: Request, link_side: Parties, phone: PhoneSide) -> LegToPeer:
        """Return the branch of our phone's request to one device of the person called."""
        pool = self._pool(request, peer, phone.hop)
        return LegToPeer(self._calls, request, peer, pool, link_side, phone)

    def to_phones(
        self, peer: IPeer, request: Request, under_way: Iterable[ServerTransaction]
    ) -> list[list[LegToPhone]]:
        """Return the branches of a peer's request, in groups that ring together, the preferred one first.

        ``under_way`` are the requests that are not answered yet: one of them is this one, if a phone of ours sent it.

        :raises BadURI: if where a phone is cannot be read.
        """
        groups = self._phones(request, peer, under_way)
        return [[self._to_phone(peer, request, binding) for binding in group] for group in groups]

    def names_phone(self, peer: IPeer, uri: str) -> bool:
        """Tell whether a URI is the GRUU of a phone of the one whom a peer called (RFC 5627 §6.1); raises BadURI."""
        if "gr" not in parse_uri(uri).parameters:
            return False
        return any(self._is_gruu_of(uri, each) for each in self._bindings.of(peer.identity.aor))

    def phone_side(self, transaction: ServerTransaction, aor: str, hidden: bool) -> PhoneSide:
        """Describe the phone that sends a new request; when its name is ``hidden`` its GRUU must not tell it.

        A client of RFC 2543 may call without a Contact; it is then called back where it has registered.

        :raises BadMessage: if the request should have a Contact, and has not.
        """
        request = transaction.request
        target = contact_uri(request)
        if target is None and request.method in FORMS_DIALOG and not _may_lack_contact(request):
            raise BadMessage(400, "there must be exactly one Contact", request)
        binding = self._binding_of(aor, target, source_of(transaction.origin))
        return PhoneSide(
            hop=transaction.origin,
            target=target or request_uri(binding.contact),
            routes=tuple(request.values("Record-Route")),
            gruu=temporary_gruu(binding.token, self._random) if hidden else self._gruus.of(binding),
            parties=Parties(phone=party(request.first("From")), peer=party(request.first("To"))),
            route=own_route(transaction.origin),
        )

    def link_side(self, request: Request, own: str, target: str, hidden: bool) -> Parties:
        """Return From and To as the link shows them: names at this node's own address become real ones, if any."""
        sender, receiver = party(request.first("From")), party(request.first("To"))
        if hidden:
            sender = ANONYMOUS_FROM
        elif self._names.is_own(parse_uri(request.from_.uri).host):
            sender = with_uri(sender, f"sip:{own}")
        to = NameAddr.parse(receiver).uri
        if to.lower().startswith(("sip:", "sips:")) and self._names.is_own(parse_uri(to).host):
            receiver = with_uri(receiver, f"sip:{target}")
        return Parties(phone=sender, peer=receiver)

    def _phones(
        self, request: Request, peer: IPeer, under_way: Iterable[ServerTransaction]
    ) -> list[list[Binding]]:
        """Return which phones ring, in groups, but never the one that calls: the one of a GRUU, or else that has the dialog
        which is to be replaced, or else all."""
        caller = self._caller_here(request, peer, under_way)
        asked = request.uri if "gr" in parse_uri(request.uri).parameters else self._replaced(request, peer)
        bindings = [each for each in self._bindings.of(peer.identity.aor) if each != caller]
        return groups_of([each for each in bindings if asked is None or self._is_gruu_of(asked, each)])

    def _replaced(self, request: Request, peer: IPeer) -> str | None:
        """Return the GRUU of our phone whose dialog an INVITE replaces (RFC 3891); None if no such dialog is known."""
        replaced = replaced_by(request)
        if replaced is None:
            return None
        dialog = self._calls.dialogs.of_phone(replaced.call_id, replaced.local_tag, replaced.remote_tag)
        return None if dialog is None or dialog.peer.identity.aor != peer.identity.aor else dialog.gruu

    def _is_gruu_of(self, uri: str, binding: Binding) -> bool:
        return gruu_token(uri) == self._gruus.token(binding) or is_temporary_gruu_of(uri, binding.token)

    def _caller_here(
        self, request: Request, peer: IPeer, under_way: Iterable[ServerTransaction]
    ) -> Binding | None:
        """Return which phone of this very name and node has sent a request to its own name; None if none has."""
        if peer.hit != peer.own_hit or peer.aor != peer.identity.aor or not self._bindings.of(peer.aor):
            return None
        for transaction in under_way:
            sent = transaction.request
            if peer_of(transaction.origin) is None and _same_request(sent, request):
                return self._binding_of(peer.aor, contact_uri(sent), source_of(transaction.origin))
        return None

    def _to_phone(self, peer: IPeer, request: Request, binding: Binding) -> LegToPhone:
        registered = self._hops.hop_for(binding.source.host, binding.source.port, binding.transport)
        hop = hop_to_phone(self._hops, binding.contact, binding.path, registered)
        link_side = Parties(phone=party(request.first("To")), peer=party(request.first("From")))
        phone = PhoneSide(
            hop=hop,
            target=request_uri(binding.contact),
            routes=binding.path,
            gruu=self._gruus.of(binding),
            parties=Parties(
                phone=link_side.phone, peer=str(shown_sender(NameAddr.parse(link_side.peer), peer))
            ),
            route=own_route(hop),
        )
        return LegToPhone(self._calls, request, peer, self._pool(request, peer, hop), link_side, phone)

    def _pool(self, request: Request, peer: IPeer, hop: ISIPHop) -> LinePool | None:
        if request.method != "INVITE":
            return None
        own_host = parse_uri(f"sip:{hop.sent_by}").host
        return LinePool(self._relays, peer, own_host, source_of(hop).host)

    def _binding_of(self, aor: str, contact: str | None, source: HostPort) -> Binding:
        """Return the binding of the phone that sends: by its Contact, else by where it sends from, else the newest."""
        bindings = self._bindings.of(aor)
        for binding in bindings:
            if contact is not None and binding.has_contact(contact):
                return binding
        for binding in bindings:
            if binding.source == source:
                return binding
        return bindings[-1]


def _may_lack_contact(request: Request) -> bool:
    """Tell whether a request is an INVITE of a client of RFC 2543 without a Contact, which was optional then (§6.13)."""
    return request.method == "INVITE" and "Contact" not in request and not has_cookie(request.via)


def _same_request(one: Request, other: Request) -> bool:
    """Tell whether two are the same request, seen at different hops."""
    return (one.call_id, one.cseq, one.from_.tag) == (other.call_id, other.cseq, other.from_.tag)
