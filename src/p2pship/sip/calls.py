"""The dialogs that are alive, from their first response to their end, and the end of those whose peer is gone."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pship.errors import RemoteError
from p2pship.interfaces import IPeer, ISIPHop
from p2pship.journal import CallEnded, CallStarted, Journal
from p2pship.sip.dialog import Dialog, DialogTable
from p2pship.sip.farewell import STOPPING, Ended, bye_to_phone
from p2pship.sip.hops import PhoneHops, hop_to_phone
from p2pship.sip.transactions import TransactionLayer

SUBSCRIPTION_GRACE = 64.0
"Seconds that a subscription outlives its expiry: time for a refresh to arrive and be answered (64*T1, twice)."


class Calls:
    """Keeps the dialogs; each call watches its peer while it lives."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, hops: PhoneHops, journal: Journal) -> None:
        self._reactor = reactor
        self._hops = hops
        self._journal = journal
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
        if dialog.media is not None:
            dialog.media.users += 1
        if dialog.is_call:
            dialog.peer.watch(True)

    def answered(self, dialog: Dialog) -> None:
        """Take it that the call was answered; harmless when repeated."""
        if dialog.answered is None:
            dialog.answered = self.now()
            self._journal.tell(CallStarted(dialog.id.call_id, dialog.caller, dialog.callee))

    def end(self, dialog: Dialog, reason: str) -> None:
        """Forget a dialog and close its relays; harmless when repeated."""
        if dialog.ended:
            return
        dialog.ended = True
        self.dialogs.remove(dialog)
        if dialog.media is not None:
            dialog.media.users -= 1
            if not dialog.media.users:
                dialog.media.close()
        if dialog.is_call:
            dialog.peer.watch(False)
        if dialog.answered is not None:
            seconds = self.now() - dialog.answered
            self._journal.tell(CallEnded(dialog.id.call_id, dialog.caller, dialog.callee, seconds, reason))

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """End every call with a peer that has lost its memory of them."""
        for dialog in self.dialogs.with_peer(peer):
            self.hang_up(dialog, reason)

    def hop_to_phone(self, dialog: Dialog) -> ISIPHop:
        """Return where requests to the dialog's phone go; raises BadURI."""
        return hop_to_phone(self._hops, dialog.phone_target, dialog.phone_routes, dialog.hop)

    def hang_up(self, dialog: Dialog, reason: str) -> None:
        """End a dialog whose peer is gone; an answered call's phone gets BYE with a Reason (RFC 3326)."""
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
        """Forget the subscriptions that ran out."""
        now = self.now()
        for dialog in self.dialogs:
            if dialog.expires is not None and now > dialog.expires + SUBSCRIPTION_GRACE:
                self.end(dialog, "the subscription ran out")
