"""The response context of one request: its branches, and the one answer that goes back (RFC 3261 §16.7).

Branches are added as places to try are found, side by side or group after group (by q-value). Each provisional
response passes; a 2xx passes at once and ends the other branches; when no branch is left and no more will be added,
the best of the failures passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pship.errors import LocalError, RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.sip.deadlines import Deadlines
from p2pship.sip.farewell import STOPPING, acknowledge_late, hang_up_late
from p2pship.sip.message import Request, Response, response_to
from p2pship.sip.refusal import add_warning
from p2pship.sip.transactions import ClientTransaction, ServerTransaction, TransactionLayer

TIMER_C = 185.0
"Seconds that an INVITE may go on without a new provisional response (RFC 3261 §16.6: more than 3 minutes)."

MAX_BRANCHES = 32
"Branches of one request: more phones and devices than a person has, few enough not to amplify (RFC 5393 §5)."


AVAILABLE_AFTER = 5
"Seconds after which who asks a node that stops may ask again: it may just be started anew."

Waiting = tuple["Fork", ClientTransaction | None]
"A fork that waits for a branch to say anything at all, or (None) for timer C."


class Leg(Protocol):
    """One branch's side of the work: what it sends, and what its responses mean on the other side of the node."""

    hop: ISIPHop
    patience: float | None
    "seconds after which a hop that has said nothing at all counts as gone; None to wait as long as RFC 3261 says"

    def request(self) -> Request:
        """Return the request to send.

        :raises RemoteError: if the request cannot be read so far as this needs.
        :raises LocalError: if this node has no room for it.
        """

    def passed(self, response: Response) -> Response:
        """Return a response, other than 100, as the other side is to see it; raises as :meth:`request`."""

    def ended(self, answered: bool) -> None:
        """Hear that the branch has had its final response, or none will come."""


