"""A call that comes to a test phone (RFC 3261 §13.3)."""

from __future__ import annotations

from collections.abc import Sequence
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
        self._reliable = 0  # the last RSeq
        phone.line.respond(server, 100)

    def ring(self, early_media: bool = False, reliable: bool = False) -> None:
        """Say that it rings; with early media it is 183 with the answer, and packets are sent.

        ``reliable`` asks for a PRACK (RFC 3262). An INVITE without an offer then gets one in the 183 (§5).
        """
        if self.state is State.ENDED:
            return
        self.state = State.RINGING
        body = b""
        if early_media and self.invite.body:
            body = self._early = self._early or self.media.take_offer(self.invite.body)
        elif early_media and reliable:
            body = self._early = self.media.offer()
            self._awaits_answer = True
        self.progress(183 if body else 180, body, reliable=reliable)
        self._ringing.fire(None)

    def progress(
        self,
        status: int,
        body: bytes = b"",
        tag: str | None = None,
        reliable: bool = False,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Send a response to the INVITE; with another ``tag`` as a proxy does that has several phones (RFC 3261 §16.7)."""
        more = [self.phone.line.contact_header, *([SDP_TYPE] if body else []), *headers]
        if reliable:
            self._reliable += 1
            more += [("Require", "100rel"), ("RSeq", str(self._reliable))]
        self.phone.line.respond(self._server, status, more, body, tag or self.dialog.local.tag)

    def answer(self, headers: Sequence[tuple[str, str]] = ()) -> Deferred[None]:
        """Answer it, with these headers too; fires when the caller has acknowledged."""
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
        said = bool(self._early and self._reliable)  # then it is not said again (RFC 3262 §5)
        self.progress(200, b"" if said else body, headers=headers)
        return self.answered

    def reject(self, status: int = 486, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Refuse it; with a Contact among the headers it may be 302, which points to somebody else."""
        if self.state is not State.ENDED:
            self.phone.line.respond(self._server, status, headers, to_tag=self.dialog.local.tag)
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
