"""The branch of a request within a dialog, either way."""

from __future__ import annotations

from p2pship.interfaces import ISIPHop
from p2pship.sip.body import describe
from p2pship.sip.calls import Calls
from p2pship.sip.dialog import Dialog, granted
from p2pship.sip.hops import PeerHop
from p2pship.sip.legs import LINK_PATIENCE
from p2pship.sip.message import Message, Request, Response
from p2pship.sip.offer import Turn
from p2pship.sip.rewrite import (
    CARRIES_TARGET,
    contact_uri,
    hold_back_proofs,
    set_contact,
    set_parties,
    strip,
)
from p2pship.sip.trail import OTHER_SIDE, OUR_PHONE

OVER_WITHOUT_ANSWER = frozenset({408, 481})
"Failures of a request within a dialog that end the dialog (RFC 3261 §12.2.1.2, RFC 5057 §5.1)."


class LegWithinDialog:
    """A request within a dialog, either way."""

    def __init__(self, calls: Calls, request: Request, dialog: Dialog, from_phone: bool, route: str) -> None:
        """``route`` is this node's own Record-Route value; raises BadURI when the phone's address cannot be read."""
        self._calls = calls
        self._request = request
        self._dialog = dialog
        self._from_phone = from_phone
        self._route = route
        self._transaction = (from_phone, request.cseq[0])
        self.hop: ISIPHop = PeerHop(dialog.peer) if from_phone else calls.hop_to_phone(dialog)
        # Nobody waits for the answer to BYE: without one the call is over all the same.
        self.patience: float | None = LINK_PATIENCE if request.method == "BYE" else None

    def request(self) -> Request:
        """Return the request as the other side is to see it."""
        dialog = self._dialog
        sent = self._request.copy()
        strip(sent)
        if not dialog.hop.trusted:
            hold_back_proofs(sent)
        if self._from_phone:
            set_parties(sent, dialog.link_side, from_phone=True)
            set_contact(sent, dialog.gruu)
        else:
            self._towards_phone(sent)
        describe(sent, Turn(self._from_phone, sent.method, self._transaction), dialog.media)
        if sent.method == "ACK" and dialog.media is not None:
            dialog.media.over(self._transaction)
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
        if not dialog.hop.trusted:
            hold_back_proofs(shown)
        if not self._from_phone and response.status < 300:
            set_contact(shown, dialog.gruu)
        if shown.body:
            turn = Turn.of_response(shown, self._request.method, self._transaction)
            describe(shown, turn, dialog.media if response.status < 300 else None)
        self._settle(response)
        return shown

    def _settle(self, response: Response) -> None:
        dialog, method = self._dialog, self._request.method
        if response.status < 200:
            return
        if response.status >= 300:
            self._failed(response.status)
            return
        if method in CARRIES_TARGET:
            phone_message: Message = self._request if self._from_phone else response
            dialog.phone_target = contact_uri(phone_message) or dialog.phone_target
        if method == "SUBSCRIBE" and dialog.expires is not None:
            dialog.expires = self._calls.now() + granted(self._request, response)

    def _failed(self, status: int) -> None:
        notice = self._request.method in ("NOTIFY", "SUBSCRIBE") and self._dialog.is_call
        if status in OVER_WITHOUT_ANSWER and not notice:  # that ends a subscription only (RFC 5057 §5.1)
            self._calls.end(self._dialog, f"{self._request.method} was answered with {status}")

    def ended(self, answered: bool) -> None:
        """Forget an offer that nobody answered. End the dialog that a BYE ends, however it was answered (RFC 3261 §15.1.1), or
        a last NOTIFY."""
        if self._dialog.media is not None:
            self._dialog.media.over(self._transaction, not (answered and self._request.method == "INVITE"))
        if self._request.method == "BYE":
            who = OUR_PHONE if self._from_phone else OTHER_SIDE
            self._calls.end(self._dialog, f"{who} hung up", who)
        elif _last_notify(self._request) and self._dialog.expires is not None:
            self._calls.end(self._dialog, "the subscription ended")


def _last_notify(request: Request) -> bool:
    state = request.first("Subscription-State") if request.method == "NOTIFY" else None
    return state is not None and state.lower().startswith("terminated")
