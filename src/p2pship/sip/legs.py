"""The branches of a request: from our phone to a peer, from a peer to our phone, and within a dialog either way.

Each leg rewrites what it sends and what comes back, keeps the offer/answer exchange, and makes or ends the dialog that
the responses speak of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer, ISIPHop
from p2pship.sip.calls import Calls
from p2pship.sip.dialog import Dialog, DialogID, DialogRefused
from p2pship.sip.hops import PeerHop
from p2pship.sip.message import BadMessage, Message, Request, Response
from p2pship.sip.offer import OfferAnswer
from p2pship.sip.rewrite import (
    CARRIES_TARGET,
    FORMS_DIALOG,
    Parties,
    contact_uri,
    gruu,
    hold_back,
    set_contact,
    set_parties,
    show_sender,
    strip,
)
from p2pship.sip.sdp import capabilities, check_none_hidden, replace_sdp, sdp_in

LINK_PATIENCE = 4.5
"Seconds for a peer's node to say anything to a new request: it answers an INVITE with 100 as soon as it has it."

PHONE_PATIENCE = 3.5
"Seconds for a phone to say anything to a new request: a living phone answers at once, if only with 100 or 180."

DEFAULT_SUBSCRIPTION = 3600
"Seconds that a subscription lives when nothing says how long (RFC 6665 §4.2.1.1 leaves it to the event package)."

MOST_EARLY = 64
"Dialogs that one branch may make, each by another To tag: twice the phones that a fork rings."

OFFERS = frozenset({"INVITE", "ACK", "PRACK", "UPDATE"})
"Methods whose messages, and the responses to them, may be an offer or an answer (RFC 3264, RFC 6337 §2)."

OVER_WITHOUT_ANSWER = frozenset({408, 481})
"Failures of a request within a dialog that end the dialog (RFC 3261 §12.2.1.2, RFC 5057 §5.1)."


@dataclass(frozen=True, slots=True)
class PhoneSide:
    """What is known of our phone before there is a dialog."""

    hop: ISIPHop
    "where it signals from"
    target: str
    "its Contact URI"
    routes: tuple[str, ...]
    "the Route values towards it"
    token: str
    "its GRUU token"
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
        media: OfferAnswer | None,
        link_side: Parties,
        phone: PhoneSide,
    ) -> None:
        self._calls = calls
        self._request = request
        self._peer = peer
        self._media = media
        self._link_side = link_side
        self._phone = phone
        self.hop: ISIPHop = phone.hop if self.phone_called else PeerHop(peer)
        self._dialogs: dict[str, Dialog] = {}
        self._answered = False
        self._offered = False
        self._watching = False

    def _watch(self) -> None:
        """Watch the peer's link while an INVITE is pending."""
        if self._request.method == "INVITE" and not self._watching:
            self._watching = True
            self._peer.watch(True)

    def _dialog(self, response: Response, phone: PhoneSide) -> Dialog | None:
        """Return the dialog that a response makes or belongs to (RFC 3261 §12.1).

        An early dialog ends when another phone answers. If its own phone has done so too, at the same moment, it lives
        after all, until the caller hangs one of them up (§13.2.2.4).
        """
        tag = response.to.tag
        if self._request.method not in FORMS_DIALOG or not tag or response.status >= 300:
            return None
        known = self._dialogs.get(tag)
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
            token=phone.token,
            phone_target=phone.target,
            phone_routes=phone.routes,
            phone_side=phone.parties,
            link_side=self._link_side,
            phone_called=self.phone_called,
            started=now,
            media=self._media,
            expires=None if self._request.method == "INVITE" else now + _subscribed(self._request, response),
            peer_cseq=self._request.cseq[0] if self.phone_called else 0,
        )
        try:
            self._calls.begin(dialog)
        except DialogRefused:
            raise BadMessage(482, "there is another dialog with these tags") from None
        return dialog

    def _agree(self, described: bool) -> None:
        """Let an answer take effect; but that of a second phone does not take the media from the first."""
        if not described or not self._offered or self._media is None:
            return
        if self._answered:
            self._media.rollback()
        else:
            self._media.commit()

    def _settled(self, response: Response, dialog: Dialog | None) -> None:
        if dialog is None or response.status < 200:
            return
        if self._request.method == "INVITE":
            self._answered = True
            self._calls.answered(dialog)

    def ended(self, answered: bool) -> None:
        """Close what the final response leaves unused."""
        if self._watching:
            self._watching = False
            self._peer.watch(False)
        for dialog in self._dialogs.values():
            if dialog.is_call and dialog.answered is None:
                self._calls.end(dialog, "not answered")
        if self._media is not None and not self._media.users:
            self._media.close()


class LegToPeer(_InitialLeg):
    """A new request of our phone, to one device of the person called."""

    phone_called = False
    patience: float | None = LINK_PATIENCE

    def request(self) -> Request:
        """Return the request as the link shows it."""
        self._watch()
        sent = self._request.copy()
        strip(sent)
        set_parties(sent, self._link_side, from_phone=True)
        set_contact(sent, gruu(self._peer.identity.aor, self._phone.token))
        self._offered = _describe(sent, sent.method, self._media, from_phone=True)
        return sent

    def passed(self, response: Response) -> Response:
        """Return a peer's response as our phone is to see it, but for what belongs to the request as it came."""
        shown = response.copy()
        _strip_of(shown, self._peer)
        dialog = self._dialog(shown, self._phone)
        self._agree(_describe(shown, self._request.method, self._media, from_phone=False))
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
        show_sender(sent, self._peer.aor)
        self._offered = _describe(sent, sent.method, self._media, from_phone=False)
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
            set_contact(shown, gruu(self._peer.identity.aor, self._phone.token))
        self._agree(_describe(shown, self._request.method, self._media, from_phone=True))
        self._settled(shown, dialog)
        return shown

    def _answering(self, response: Response) -> PhoneSide:
        """Return the phone as its response describes it: its Contact, and the routes beyond our own."""
        target = contact_uri(response) or self._phone.target
        recorded = [value for value in response.values("Record-Route") if value != self._phone.route]
        return replace(self._phone, target=target, routes=tuple(reversed(recorded)))


