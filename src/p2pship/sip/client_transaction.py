"""Client transactions: a request that this node has sent to one hop, and what comes of it (RFC 3261 §17.1)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import ClassVar, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from p2pship.errors import PeerRestarted
from p2pship.interfaces import ISIPHop
from p2pship.sip.derived import ack_of, cancel_of
from p2pship.sip.large import rerouted
from p2pship.sip.live_transaction import Keeper, LiveTransaction
from p2pship.sip.message import Request, Response
from p2pship.sip.transaction import TIMEOUT, Effect, Input, State, response_input
from p2pship.sip.transaction_kinds import CLIENT, INVITE_CLIENT

_OUTCOME_OPEN = frozenset(
    {State.CALLING, State.CANCEL_WAITS, State.TRYING, State.PROCEEDING, State.CANCELLED}
)


class IClientUser(Protocol):
    """Who sends a request, and hears what comes of it. Nothing is told from within ``send_request``."""

    def response_received(self, client: ClientTransaction, response: Response) -> None:
        """Take a response: any number of 1xx, then one final one; of an INVITE, each 2xx and its retransmissions.

        The response has our Via on top. An ACK to a 2xx is the user's; any other is sent already.
        """

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        """Hear that no final response will come: 408 when none came in time, 503 when the hop could not be reached."""


class Nobody:
    """The user of a CANCEL, for what comes of it shows in the INVITE (RFC 3261 §9.1), and of a transaction that is over."""

    def response_received(self, client: ClientTransaction, response: Response) -> None:
        """Nothing is to be done."""

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        """Nothing is to be done."""


class ClientTransaction(LiveTransaction):
    """A request under way to one hop; made by the layer's ``send_request``."""

    carries_out: ClassVar[Mapping[Effect, str]] = {
        Effect.SEND: "_send",
        Effect.SEND_ACK: "_send_ack",
        Effect.SEND_CANCEL: "_send_cancel",
        Effect.TELL_RESPONSE: "_tell_response",
        Effect.TELL_TIMEOUT: "_tell_timeout",
        Effect.TELL_UNSENT: "_tell_unsent",
    }

    def __init__(
        self,
        request: Request,
        hop: ISIPHop,
        key: Hashable,
        keeper: Keeper,
        user: IClientUser,
        send_cancel: Callable[[Request, ISIPHop], object],
        instead: ISIPHop | None = None,
    ) -> None:
        """``instead`` is where the request goes if it cannot be sent to ``hop``, for which it is only too large."""
        super().__init__(INVITE_CLIENT if request.method == "INVITE" else CLIENT, request, hop, key, keeper)
        self._user: IClientUser = user
        self._send_cancel_request = send_cancel
        self._instead = instead
        self._sending: Deferred[None] | None = None
        self._repeated = False
        "whether a peer was restarted before it took the request, which was sent to it once more"
        self._spared = False
        "whether that loss is still to be told, and does not concern what is sent now"
        self._response: Response | None = None
        self._reason: str | None = None

    @property
    def final(self) -> bool:
        """Whether the user has been told how it ended: a final response, or that none will come."""
        return self.state not in _OUTCOME_OPEN

    def cancel(self, reason_header: str | None = None) -> None:
        """Cancel an INVITE with the value of a Reason header (RFC 3326); harmless when repeated or too late.

        The CANCEL goes out once a provisional response has come and no final one (§9.1). The user hears the final
        response, mostly 487, or ``client_failed`` with 408 if none comes within 64*T1.
        """
        self._reason = self._reason or reason_header
        self.feed(Input.CANCEL)
        if self.state is State.CANCEL_WAITS:
            self.withdraw()

    def withdraw(self) -> None:
        """Take back a request that still waits to be sent; whoever has it already is not told."""
        if self._sending is not None:
            self._sending.cancel()

    def received(self, response: Response) -> None:
        """Take a response that has matched."""
        self._response = response
        self.feed(response_input(response.status))

    def hop_lost(self, reason: str) -> None:
        """Hear that the hop is gone, unless that is a peer's former life, which has not even taken the request."""
        if self._spared:
            self._spared = False
            return
        super().hop_lost(reason)

    def _unsent(self, failure: Failure) -> None:
        if failure.check(PeerRestarted) and not self._repeated and self.state is self._machine.kind.first:
            self._repeated = self._spared = True
            self._keeper.clock.callLater(0, self._send_again)
            return
        super()._unsent(failure)

    def _send_again(self) -> None:
        if self.state is self._machine.kind.first:  # it was not given up meanwhile
            self.start_again()

    def _release(self) -> None:
        self._user = Nobody()
        self._sending = None

    def _send(self) -> None:
        self._sending = self._transmit(self.request)

    def _feed_error(self, reason: str) -> None:
        hop, self._instead = self._instead, None
        if hop is None or self.state is not self._machine.kind.first:
            super()._feed_error(reason)
            return
        rerouted(self.request, hop)
        self.hop = hop
        self.start_again()

    def _send_ack(self) -> None:
        assert self._response is not None
        self._transmit(ack_of(self.request, self._response))

    def _send_cancel(self) -> None:
        self._send_cancel_request(cancel_of(self.request, self._reason), self.hop)

    def _tell_response(self) -> None:
        assert self._response is not None
        self._tell(self._user.response_received, self, self._response)

    def _tell_timeout(self) -> None:
        self._end(408, f"{self.hop.description} did not answer within {TIMEOUT:.0f} s")

    def _tell_unsent(self) -> None:
        self._end(503, self._trouble)

    def _end(self, status: int, reason: str) -> None:
        """End: a request that still waits is not sent later, when nobody expects an answer any more."""
        self.withdraw()
        self._tell(self._user.client_failed, self, status, reason)