class Fork:
    """One request's branches, and the way back."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        layer: TransactionLayer,
        deadlines: Deadlines[Waiting],
        transaction: ServerTransaction,
        restore: Callable[[Response], None],
        done: Callable[[Response], None],
    ) -> None:
        """Serve ``transaction``.

        ``restore`` makes a response fit the request as it came; ``done`` hears the final one. What comes due in
        ``deadlines`` is told to :meth:`expired`.
        """
        self._reactor = reactor
        self._layer = layer
        self._deadlines = deadlines
        self.transaction = transaction
        self._restore = restore
        self._done = done
        self._branches: dict[ClientTransaction, Leg] = {}
        self._successes: dict[tuple[ClientTransaction, str | None], Response] = {}
        self._groups: deque[Sequence[Leg]] = deque()
        self._late: set[tuple[ClientTransaction, str | None]] = set()
        self._finals: list[Response] = []
        self._open = True
        self._begun = 0
        self._on_cancel: Callable[[], None] | None = None
        self.cancelled = False
        self.reasons: list[str] = []
        self.final: Response | None = None
        self.started = reactor.seconds()
        self.rang: float | None = None
        self._invite = transaction.request.method == "INVITE"

    def begin(self, on_cancel: Callable[[], None] | None = None) -> None:
        """Answer an INVITE with 100 at once; ``on_cancel`` ends the search for branches."""
        self._on_cancel = on_cancel
        if self._invite:
            self.transaction.answer(100)
            self._reset_timer_c()

    def add(self, leg: Leg) -> None:
        """Add a branch and send to it now."""
        if self.cancelled or self.final is not None:
            leg.ended(False)
            return
        if self._begun >= MAX_BRANCHES:
            leg.ended(False)
            self._finals.append(self._own(440, "Max-Breadth Exceeded"))
            return
        self._begun += 1
        try:
            request = leg.request()
        except (RemoteError, LocalError) as error:
            self._refuse_leg(leg, error)
            return
        client = self._layer.send_request(request, leg.hop, self)
        self._branches[client] = leg
        if leg.patience is not None:
            self._deadlines.set((self, client), self._reactor.seconds() + leg.patience)

    def queue(self, groups: Sequence[Sequence[Leg]]) -> None:
        """Add groups of branches, each tried when all before it have failed."""
        self._groups.extend(groups)
        self._next_group()

    def complete(self, status: int, reason: str) -> None:
        """Say that no more branches come, and what to answer if there was none."""
        self._open = False
        if self._begun == 0:
            self._finals.append(self._own(status, reason))
        self._settle()

    def cancel(self, reason: str | None) -> None:
        """End every branch, with the Reason of the CANCEL (RFC 3261 §16.10, RFC 3326); harmless after the answer."""
        if self.final is not None or self.cancelled:
            return
        self.cancelled = True
        self._open = False
        self._drop_groups()
        if self._on_cancel is not None:
            self._on_cancel()
        self._cancel_branches(reason)
        self._settle()

    def abandon(self, status: int) -> None:
        """Answer now, because this node stops, and wait for nothing more; harmless after the answer."""
        if self.final is not None:
            return
        self._drop_groups()
        if self._on_cancel is not None:
            self._on_cancel()
        self._cancel_branches(f'SIP;cause=503;text="{STOPPING}"')
        branches, self._branches = self._branches, {}
        for leg in branches.values():
            leg.ended(False)
        response = self._own(status, STOPPING)
        if status == 503:
            response.append("Retry-After", str(AVAILABLE_AFTER))
        self._answer(response)

    def expired(self, client: ClientTransaction | None) -> None:
        """Hear that a branch has said nothing at all for too long, or that timer C has fired."""
        if client is None:
            self._timed_out()
        else:
            self._unheard(client)

    @property
    def hops(self) -> list[ISIPHop]:
        """Where the branches went that wait for their final response."""
        return [leg.hop for leg in self._branches.values()]

    @property
    def elapsed(self) -> float:
        """The seconds from the request to the first ringing, or until now when nothing has rung."""
        return (self.rang or self._reactor.seconds()) - self.started

    # What the transaction layer tells.

    def response_received(self, client: ClientTransaction, response: Response) -> None:
        """Take a response of a branch."""
        self._heard(client)
        leg = self._branches.get(client)
        if response.status == 100:
            self._reset_timer_c()
            return
        known = self._successes.get((client, response.to.tag))
        if known is not None and response.status < 300:
            self.transaction.respond(known)  # what it meant has taken effect, and may not a second time
            return
        if leg is None:
            self._too_late(client, response)
            return
        if response.status >= 300:
            del self._branches[client]
        try:
            passed = leg.passed(response)
        except (RemoteError, LocalError) as error:
            self.log.warn("dropped a response of {hop}: {error}", hop=leg.hop.description, error=error)
            passed = None
        self._take(client, leg, response, passed)

    def _too_late(self, client: ClientTransaction, response: Response) -> None:
        """End a call that a hop answers after it was given up: the caller has heard that nobody is there."""
        if not self._invite or not 200 <= response.status < 300:
            return
        try:
            acknowledge_late(self._layer, client, response)
            if (client, response.to.tag) not in self._late:
                self._late.add((client, response.to.tag))
                hang_up_late(self._layer, client, response)
        except RemoteError as error:
            self.log.warn("cannot hang up at {hop}: {error}", hop=client.hop.description, error=error)

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        """Take it that a branch will have no final response."""
        self._heard(client)
        leg = self._branches.pop(client, None)
        if leg is None:
            return
        leg.ended(False)
        if self.final is not None:
            return
        self.reasons.append(f"{leg.hop.description}: {reason}")
        # The reason may name the phone's address, so that only the log has it.
        who = "the other node" if leg.hop.address is None else "the phone"
        late = status == 408
        own = self._own(
            408 if late else 480, f"{who} {'did not answer in time' if late else 'cannot be reached'}"
        )
        self._finals.append(own)
        self._settle()

    def _take(self, client: ClientTransaction, leg: Leg, response: Response, passed: Response | None) -> None:
        if response.status < 200:
            if passed is not None:
                self._provisional(passed)
            return
        if response.status < 300:
            if passed is not None:
                self._successes[client, response.to.tag] = passed
            self._success(leg, passed or self._own(500, "the answer could not be read"))
            return
        leg.ended(False)
        if self.final is not None:
            return
        self._finals.append(passed or self._own(500, "the answer could not be read"))
        if response.status >= 600:
            self._drop_groups()
            self._open = False
            self._cancel_branches(None)
        self._settle()

    def _provisional(self, response: Response) -> None:
        if self.final is not None or not self._invite:
            return
        self._reset_timer_c()
        if self.rang is None:
            self.rang = self._reactor.seconds()
        self._restore(response)
        self.transaction.respond(response)

    def _success(self, leg: Leg, response: Response) -> None:
        """Pass a 2xx; of an INVITE every one passes, again and again (RFC 3261 §16.7 item 5, RFC 6026)."""
        leg.ended(response.status < 300)
        if self.final is not None and (not self._invite or self.final.status >= 300):
            return
        self._restore(response)
        self.transaction.respond(response)
        if self.final is None:
            self._finish(response)
            self._drop_groups()
            self._cancel_branches(None)

    def _settle(self) -> None:
        """Answer with the best failure when nothing is left to wait for."""
        if self.final is not None or self._branches:
            return
        if self._groups:
            self._next_group()
            return
        if self._open:
            return
        response = self._own(487, "") if self.cancelled else best(self._finals)
        if response.status == 503:  # it speaks of its sender only, and not of this node (§16.7 item 6)
            response = self._own(500, "what was asked is overloaded")
        self._answer(response)

    def _answer(self, response: Response) -> None:
        self._restore(response)
        self.transaction.respond(response)
        self._finish(response)

    def _finish(self, response: Response) -> None:
        self.final = response
        self._deadlines.set((self, None), None)
        self._done(response)

    def _next_group(self) -> None:
        while self._groups and not self._branches and self.final is None:
            for leg in self._groups.popleft():
                self.add(leg)

    def _drop_groups(self) -> None:
        while self._groups:
            for leg in self._groups.popleft():
                leg.ended(False)

    def _refuse_leg(self, leg: Leg, error: Exception) -> None:
        leg.ended(False)
        status = 400 if isinstance(error, RemoteError) else 500
        self._finals.append(self._own(status, str(error)))

    def _cancel_branches(self, reason: str | None) -> None:
        if not self._invite:
            return
        for client in tuple(self._branches):
            client.cancel(reason)

    def _unheard(self, client: ClientTransaction) -> None:
        """Give up a hop that has said nothing. What it has not got it does not get later, but for BYE, which is true then.

        An INVITE that it has got is cancelled as soon as it speaks (RFC 3261 §9.1).
        """
        if self._invite:
            client.cancel(None)
        elif client.request.method != "BYE":
            client.withdraw()
        self.client_failed(client, 480, "it does not answer at all")

    def _heard(self, client: ClientTransaction) -> None:
        self._deadlines.set((self, client), None)

    def _reset_timer_c(self) -> None:
        if self.final is None:
            self._deadlines.set((self, None), self._reactor.seconds() + TIMER_C)

    def _timed_out(self) -> None:
        self._open = False
        self._drop_groups()
        self._finals.append(self._own(408, "nobody answered"))
        self._cancel_branches(None)
        self._settle()

    def _own(self, status: int, reason: str) -> Response:
        """Make a response of this node's own."""
        response = response_to(self.transaction.request, status, to_tag=self.transaction.tag)
        if reason:
            add_warning(response, reason)
        return response


def best(responses: Sequence[Response]) -> Response:
    """Choose the response that passes when all have failed (RFC 3261 §16.7 item 6).

    A 6xx wins; else the lowest class, and within 4xx those that tell how to go on. A 408 or 480 of one phone says less
    than what another said.
    """
    return min(responses, key=_rank)


_TELLING = frozenset({401, 407, 415, 420, 484})
_LEAST = frozenset({408, 480, 487, 503})


def _rank(response: Response) -> tuple[int, int]:
    status = response.status
    if status >= 600:
        return (0, status)
    if status in _TELLING:
        return (status // 100, 0)
    return (status // 100, 2 if status in _LEAST else 1)
