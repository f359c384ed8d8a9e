"""Server transactions: a request that came from one hop, and what is answered (RFC 3261 §17.2)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import ClassVar, Protocol

from p2pship.interfaces import ISIPHop
from p2pship.sip.live_transaction import Keeper, LiveTransaction
from p2pship.sip.match import acknowledges
from p2pship.sip.message import Request, Response, response_to
from p2pship.sip.transaction import TIMEOUT, Effect, Input, State, response_input
from p2pship.sip.transaction_kinds import INVITE_SERVER, SERVER

TAG_OCTETS = 8
"random octets in a tag of ours; RFC 3261 §19.3 wants at least 32 bits"

_OPEN = frozenset({State.TRYING, State.PROCEEDING})


class ITransactionUser(Protocol):
    """Who serves requests: the proxy, and through it the agent. What it raises is logged and harms nobody else."""

    def request_received(self, transaction: ServerTransaction) -> None:
        """Take a new request, which is no ACK; if this raises, the answer is 500.

        A CANCEL is answered as any other request, and has ``cancels`` set.
        """

    def transaction_lost(self, transaction: ServerTransaction, reason: str) -> None:
        """Hear, once, that an exchange has failed.

        That is when a response could not be sent, the hop is gone, the ACK to a failure did not come, or nothing was
        answered in time. A transaction that ends well is not told.
        """

    def ack_received(self, ack: Request, origin: ISIPHop) -> None:
        """Take an ACK that was not absorbed: to a 2xx, or to nothing that is known here."""

    def response_received(self, response: Response, origin: ISIPHop) -> None:
        """Take a response for no transaction that lives: a 2xx that comes late, or again; our Via is on top.

        It must not be forwarded by its Vias (RFC 6026 §7.3, RFC 4320 §4.2).
        """


class ServerTransaction(LiveTransaction):
    """A request that waits for its answer, and then absorbs its retransmissions; made by the layer."""

    carries_out: ClassVar[Mapping[Effect, str]] = {
        Effect.SEND: "_send",
        Effect.RESEND: "_resend",
        Effect.SEND_TRYING: "_send_trying",
        Effect.TELL_TIMEOUT: "_tell_timeout",
        Effect.TELL_UNSENT: "_tell_unsent",
        Effect.TELL_ACK: "_tell_ack",
    }

    def __init__(
        self,
        request: Request,
        origin: ISIPHop,
        key: Hashable,
        keeper: Keeper,
        user: ITransactionUser,
        cancels: ServerTransaction | None = None,
    ) -> None:
        super().__init__(
            INVITE_SERVER if request.method == "INVITE" else SERVER, request, origin, key, keeper
        )
        self.cancels = cancels
        "of a CANCEL: the INVITE that it cancels, also one that has its final response; None if there is none (§9.2)"
        self.username = ""
        "the user name that its sender has proven; empty where no proof was needed"
        self._user = user
        self._given: Response | None = None
        self._last: Response | None = None
        self._ack: tuple[Request, ISIPHop] | None = None
        self._tag: str | None = None
        self._lost = False

    @property
    def origin(self) -> ISIPHop:
        """Where the request came from."""
        return self.hop

    @property
    def final(self) -> bool:
        """Whether it has its final response, or it is too late for one."""
        return self.state not in _OPEN

    @property
    def tag(self) -> str:
        """The To tag of responses that this node makes itself; a CANCEL shares that of its INVITE (§9.2)."""
        if self.cancels is not None:
            return self.cancels.tag
        if self._tag is None:
            self._tag = self._keeper.random(TAG_OCTETS).hex()
        return self._tag

    def respond(self, response: Response) -> None:
        """Answer; the response has the request's own Vias, and is the transaction's from now on.

        What may not be sent is not: a second final response, other than a 2xx again to an INVITE; what comes too late;
        a provisional response or a 408 to a request other than INVITE, which are of no use (RFC 4320: a 100 goes out by
        itself when it is time, and 408 ends the transaction in silence).
        """
        self._given = response
        silent = response.status == 408 and self.request.method != "INVITE"
        self.feed(Input.TIMEOUT_RESPONSE if silent else response_input(response.status))

    def answer(self, status: int, reason: str | None = None) -> None:
        """Answer with a response that this node makes itself; see :meth:`respond`."""
        tag = None if status == 100 else self.tag
        self.respond(response_to(self.request, status, reason, to_tag=tag))

    def acknowledged(self, ack: Request, origin: ISIPHop) -> bool:
        """Take an ACK whose key is that of this INVITE; False if it is not for the response that was given.

        :raises BadMessage: if the ACK cannot be read.
        """
        if not acknowledges(ack, self._last):
            return False
        self._ack = ack, origin
        self.feed(Input.ACK)
        return True

    def _send(self) -> None:
        assert self._given is not None
        self._last = self._given
        if self.state is State.ACCEPTED:
            self._keeper.accepted(self)
        self._transmit(self._last)

    def _resend(self) -> None:
        if self._last is not None:
            self._transmit(self._last)

    def _send_trying(self) -> None:
        self._last = response_to(self.request, 100)
        self._transmit(self._last)

    def _tell_timeout(self) -> None:
        what = "was not acknowledged" if self.request.method == "INVITE" else "was not answered"
        self._tell_lost(f"{self.request.method} {what} within {TIMEOUT:.0f} s")

    def _tell_unsent(self) -> None:
        self._tell_lost(self._trouble)

    def _tell_lost(self, reason: str) -> None:
        if not self._lost:
            self._lost = True
            self._tell(self._user.transaction_lost, self, reason)

    def _tell_ack(self) -> None:
        assert self._ack is not None
        self._tell(self._user.ack_received, *self._ack)
