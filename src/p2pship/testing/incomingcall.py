"""A call that comes to a test phone (RFC 3261 §13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from p2pship.sip.message import Request
from p2pship.sip.sdp import BadSDP
from p2pship.testing.phonecall import SDP_TYPE, Call, Ending, State
from p2pship.testing.phonedialog import Dialog
from p2pship.testing.phonemedia import NoCommonMedia
from p2pship.testing.phonetransactions import ServerTransaction

if TYPE_CHECKING:
    from p2pship.testing.phone import Phone


class IncomingCall(Call):
    """A call from somebody."""

    def __init__(self, phone: Phone, server: ServerTransaction, dialog: Dialog) -> None:
        super().__init__(phone, dialog)
        self.invite = server.request
        self._server = server
        self._early: bytes = b""
        phone.line.respond(server, 100)

    def ring(self, early_media: bool = False) -> None:
        """Say that it rings; with early media it is 183 with the answer, and packets are sent."""
        if self.state is State.ENDED:
            return
        self.state = State.RINGING
        headers = [self.phone.line.contact_header]
        if early_media and self.invite.body:
            self._early = self.media.take_offer(self.invite.body)
            self.phone.line.respond(
                self._server, 183, [*headers, SDP_TYPE], self._early, self.dialog.local.tag
            )
        else:
            self.phone.line.respond(self._server, 180, headers, to_tag=self.dialog.local.tag)
        self._ringing.fire(None)

    def answer(self) -> Deferred[None]:
        """Answer it; fires when the caller has acknowledged."""
        if self.state is State.ENDED:
            return self.answered
        try:
            offered = self.invite.body
            body = self._early or (self.media.take_offer(offered) if offered else self.media.offer())
        except (BadSDP, NoCommonMedia):
            self.reject(488)
            return self.answered
        self.state = State.UP
        self._server.unacknowledged = self._not_acknowledged
        headers = [self.phone.line.contact_header, SDP_TYPE]
        self.phone.line.respond(self._server, 200, headers, body, self.dialog.local.tag)
        return self.answered

    def reject(self, status: int = 486) -> None:
        """Refuse it."""
        if self.state is not State.ENDED:
            self.phone.line.respond(self._server, status, to_tag=self.dialog.local.tag)
            self.end(Ending(False, status))

    def hang_up(self, reason: str = "") -> Deferred[Ending]:
        """End it: with BYE once it is answered, else by refusing it."""
        if self.state in (State.BEGUN, State.RINGING):
            self.reject(480)
            return self.ended
        return super().hang_up(reason)

    def cancelled(self, cancel: Request) -> None:
        """Take the caller's CANCEL (RFC 3261 §9.2)."""
        if self.state in (State.BEGUN, State.RINGING):
            self.phone.line.respond(self._server, 487, to_tag=self.dialog.local.tag)
            self.end(Ending(True, 487, cancel.first("Reason") or ""))

    def acked(self, ack: Request, server: ServerTransaction) -> None:
        """Take the ACK: the call is up."""
        super().acked(ack, server)
        if server is self._server and self.state is State.UP:
            self._up()

    def _not_acknowledged(self) -> None:
        """End a call whose 2xx nobody acknowledged (RFC 3261 §13.3.1.4)."""
        self.hang_up('SIP;cause=408;text="No ACK"')