class LegWithinDialog:
    """A request within a dialog, either way."""

    def __init__(self, calls: Calls, request: Request, dialog: Dialog, from_phone: bool, route: str) -> None:
        """``route`` is this node's own Record-Route value; raises BadURI when the phone's address cannot be read."""
        self._calls = calls
        self._request = request
        self._dialog = dialog
        self._from_phone = from_phone
        self._route = route
        self._offered = False
        self.hop: ISIPHop = PeerHop(dialog.peer) if from_phone else calls.hop_to_phone(dialog)
        # Nobody waits for the answer to BYE: without one the call is over all the same.
        self.patience: float | None = LINK_PATIENCE if request.method == "BYE" else None

    def request(self) -> Request:
        """Return the request as the other side is to see it."""
        dialog = self._dialog
        sent = self._request.copy()
        strip(sent)
        if self._from_phone:
            set_parties(sent, dialog.link_side, from_phone=True)
            set_contact(sent, gruu(dialog.peer.identity.aor, dialog.token))
        else:
            self._towards_phone(sent)
        self._offered = _describe(sent, sent.method, dialog.media, self._from_phone)
        if self._request.method in ("ACK", "PRACK") and self._offered and dialog.media is not None:
            dialog.media.commit()
        return sent

    def _towards_phone(self, sent: Request) -> None:
        dialog = self._dialog
        dialog.peer_cseq = max(dialog.peer_cseq, sent.cseq[0])
        set_parties(sent, dialog.phone_side, from_phone=False)
        sent.uri = dialog.phone_target
        for route in reversed(dialog.phone_routes):
            sent.prepend("Route", route)
        if sent.method in CARRIES_TARGET:
            sent.prepend("Record-Route", self._route)

    def passed(self, response: Response) -> Response:
        """Return the response as the sender of the request is to see it."""
        dialog = self._dialog
        shown = response.copy()
        strip(shown)
        if not self._from_phone and response.status < 300:
            set_contact(shown, gruu(dialog.peer.identity.aor, dialog.token))
        described = _describe(shown, self._request.method, dialog.media, not self._from_phone)
        self._settle(response, described)
        return shown

    def _settle(self, response: Response, described: bool) -> None:
        dialog, method = self._dialog, self._request.method
        if response.status < 200:
            return
        if response.status >= 300:
            self._failed(response.status)
            return
        if method in CARRIES_TARGET:
            phone_message: Message = self._request if self._from_phone else response
            dialog.phone_target = contact_uri(phone_message) or dialog.phone_target
        if (
            method in ("INVITE", "UPDATE", "PRACK")
            and described
            and self._offered
            and dialog.media is not None
        ):
            dialog.media.commit()
        if method == "SUBSCRIBE" and dialog.expires is not None:
            dialog.expires = self._calls.now() + _subscribed(self._request, response)

    def _failed(self, status: int) -> None:
        if self._offered and self._dialog.media is not None:
            self._dialog.media.rollback()
        if status in OVER_WITHOUT_ANSWER:
            self._calls.end(self._dialog, f"{self._request.method} was answered with {status}")

    def ended(self, answered: bool) -> None:
        """End the dialog that a BYE ends, however it was answered (RFC 3261 §15.1.1), or a last NOTIFY."""
        if self._request.method == "BYE":
            self._calls.end(self._dialog, f"{'our phone' if self._from_phone else 'the other side'} hung up")
        elif _last_notify(self._request) and self._dialog.expires is not None:
            self._calls.end(self._dialog, "the subscription ended")


def _strip_of(message: Message, peer: IPeer) -> None:
    """Remove from a peer's message what our phone must not see."""
    strip(message)
    if peer.verdict.acquaintance is Acquaintance.STRANGER:
        hold_back(message)


def _describe(message: Message, method: str, media: OfferAnswer | None, from_phone: bool) -> bool:
    """Rewrite the session description of a message of a transaction of ``method``, if it has one.

    Tells whether it was an offer or an answer; what is neither, as in the answer to OPTIONS, shows no address either.
    """
    if not message.body:
        return False
    negotiates = method in OFFERS
    if negotiates and not from_phone:
        check_none_hidden(message)
    description = sdp_in(message)
    if description is None:
        return False
    if media is None or not negotiates:
        replace_sdp(message, capabilities(description))
        return False
    replace_sdp(message, media.from_phone(description) if from_phone else media.from_peer(description))
    return True


def _last_notify(request: Request) -> bool:
    state = request.first("Subscription-State") if request.method == "NOTIFY" else None
    return state is not None and state.lower().startswith("terminated")


def _subscribed(request: Request, response: Response) -> int:
    """Return for how long a subscription was granted, in seconds."""
    for message in (response, request):
        value = message.first("Expires")
        if value is not None and re.fullmatch("[0-9]{1,9}", value):
            return int(value)
    return DEFAULT_SUBSCRIPTION
