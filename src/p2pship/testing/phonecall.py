"""A call of a test phone: what both sides can do once it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from p2pship.errors import RemoteError
from p2pship.sip.message import Message, Request, Response
from p2pship.sip.sdp import BadSDP
from p2pship.testing.moment import Moment
from p2pship.testing.phonedialog import Dialog
from p2pship.testing.phonemedia import NoCommonMedia
from p2pship.testing.phonetransactions import ServerTransaction

if TYPE_CHECKING:
    from p2pship.testing.phone import Phone

SDP_TYPE = ("Content-Type", "application/sdp")


class Refused(RemoteError):
    """The other side answered with a failure."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status} {response.reason}")
        self.status = response.status
        self.response = response


class CallOver(RemoteError):
    """The call ended before that."""


class State(Enum):
    """How far a call is."""

    BEGUN = "begun"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


@dataclass(frozen=True)
class Ending:
    """How a call ended."""

    remote: bool
    "whether the other side ended or refused it"
    status: int = 0
    "of the final response, if it was never answered; 0 otherwise"
    reason: str = ""
    "the Reason header of the BYE or CANCEL, or the reason phrase"


class Call:
    """One call; :class:`OutgoingCall` and :class:`IncomingCall` say how it comes about."""

    def __init__(self, phone: Phone, dialog: Dialog) -> None:
        self.phone = phone
        self.dialog = dialog
        self.state = State.BEGUN
        self.media = phone.line.open_media()
        phone.on_media(self.media)
        self.requests: list[Request] = []
        "what came within the dialog, but ACK"
        self.on_request: Callable[[Request], Response | None] = lambda request: None
        "asked first how to answer what comes within the dialog; None leaves it to the phone"
        self._ringing: Moment[None] = Moment()
        self._answered: Moment[None] = Moment()
        self._ended: Moment[Ending] = Moment()
        self._offering = False
        self._awaits_answer = False  # an offer of ours in a reliable response is not answered yet
        self._acks: dict[tuple[int, str | None], Request] = {}

    @property
    def ringing(self) -> Deferred[None]:
        """Fires when it rings, or is answered without; fails if it ends before."""
        return self._ringing.wait()

    @property
    def answered(self) -> Deferred[None]:
        """Fires when it is up: at the caller with the 2xx, at the callee with the ACK.

        Fails with :class:`Refused`, or :class:`CallOver` if it ends otherwise before.
        """
        return self._answered.wait()

    @property
    def ended(self) -> Deferred[Ending]:
        """Fires when it has ended, also if it was never answered."""
        return self._ended.wait()

    @property
    def remote(self) -> str:
        """The URI of the other person."""
        return self.dialog.remote.uri

    @property
    def infos(self) -> list[Request]:
        """The INFO requests that came."""
        return [request for request in self.requests if request.method == "INFO"]

    def request(
        self, method: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Deferred[Response]:
        """Send a request within the dialog; fires with its final response, of whatever status."""
        return self.phone.line.transact(self.dialog.request(method, headers, body))

    def send_info(self, body: str, content_type: str = "application/dtmf-relay") -> Deferred[Response]:
        """Send an INFO, such as a digit in the manner of before RFC 4733."""
        return self.request("INFO", [("Content-Type", content_type)], body.encode())

    def send_dtmf(self, digits: str) -> Deferred[Any]:
        """Send digits as telephone events; fires when the last packet has left."""
        return self.media.send_digits(digits)

    def hold(self, by_address: bool = False) -> Deferred[Response]:
        """Put the other side on hold; ``by_address`` also says 0.0.0.0, as phones of RFC 2543 do."""
        self.media.wanted = "sendonly"
        return self.reinvite(by_address)

    def resume(self) -> Deferred[Response]:
        """Take the other side back from hold."""
        self.media.wanted = "sendrecv"
        return self.reinvite()

    def update(self) -> Deferred[Response]:
        """Offer anew with UPDATE, which needs no answered call (RFC 3311); fires and fails as :meth:`reinvite`."""
        return self.reinvite(method="UPDATE")

    def reinvite(self, hold_by_address: bool = False, method: str = "INVITE") -> Deferred[Response]:
        """Offer anew; fires with the 2xx once it is acknowledged, fails with :class:`Refused`."""
        outcome: Moment[Response] = Moment()
        body = self.media.offer(hold_by_address)
        request = self.dialog.request(method, [self.phone.line.contact_header, SDP_TYPE], body)
        self._offering = True

        def heard(response: Response) -> None:
            if response.status < 200:
                return
            self._offering = False
            if response.status >= 300:
                outcome.fail(Refused(response))
                return
            self.dialog.refreshed(response)
            if method == "INVITE":
                self._take_2xx(response)
            else:
                self._take_answer(response)
            outcome.fire(response)

        def failed(error: Exception) -> None:
            self._offering = False
            outcome.fail(error)

        self.phone.line.send(request, heard, failed)
        return outcome.wait()

    def hang_up(self, reason: str = "") -> Deferred[Ending]:
        """End it with BYE; fires when it has ended here. ``reason`` is a Reason header (RFC 3326)."""
        if self.state is not State.ENDED:
            self._send_bye(self.dialog, reason)
            self.end(Ending(remote=False))
        return self.ended

    def taken(self, server: ServerTransaction) -> None:
        """Take a request that came within the dialog."""
        request = server.request
        self.requests.append(request)
        chosen = self.on_request(request)
        if chosen is not None:
            server.respond(chosen)
            return
        answers = {
            "BYE": self._bye_received,
            "INVITE": self._offer_received,
            "PRACK": self._prack_received,
            "UPDATE": self._offer_received,
        }
        answer = answers.get(request.method)
        if answer is not None:
            answer(server)
            return
        known = request.method in ("INFO", "MESSAGE", "NOTIFY", "OPTIONS")
        self.phone.line.respond(server, 200 if known else 501)

    def acked(self, ack: Request, server: ServerTransaction) -> None:
        """Take the ACK to a 2xx, which brings the answer if the INVITE brought no offer."""
        if ack.body and not server.request.body and self.state is not State.ENDED:
            self.media.take_answer(ack.body)

    def end(self, ending: Ending, error: RemoteError | None = None) -> None:
        """Note that it has ended."""
        if self.state is State.ENDED:
            return
        self.state = State.ENDED
        self.phone.forget(self)
        over = error or CallOver(ending.reason)
        self._ringing.fail(over)
        self._answered.fail(over)
        self._ended.fire(ending)

    def _up(self) -> None:
        self.state = State.UP
        self._ringing.fire(None)
        self._answered.fire(None)

    def _take_2xx(self, response: Response) -> None:
        """Acknowledge a 2xx, and again each time that it comes again (RFC 3261 §13.2.2.4)."""
        key = response.cseq[0], response.to.tag
        if key not in self._acks:
            self._acks[key] = self.phone.line.prepared(self.dialog.numbered("ACK", response.cseq[0]))
            self._take_answer(response)
        self.phone.line.send_ack(self._acks[key])

    def _take_answer(self, message: Message) -> None:
        if message.body and self.state is not State.ENDED:
            self.media.take_answer(message.body)

    def _send_bye(self, dialog: Dialog, reason: str = "") -> None:
        bye = dialog.request("BYE", [("Reason", reason)] if reason else [])
        self.phone.line.send(bye, lambda response: None, lambda error: None)

    def _bye_received(self, server: ServerTransaction) -> None:
        self.phone.line.respond(server, 200)
        self.end(Ending(remote=True, reason=server.request.first("Reason") or ""))

    def _offer_received(self, server: ServerTransaction) -> None:
        """Answer a re-INVITE or UPDATE (RFC 3261 §14.2, RFC 3311 §5.2)."""
        request = server.request
        if self._offering:
            self.phone.line.respond(server, 491)
            return
        self.dialog.refreshed(request)
        self._respond_with_sdp(server)

    def _prack_received(self, server: ServerTransaction) -> None:
        """Take the PRACK to a reliable response, which may bring the answer or another offer (RFC 3262 §5)."""
        described = server.request.body
        if not described:
            self.phone.line.respond(server, 200)
        elif self._awaits_answer:
            self._awaits_answer = False
            self.media.take_answer(described)
            self.phone.line.respond(server, 200)
        else:
            self._respond_with_sdp(server)

    def _respond_with_sdp(self, server: ServerTransaction) -> bool:
        """Answer 200 with the answer to what was offered, or an offer if nothing was; 488 if that cannot be."""
        offered = server.request.body
        if not offered and server.request.method == "UPDATE":
            self.phone.line.respond(server, 200, [self.phone.line.contact_header])
            return True
        try:
            body = self.media.take_offer(offered) if offered else self.media.offer()
        except (BadSDP, NoCommonMedia):
            self.phone.line.respond(server, 488)
            return False
        self.phone.line.respond(server, 200, [self.phone.line.contact_header, SDP_TYPE], body)
        return True
