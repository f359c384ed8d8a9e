"""Requests within dialogs: to the dialog's other side, or, when this node has forgotten the dialog, to the phone's GRUU.

Theory of operation. A dialog that this node knows says where its requests go. One that it does not know may have been
forgotten with a restart, while both phones think that they still talk. Then a phone's request goes to the one device
that the GRUU in its Request-URI names (RFC 5627 §6.1), and a peer's to the one phone, if its From is the peer's own; nobody
guesses a token. The legs of new requests carry it, so that a re-INVITE makes the dialog and its relays anew. Without a
GRUU it is 481.
"""

from __future__ import annotations

from p2pship.identity.aor import BadAOR, split_aor
from p2pship.interfaces import IOverlay, IPeer, ISIPHop
from p2pship.sip import sessiontimer, transfers
from p2pship.sip.answers import Answers
from p2pship.sip.branches import Branches
from p2pship.sip.calls import Calls
from p2pship.sip.dialog import Dialog
from p2pship.sip.doorway import Doorway
from p2pship.sip.gate import is_of_phone
from p2pship.sip.hops import own_route, peer_of
from p2pship.sip.leg_within import LegWithinDialog
from p2pship.sip.message import Request, Response
from p2pship.sip.names import OwnNames
from p2pship.sip.notices import Notices
from p2pship.sip.privacy import ANONYMOUS_FROM, hides_name, leave_out_telling
from p2pship.sip.references import References
from p2pship.sip.rewrite import CARRIES_TARGET, gruu_device, onward
from p2pship.sip.routes import PersonRoute
from p2pship.sip.screen import Refusal, Screen
from p2pship.sip.senders import Senders
from p2pship.sip.trails import Trails
from p2pship.sip.transactions import ServerTransaction, TransactionLayer
from p2pship.sip.underway import UnderWay

_NEEDS_DIALOG = frozenset({"UPDATE", "PRACK"})
"Methods whose session descriptions mean something only to who knows what was agreed before (RFC 3311, RFC 3262)."


