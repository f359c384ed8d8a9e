"""The dialogs that are alive, from their first response to their end, and the end of those whose peer is gone."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pship.errors import P2PShipError, RemoteError
from p2pship.interfaces import IAcquaintances, IPeer, ISIPHop
from p2pship.journal import CallEnded, CallStarted, Journal
from p2pship.sip.callbook import CallBook
from p2pship.sip.dialog import Dialog, DialogTable, Subscription
from p2pship.sip.farewell import STOPPING, Ended, bye_to_phone
from p2pship.sip.hops import PhoneHops, hop_to_phone
from p2pship.sip.trail import THIS_NODE
from p2pship.sip.transactions import TransactionLayer

SUBSCRIPTION_GRACE = 64.0
"Seconds that a subscription outlives its expiry: time for a refresh to arrive and be answered (64*T1, twice)."


class Calls:
    """Keeps the dialogs; each call watches its peer while it lives."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        hops: PhoneHops,
        journal: Journal,
        book: CallBook,
        acquaintances: IAcquaintances,
    ) -> None:
        """``acquaintances`` hears who was talked to."""
        self._reactor = reactor
        self._acquaintances = acquaintances
        self._hops = hops
        self._journal = journal
        self._book = book
        self._layer: TransactionLayer | None = None
        self.dialogs = DialogTable()

    def start(self, layer: TransactionLayer) -> None:
        """Take the layer that carries what is sent to phones."""
        self._layer = layer

    def stop(self) -> None:
        """Hang up at our phones, and forget all; the peers hear it from the overlay."""
        for dialog in self.dialogs:
            self.hang_up(dialog, STOPPING)

    def now(self) -> float:
        """Return the Unix time."""
        return self._reactor.seconds()

    def begin(self, dialog: Dialog) -> None:
        """Take up a dialog; raises :class:`~p2pship.sip.dialog.DialogRefused`."""
        self.dialogs.add(dialog)
        if dialog.is_call:
            dialog.peer.watch(True)

    def answered(self, dialog: Dialog) -> None:
        """Take it that the call was answered; harmless when repeated."""
        if dialog.answered is None:
            dialog.answered = self.now()
            self._journal.tell(CallStarted(dialog.id.call_id, dialog.caller, dialog.callee))
            trail = self._book.of(dialog)
            if trail is not None:
                trail.up(dialog, dialog.peer)
            self._acquainted(dialog)

    def _acquainted(self, dialog: Dialog) -> None:
        """Say who was talked to; that it cannot be kept must not cost the call."""
        peer = dialog.peer
        if peer.papers is None:
            return
        key = peer.papers.statement.key
        try:
            self._acquaintances.call_answered(peer.identity.aor, peer.aor, key, peer.verdict, dialog.chosen)
        except P2PShipError:
            self.log.failure("who was talked to could not be remembered")

    def end(self, dialog: Dialog, reason: str, by: str = THIS_NODE) -> None:
        """Forget a dialog and close its relays; ``by`` says who ended it; harmless when repeated."""
        if dialog.ended:
            return
        dialog.ended = True
        self._forget(dialog)
        if dialog.media is not None:
            dialog.media.close()
        if dialog.is_call:
            dialog.peer.watch(False)
        if dialog.answered is not None:
            seconds = self.now() - dialog.answered
            self._journal.tell(CallEnded(dialog.id.call_id, dialog.caller, dialog.callee, seconds, reason))
            trail = self._book.of(dialog)
            if trail is not None:
                trail.down(dialog, by, reason)

    def transfer_ended(self, dialog: Dialog, subscription: Subscription) -> None:
        """Take it that the subscription of a REFER within a call ended: the dialog lives no longer than the last."""
        dialog.transfers.pop(subscription, None)
        if dialog.ended:
            self._forget(dialog)

    def _forget(self, dialog: Dialog) -> None:
        """Forget a dialog, unless who was referred still has to tell how that went (RFC 3515 §2.4.7, RFC 5057 §4.2)."""
        if not dialog.transfers:
            self.dialogs.remove(dialog)

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """End every call with a peer that has lost its memory of them."""
        for dialog in self.dialogs.with_peer(peer):
            self.hang_up(dialog, reason)

    def hop_to_phone(self, dialog: Dialog) -> ISIPHop:
        """Return where requests to the dialog's phone go; raises BadURI."""
        return hop_to_phone(self._hops, dialog.phone_target, dialog.phone_routes, dialog.hop)

    def hang_up(self, dialog: Dialog, reason: str) -> None:
        """End a dialog whose peer is gone; an answered call's phone gets BYE with a Reason (RFC 3326)."""
        dialog.transfers.clear()
        if dialog.ended:
            self._forget(dialog)
            return
        if dialog.answered is not None:
            self._send_bye(dialog, reason)
        self.end(dialog, reason)

    def _send_bye(self, dialog: Dialog, reason: str) -> None:
        assert self._layer is not None
        try:
            hop = self.hop_to_phone(dialog)
            bye = bye_to_phone(dialog, reason)
        except RemoteError as error:
            self.log.warn("cannot hang up at {hop}: {error}", hop=dialog.hop.description, error=error)
            return
        self._layer.send_request(bye, hop, Ended())

    def expire(self) -> None:
        """End the sessions, and forget the subscriptions, that ran out."""
        now = self.now()
        for dialog in self.dialogs:
            for subscription in [each for each, ends in dialog.transfers.items() if now > ends]:
                self.transfer_ended(dialog, subscription)
            if dialog.ended:
                continue
            ends = dialog.session_ends if dialog.answered is not None else None
            if ends is not None and now > ends:
                self.hang_up(dialog, "the session timer ran out: nobody has refreshed the call")
            elif dialog.expires is not None and now > dialog.expires + SUBSCRIPTION_GRACE:
                self.end(dialog, "the subscription ran out")
