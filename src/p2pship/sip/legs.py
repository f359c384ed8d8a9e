"""The branches of a new request: from our phone to a peer, and from a peer to our phone.

Each leg rewrites what it sends and what comes back, and makes or ends the dialogs that the responses speak of. An INVITE
may be forked beyond it, so that each To tag in its responses is a dialog of its own, with media of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer, ISIPHop
from p2pship.sip.body import describe
from p2pship.sip.callername import show_sender
from p2pship.sip.calls import Calls
from p2pship.sip.dialog import Dialog, DialogID, DialogRefused, granted
from p2pship.sip.hops import PeerHop
from p2pship.sip.linepool import LinePool
from p2pship.sip.message import BadMessage, Message, Request, Response
from p2pship.sip.offer import Offer, OfferAnswer, Turn
from p2pship.sip.rewrite import (
    CARRIES_TARGET,
    FORMS_DIALOG,
    Parties,
    contact_uri,
    hold_back,
    hold_back_proofs,
    set_contact,
    set_parties,
    strip,
)
from p2pship.sip.transfers import subscribes
from p2pship.sip.uri import NameAddr

LINK_PATIENCE = 4.5
"Seconds for a peer's node to say anything to a new request: it answers an INVITE with 100 as soon as it has it."

PHONE_PATIENCE = 3.5
"Seconds for a phone to say anything to a new request: a living phone answers at once, if only with 100 or 180."

MOST_EARLY = 64
"Dialogs that one branch may make, each by another To tag: twice the phones that a fork rings."

_BY_OTHERS = frozenset({"referred-by", "replaces"})
"Header fields of a call that somebody else has asked our phone to place (RFC 3892, RFC 3891)."

ENDED_EARLY = 199
"An early dialog has ended though the INVITE goes on elsewhere (RFC 6228)."


@dataclass(frozen=True, slots=True)
class PhoneSide:
    """What is known of our phone before there is a dialog."""

    hop: ISIPHop
    "where it signals from"
    target: str
    "its Contact URI"
    routes: tuple[str, ...]
    "the Route values towards it"
    gruu: str
    "the URI that stands for it elsewhere (RFC 5627)"
    parties: Parties
    "From and To as it knows them"
    route: str
    "this node's own Record-Route value towards it"


class _InitialLeg:
    """What both kinds of new request share: a media session, and the dialogs that their responses make."""

    phone_called: bool

    def __init__(
        self,
        calls: Calls,
        request: Request,
        peer: IPeer,
        pool: LinePool | None,
        link_side: Parties,
        phone: PhoneSide,
    ) -> None:
        self._calls = calls
        self._request = request
        self._peer = peer
        self._pool = pool
        self._offer: Offer | None = None
        self._transaction = (not self.phone_called, request.cseq[0])
        self._link_side = link_side
        self._phone = phone
        self.hop: ISIPHop = phone.hop if self.phone_called else PeerHop(peer)
        self._dialogs: dict[str, Dialog] = {}
        self._watching = False

    def _watch(self) -> None:
        """Watch the peer's link while an INVITE is pending."""
        if self._request.method == "INVITE" and not self._watching:
            self._watching = True
            self._peer.watch(True)

    def _dialog(self, response: Response, phone: PhoneSide) -> Dialog | None:
        """Return the dialog that a response makes or belongs to (RFC 3261 §12.1).

        An early dialog ends when another phone answers, and when that is said (RFC 6228). If its own phone answers too, at the
        same moment, it lives after all, until the caller hangs one of them up (§13.2.2.4).
        """
        tag = response.to.tag
        if self._request.method not in FORMS_DIALOG or not tag or response.status >= 300:
            return None
        if self._request.method == "REFER" and not subscribes(response):
            return None
        known = self._dialogs.get(tag)
        if response.status == ENDED_EARLY:
            if known is not None:
                self._calls.end(known, "it ended before it was answered")
            return None
        if known is None and len(self._dialogs) >= MOST_EARLY:
            raise BadMessage(482, f"there are more than {MOST_EARLY} dialogs of one request")
        if known is None or (known.ended and response.status >= 200):
            known = self._dialogs[tag] = self._begin(response, tag, phone)
        return known

    def _begin(self, response: Response, to_tag: str, phone: PhoneSide) -> Dialog:
        from_tag = self._request.from_.tag or ""
        phone_tag, peer_tag = (to_tag, from_tag) if self.phone_called else (from_tag, to_tag)
        now = self._calls.now()
        dialog = Dialog(
            id=DialogID(self._request.call_id, phone_tag, peer_tag),
            peer=self._peer,
            hop=phone.hop,
            gruu=phone.gruu,
            phone_target=phone.target,
            phone_routes=phone.routes,
            phone_side=phone.parties,
            link_side=self._link_side,
            phone_called=self.phone_called,
            started=now,
            chosen=not self.phone_called and self._is_chosen(),
            media=OfferAnswer(self._pool, self._offer) if self._pool is not None else None,
            expires=None if self._request.method == "INVITE" else now + granted(self._request, response),
            peer_cseq=self._request.cseq[0] if self.phone_called else 0,
        )
        try:
            self._calls.begin(dialog)
        except DialogRefused as error:
            raise BadMessage(482, str(error)) from None
        return dialog

    def _is_chosen(self) -> bool:
        """Tell whether the peer is the one to whom our user addressed the call by themselves."""
        if self._request.has_any(_BY_OTHERS):
            return False
        try:
            named = canonical_aor(NameAddr.parse(self._link_side.peer).uri)
            return named == str(self._peer.aor)
        except BadAOR:
            return False

    def _describe_request(self, sent: Request) -> None:
        """Rewrite the descriptions of the request. Who answers it is not known, so that its relays are the pool's."""
        draft = OfferAnswer(self._pool) if self._pool is not None else None
        turn = Turn(not self.phone_called, sent.method, self._transaction)
        if self._pool is None or draft is None:
            describe(sent, turn, None)
            return
        try:
            describe(sent, turn, draft)
            self._offer = draft.offer
            if draft.offer is not None:
                self._pool.offered(not self.phone_called, len(draft.offer.lines))
        finally:
            draft.close()

    def _describe_response(self, shown: Response, dialog: Dialog | None) -> None:
        if shown.body:
            turn = Turn.of_response(shown, self._request.method, self._transaction)
            describe(shown, turn, dialog.media if dialog is not None else None)

    def _settled(self, response: Response, dialog: Dialog | None) -> None:
        if dialog is None or response.status < 200:
            return
        if self._request.method == "INVITE":
            self._calls.answered(dialog)
            if dialog.media is not None:
                dialog.media.over(self._transaction, acknowledged=False)

    def ended(self, answered: bool) -> None:
        """Close what the final response leaves unused."""
        if self._watching:
            self._watching = False
            self._peer.watch(False)
        for dialog in self._dialogs.values():
            if dialog.is_call and dialog.answered is None:
                self._calls.end(dialog, "not answered")
        if self._pool is not None:
            self._pool.settle()