class WithinDialogs:
    """Finds where a request within a dialog goes."""

    def __init__(
        self,
        *,
        calls: Calls,
        branches: Branches,
        under_way: UnderWay,
        answers: Answers,
        screen: Screen,
        senders: Senders,
        references: References,
        names: OwnNames,
        overlay: IOverlay,
        trails: Trails,
        notices: Notices,
        doorway: Doorway,
    ) -> None:
        self._calls = calls
        self._branches = branches
        self._under_way = under_way
        self._answers = answers
        self._screen = screen
        self._senders = senders
        self._references = references
        self._names = names
        self._overlay = overlay
        self._trails = trails
        self._notices = notices
        self._doorway = doorway

    def dialog_of(self, request: Request, origin: ISIPHop) -> Dialog | None:
        """Return the dialog in which a phone or a peer sends a request; None if it is not known, or is not theirs."""
        tags = request.from_.tag or "", request.to.tag or ""
        return self._calls.dialogs.of_sender(peer_of(origin), request.call_id, *tags)

    def take(self, transaction: ServerTransaction, dialog: Dialog | None) -> None:
        """Send a request on, or answer it.

        :raises BadMessage: if it cannot be read so far as this needs, or must be refused.
        :raises BadURI: likewise.
        """
        if dialog is None:
            self._astray(transaction)
        elif dialog.ended and transaction.request.method not in transfers.STILL_NOTICES:
            self._answers.answer(transaction, 481, "the call is over")
        else:
            self._pass(transaction, dialog)

    def acknowledge(self, ack: Request, origin: ISIPHop, layer: TransactionLayer) -> bool:
        """Pass on the ACK of a 2xx, end to end; False if its dialog is not known.

        :raises RemoteError: if it cannot be read.
        :raises LocalError: if this node has no room for what it describes.
        """
        dialog = self.dialog_of(ack, origin)
        if dialog is None or not is_of_phone(dialog, origin):
            return False
        leg = self._leg(self._shown(ack, origin, dialog), origin, dialog)
        layer.send_ack(leg.request(), leg.hop)
        return True

    def _pass(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        request, peer = transaction.request, peer_of(transaction.origin)
        sent_on = self._shown(onward(request), transaction.origin, dialog)
        refusal = None if peer is None else self._refusal(sent_on, peer, dialog)
        if refusal is not None:
            self._answers.screened(transaction, refusal)
            return
        if request.method in sessiontimer.REFRESHES:
            sessiontimer.check(sent_on)
            if peer is None:
                sessiontimer.ask(sent_on)
        leg = self._leg(sent_on, transaction.origin, dialog)
        transfers.begun(dialog, request, peer is None, self._calls.now())

        def done(response: Response) -> None:
            transfers.answered(self._calls, dialog, request, peer is None, response)
            if request.method == "REFER":
                self._trails.referred(dialog, request, response, peer)

        fork = self._under_way.fork(transaction, sent_on, _route(transaction), done=done)
        fork.begin()
        if peer is not None and request.method == "MESSAGE":  # who may call may not always write
            self._doorway.enter(fork, peer, [[leg]], (403, "messages are not taken"))
            return
        fork.add(leg)
        fork.complete()

    def _refusal(self, request: Request, peer: IPeer, dialog: Dialog) -> Refusal | None:
        """Screen a peer's request within a dialog."""
        if request.method in ("NOTIFY", "SUBSCRIBE") and dialog.is_call:
            return self._screen.notice(request, peer)
        if request.method != "REFER":
            return None
        refusal = self._screen.refer(request, peer)
        return self._screen.unasked_refer(peer) if refusal is None and dialog.answered is None else refusal

    def _shown(self, request: Request, origin: ISIPHop, dialog: Dialog) -> Request:
        """Rewrite what our phone's request names, and what would tell a hidden name; returns it."""
        if peer_of(origin) is None:
            self._references.show_request(request, dialog.peer.identity.aor)
            if dialog.link_side.phone == ANONYMOUS_FROM:
                leave_out_telling(request)
        return request

    def _leg(self, request: Request, origin: ISIPHop, dialog: Dialog) -> LegWithinDialog:
        return LegWithinDialog(self._calls, request, dialog, peer_of(origin) is None, own_route(dialog.hop))

    # Dialogs that were forgotten.

    def _astray(self, transaction: ServerTransaction) -> None:
        request, peer = transaction.request, peer_of(transaction.origin)
        if request.method in _NEEDS_DIALOG and request.body:
            self._answers.answer(transaction, 481, "there is no such dialog")
        elif peer is None:
            self._to_device(transaction)
        else:
            self._to_phone(transaction, peer)

    def _to_device(self, transaction: ServerTransaction) -> None:
        """Send a phone's request to the device that its Request-URI names."""
        request = transaction.request
        device = gruu_device(request.uri)
        own = self._senders.of(transaction)
        if device is None or own is None:
            self._answers.answer(transaction, 481, "there is no such dialog")
            return
        try:
            target = self._names.aor(request.uri, split_aor(own.aor)[1])
        except BadAOR:
            self._answers.answer(transaction, 481, "there is no such dialog")
            return
        hidden = hides_name(request)
        phone = self._branches.phone_side(transaction, own.aor, hidden)
        link_side = self._branches.link_side(request, own.aor, target, hidden)
        sent_on = onward(request)
        self._references.show_request(sent_on, own.aor)
        fork = self._under_way.fork(transaction, sent_on, _route(transaction))
        fork.begin()
        route = PersonRoute(
            fork, lambda peer: self._branches.to_peer(peer, sent_on, link_side, phone), self._notices, device
        )
        route.begin(self._overlay, target, own)

    def _to_phone(self, transaction: ServerTransaction, peer: IPeer) -> None:
        """Send a peer's request to the phone whose GRUU it knows."""
        request = transaction.request
        if not self._branches.names_phone(peer, request.uri):
            self._answers.answer(transaction, 481, "there is no such dialog")
            return
        sent_on = onward(request)
        refusal = self._screen.sender(request, peer)
        if refusal is None and request.method == "REFER":
            refusal = self._screen.refer(sent_on, peer) or self._screen.unasked_refer(peer)
        if refusal is not None:
            self._answers.screened(transaction, refusal)
            return
        groups = self._branches.to_phones(peer, sent_on, self._under_way)
        fork = self._under_way.fork(transaction, sent_on, None)
        fork.begin()
        self._doorway.enter(fork, peer, groups, (481, "there is no such dialog"))


def _route(transaction: ServerTransaction) -> str | None:
    """Return our Record-Route towards a phone, for what refreshes its target; a peer needs none."""
    if peer_of(transaction.origin) is not None or transaction.request.method not in CARRIES_TARGET:
        return None
    return own_route(transaction.origin)
