"""A call that a test phone places (RFC 3261 §13.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from p2pship.sip.message import Response
from p2pship.testing.phonecall import SDP_TYPE, Call, CallOver, Ending, Refused, State
from p2pship.testing.phonedialog import Dialog
from p2pship.testing.phonetransactions import cancel_of

if TYPE_CHECKING:
    from p2pship.testing.phone import Phone


class OutgoingCall(Call):
    """A call to somebody."""

    def __init__(self, phone: Phone, dialog: Dialog, headers: Sequence[tuple[str, str]], offer: bool) -> None:
        """Place it; without ``offer`` the other side is to make one in its 2xx (RFC 3261 §13.2.1)."""
        super().__init__(phone, dialog)
        self.responses: list[Response] = []
        "every response to the INVITE, in order"
        self._cancelled = False
        self._pracked = 0  # the last RSeq
        self._cancel_sent = False
        self._offered = offer
        more = [phone.line.contact_header, *([SDP_TYPE] if offer else []), *headers]
        body = self.media.offer() if offer else b""
        self.invite = dialog.request("INVITE", more, body)
        self._transaction = phone.line.send(self.invite, self._heard, self._failed)

    def cancel(self) -> Deferred[Ending]:
        """Give up before it is answered; CANCEL waits for the first 1xx (RFC 3261 §9.1)."""
        if self.state is State.UP:
            return self.hang_up()
        self._cancelled = True
        self._cancel_if_possible()
        return self.ended

    def hang_up(self, reason: str = "") -> Deferred[Ending]:
        """End it: with BYE once it is answered, else with CANCEL."""
        if self.state in (State.BEGUN, State.RINGING):
            return self.cancel()
        return super().hang_up(reason)

    def _cancel_if_possible(self) -> None:
        possible = bool(self.responses) and self.responses[-1].status < 200
        if not self._cancelled or self._cancel_sent or not possible or self.state is State.ENDED:
            return
        self._cancel_sent = True
        self.phone.line.send_cancel(cancel_of(self.invite), self._transaction.channel)

    def _heard(self, response: Response) -> None:
        self.responses.append(response)
        if response.status < 200:
            self._progress(response)
        elif response.status < 300:
            self._success(response)
        else:
            self.end(Ending(True, response.status, response.reason), Refused(response))

    def _failed(self, error: Exception) -> None:
        self.end(Ending(False, 408, str(error)), CallOver(str(error)))

    def _progress(self, response: Response) -> None:
        self._cancel_if_possible()
        if response.status == 100 or self.state not in (State.BEGUN, State.RINGING):
            return
        self.state = State.RINGING
        if self.dialog.remote.tag is None:
            self.dialog.answered(response)
        if response.body and self._offered:
            self.media.take_answer(response.body)  # early media
        if response.first("RSeq") is not None and response.to.tag == self.dialog.remote.tag:
            self._acknowledge(response)
        self._ringing.fire(None)

    def _acknowledge(self, response: Response) -> None:
        """Send the PRACK to a reliable response, with the answer if that brings the offer (RFC 3262 §4, §5)."""
        number = int(response.first("RSeq") or 0)
        if number <= self._pracked:
            return
        self._pracked = number
        headers = [("RAck", f"{number} {response.first('CSeq')}")]
        body = b""
        if response.body and not self._offered:
            self._offered = True  # what the 2xx says is not a new one
            body = self.media.take_offer(response.body)
            headers.append(SDP_TYPE)
        self.phone.line.send(
            self.dialog.request("PRACK", headers, body), lambda _response: None, lambda _error: None
        )

    def _success(self, response: Response) -> None:
        other = self.state is State.UP and response.to.tag != self.dialog.remote.tag
        if other or self.state is State.ENDED:
            self._refuse_other(response)
            return
        if self.state is not State.UP:
            self.dialog.answered(response)
        if self._offered:
            self._take_2xx(response)
        else:
            self._answer_2xx(response)
        self._up()
        if self._cancelled:  # it was answered before the CANCEL came there
            self.hang_up()

    def _answer_2xx(self, response: Response) -> None:
        """Acknowledge a 2xx that brings the offer, with the answer (RFC 3261 §13.2.1)."""
        key = response.cseq[0], response.to.tag
        if key not in self._acks:
            answer = self.media.take_offer(response.body)
            ack = self.dialog.numbered("ACK", response.cseq[0], [SDP_TYPE], answer)
            self._acks[key] = self.phone.line.prepared(ack)
        self.phone.line.send_ack(self._acks[key])

    def _refuse_other(self, response: Response) -> None:
        """End a dialog that was answered too late, or by a second phone (RFC 3261 §13.2.2.4)."""
        dialog = Dialog(
            self.dialog.call_id,
            self.dialog.local,
            self.dialog.remote,
            self.dialog.target,
            [],
            self.dialog.cseq,
        )
        dialog.answered(response)
        self.phone.line.send_ack(self.phone.line.prepared(dialog.numbered("ACK", response.cseq[0])))
        self._send_bye(dialog)