class LegToPeer(_InitialLeg):
    """A new request of our phone, to one device of the person called."""

    phone_called = False
    patience: float | None = LINK_PATIENCE

    def request(self) -> Request:
        """Return the request as the link shows it."""
        self._watch()
        sent = self._request.copy()
        strip(sent)
        if not self._phone.hop.trusted:
            hold_back_proofs(sent)
        set_parties(sent, self._link_side, from_phone=True)
        set_contact(sent, self._phone.gruu, needed=sent.method in FORMS_DIALOG)
        self._describe_request(sent)
        return sent

    def passed(self, response: Response) -> Response:
        """Return a peer's response as our phone is to see it, but for what belongs to the request as it came."""
        shown = response.copy()
        _strip_of(shown, self._peer)
        if not self._phone.hop.trusted:
            hold_back_proofs(shown)
        dialog = self._dialog(shown, self._phone)
        self._describe_response(shown, dialog)
        self._settled(shown, dialog)
        return shown


class LegToPhone(_InitialLeg):
    """A new request of a peer, to one of our phones."""

    phone_called = True
    patience: float | None = PHONE_PATIENCE

    def request(self) -> Request:
        """Return the request as our phone is to see it."""
        self._watch()
        sent = self._request.copy()
        _strip_of(sent, self._peer)
        sent.uri = self._phone.target
        for route in reversed(self._phone.routes):
            sent.prepend("Route", route)
        if sent.method in CARRIES_TARGET:
            sent.prepend("Record-Route", self._phone.route)
        show_sender(sent, self._peer)
        self._describe_request(sent)
        return sent

    def passed(self, response: Response) -> Response:
        """Return our phone's response as the link shows it."""
        phone = self._answering(response)
        shown = response.copy()
        strip(shown)
        dialog = self._dialog(shown, phone)
        if dialog is not None and response.status >= 200:
            dialog.phone_target = phone.target
        if response.status < 300:
            set_contact(shown, self._phone.gruu)
        self._describe_response(shown, dialog)
        self._settled(shown, dialog)
        return shown

    def _answering(self, response: Response) -> PhoneSide:
        """Return the phone as its response describes it: its Contact, and the routes beyond our own."""
        target = contact_uri(response) or self._phone.target
        recorded = [value for value in response.values("Record-Route") if value != self._phone.route]
        return replace(self._phone, target=target, routes=tuple(reversed(recorded)))


def _strip_of(message: Message, peer: IPeer) -> None:
    """Remove from a peer's message what our phone must not see."""
    strip(message)
    if peer.verdict.acquaintance is Acquaintance.STRANGER:
        hold_back(message)
