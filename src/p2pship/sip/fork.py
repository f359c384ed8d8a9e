"""The response context of one request: its branches, and the one answer that goes back (RFC 3261 §16.7).

Branches are added as places to try are found, side by side or group after group (by q-value). Each provisional
response passes; a 2xx passes at once and ends the other branches; when no branch is left and no more will be added,
the best of the failures passes. A MESSAGE goes to everybody instead: its first 2xx passes, and ends nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel

from p2pship.errors import LocalError, RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.journal import printable
from p2pship.sip.best import best
from p2pship.sip.breadth import breadth_of, serial
from p2pship.sip.deadlines import Deadlines
from p2pship.sip.farewell import STOPPING, LateAnswers
from p2pship.sip.leg import FOR_ALL, Leg, Onward
from p2pship.sip.message import BadMessage, Response, response_to
from p2pship.sip.open_branches import OpenBranches
from p2pship.sip.reasons import elsewhere
from p2pship.sip.refusal import add_warning, warning_text
from p2pship.sip.trail import Trail
from p2pship.sip.transactions import ClientTransaction, ServerTransaction, TransactionLayer

TIMER_C = 185.0
"Seconds that an INVITE may go on without a new provisional response (RFC 3261 §16.6: more than 3 minutes)."

AVAILABLE_AFTER = 5
"Seconds after which who asks a node that stops may ask again: it may just be started anew."

LONGEST_WHY = 1000
"Characters of why a call failed: a line for each of a few branches."

Waiting = tuple["Fork", ClientTransaction | None]
"A fork that waits for a branch to say anything at all, or (None) for timer C."


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
        trail: Trail | None = None,
    ) -> None:
        """Serve ``transaction``.

        ``restore`` makes a response fit the request as it came; ``done`` hears the final one. What comes due in
        ``deadlines`` is told to :meth:`expired`, and what the branches do to ``trail``.

        :raises BadMessage: if the request allows no branches (RFC 5393).
        """
        self._reactor = reactor
        self._layer = layer
        self._deadlines = deadlines
        self.transaction = transaction
        self._restore = restore
        self._done = done
        self.trail = trail
        self._successes: dict[tuple[ClientTransaction, str | None], Response] = {}
        self._groups: deque[Sequence[Leg]] = deque()
        self._finals: list[Response] = []
        self._unreadable = ""
        "why the last response that could not be passed could not"
        self._searches = 1
        "how many searches may still add branches"
        self._most = breadth_of(transaction.request)
        self._branches = OpenBranches(self._most)
        self.forwarding: Onward | None = None
        "who is asked when those who were called point to others; it is cancelled with the fork"
        self.cancelled = False
        self.cancel_reason: str | None = None
        self.reasons: list[str] = []
        self.final: Response | None = None
        self.started = reactor.seconds()
        self.rang: float | None = None
        self._invite = transaction.request.method == "INVITE"
        self._late = LateAnswers(layer)
        self.for_all = transaction.request.method in FOR_ALL
        "whether every phone and device is to have it, also when one has taken it"

    def begin(self) -> None:
        """Answer an INVITE with 100 at once."""
        if self._invite:
            self.transaction.answer(100)
            self._reset_timer_c()

    def add(self, leg: Leg, more: int = 0) -> None:
        """Add a branch and send to it now; ``more`` are expected to be added beside it."""
        if self.cancelled or (self.final is not None and not self.for_all):
            leg.ended(False)
            return
        share = self._branches.take(more)
        if not share:
            leg.ended(False)
            self._finals.append(self.own(440, "Max-Breadth Exceeded"))
            return
        try:
            request = leg.request()
        except (RemoteError, LocalError) as error:
            self._branches.give_back(share)
            self._refuse_leg(leg, error)
            return
        request.set("Max-Breadth", str(share))
        client = self._layer.send_request(request, leg.hop, self)
        self._branches.add(client, leg, share)
        if self.trail is not None:
            self.trail.sent(client, leg.hop.description)
        if leg.patience is not None:
            self._deadlines.set((self, client), self._reactor.seconds() + leg.patience)

    def queue(self, groups: Sequence[Sequence[Leg]]) -> None:
        """Add groups of branches, each tried when all before it have failed; at once what is for all."""
        if self.for_all:
            groups = [[leg for group in groups for leg in group]]
        self._groups.extend(serial(groups, self._most))
        self._next_group()

    def reopen(self, searches: int) -> None:
        """Say that so many more searches begin, each of which ends with :meth:`complete`."""
        self._searches += searches

    def complete(self, failure: Response | None = None) -> None:
        """Say that a search adds no more branches; ``failure`` is what one that added none would answer."""
        self._searches -= 1
        if failure is not None:
            self._finals.append(failure)
        self._settle()

    def cancel(self, reason: str | None) -> None:
        """End every branch, with the Reason of the CANCEL (RFC 3261 §16.10, RFC 3326); harmless after the answer."""
        if self.final is not None or self.cancelled:
            return
        self.cancelled = True
        self.cancel_reason = reason
        self._ask_no_more()
        self._cancel_branches(reason)
        self._settle()

    def abandon(self, status: int) -> None:
        """Answer now, because this node stops, and wait for nothing more; harmless after the answer."""
        if self.final is not None:
            return
        self._ask_no_more()
        self._cancel_branches(f'SIP;cause=503;text="{STOPPING}"')
        for leg in self._branches.end_all():
            leg.ended(False)
        response = self.own(status, STOPPING)
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
        return [leg.hop for leg in self._branches.legs]

    @property
    def why(self) -> str:
        """Why the final response is what it is, in words: its own, and what became of the branches."""
        if self.final is None:
            return ""
        words = self.reasons or [warning_text(value) for value in self.final.values("Warning")[:1]]
        return printable("; ".join([self.final.reason, *words]), LONGEST_WHY)

    @property
    def elapsed(self) -> float:
        """The seconds from the request to the first ringing, or until now when nothing has rung."""
        return (self.rang or self._reactor.seconds()) - self.started

    # What the transaction layer tells.

    def response_received(self, client: ClientTransaction, response: Response) -> None:
        """Take a response of a branch."""
        self._heard(client)
        if self.trail is not None:
            self.trail.heard(client, response)
        leg = self._branches.leg(client)
        if response.status == 100:
            self._reset_timer_c()
            return
        known = self._successes.get((client, response.to.tag))
        if known is not None and response.status < 300:
            self.transaction.respond(known)  # what it meant has taken effect, and may not a second time
            return
        if leg is None:
            self._late.end(client, response)
            return
        if response.status >= (200 if self.for_all else 300):
            self._branches.end(client)
        try:
            passed = leg.passed(response)
        except (RemoteError, LocalError) as error:
            passed = None
            self._dropped(leg, error)
        self._take(client, leg, response, passed)

    def _dropped(self, leg: Leg, error: Exception) -> None:
        """Say why a response cannot be passed, once: whoever sends such may send thousands."""
        level = LogLevel.warn if not self._unreadable else LogLevel.debug
        self.log.emit(level, "dropped a response of {hop}: {error}", hop=leg.hop.description, error=error)
        self._unreadable = str(error)

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        """Take it that a branch will have no final response."""
        self._heard(client)
        leg = self._branches.end(client)
        if leg is None:
            return
        leg.ended(False)
        if self.final is not None:
            return
        self.reasons.append(f"{leg.hop.description}: {reason}")
        if self.trail is not None:
            self.trail.failed(client, reason)
        # The reason may name the phone's address, so that only the log has it.
        who = "the other node" if leg.hop.address is None else "the phone"
        late = status == 408
        own = self.own(
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
            else:
                self._late.end(client, response)
            self._success(leg, passed or self.own(500, self._unreadable))
            if self.for_all:
                self._settle()
            return
        leg.ended(False)
        if self.final is not None:
            return
        self._count(passed or self.own(500, self._unreadable))
        if response.status >= 600 and not self.for_all:
            self._ask_no_more()
            self._cancel_branches(elsewhere(response.status))
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
        """Pass a 2xx; of an INVITE every one passes, again and again (RFC 3261 §16.7 item 5, RFC 6026).

        One that cannot be read counts as a failure, unless the request has its answer.
        """
        leg.ended(response.status < 300)
        if self.final is not None and (not self._invite or max(self.final.status, response.status) >= 300):
            return
        self._restore(response)
        self.transaction.respond(response)
        if self.final is None:
            self._finish(response)
            if not self.for_all:
                self._drop_groups()
                self._cancel_branches(elsewhere(200))

    def _settle(self) -> None:
        """Answer with the best failure when nothing is left to wait for."""
        if self._branches or (self.final is not None and not self.for_all):
            return
        if self._groups:
            self._next_group()
            return
        if (
            self.final is not None
            or self._searches > 0
            or (self.forwarding is not None and self.forwarding.next())
        ):
            return
        response = self.own(487, "") if self.cancelled else best(self._finals)
        if response.status == 503:  # it speaks of its sender only, and not of this node (§16.7 item 6)
            response = self.own(500, "what was asked is overloaded")
        self._answer(response)

    def _answer(self, response: Response) -> None:
        self._restore(response)
        self.transaction.respond(response)
        self._finish(response)

    def _finish(self, response: Response) -> None:
        self.final = response
        self._deadlines.set((self, None), None)
        self._done(response)
        self.forwarding = None  # it holds this fork: a cycle would wait for a search that stops the node

    def _next_group(self) -> None:
        while self._groups and not self._branches and (self.final is None or self.for_all):
            group = self._groups.popleft()
            for at, leg in enumerate(group, 1):
                self.add(leg, len(group) - at)

    def _count(self, response: Response) -> None:
        """Let a failure count for the answer, unless others are asked because of it."""
        counts = response if self.forwarding is None else self.forwarding.taken(response)
        if counts is not None:
            self._finals.append(counts)

    def _ask_no_more(self) -> None:
        """Add no more branches."""
        self._searches = 0
        self._drop_groups()
        if self.forwarding is not None:
            self.forwarding.cancel()

    def _drop_groups(self) -> None:
        while self._groups:
            for leg in self._groups.popleft():
                leg.ended(False)

    def _refuse_leg(self, leg: Leg, error: Exception) -> None:
        leg.ended(False)
        known = error if isinstance(error, BadMessage) else None
        status = known.status if known is not None else 400 if isinstance(error, RemoteError) else 500
        refusal = self.own(status, str(error))
        for name, value in known.headers if known is not None else ():
            refusal.append(name, value)
        self._finals.append(refusal)

    def _cancel_branches(self, reason: str | None) -> None:
        if not self._invite:
            return
        for client in self._branches:
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
        self._ask_no_more()
        self._finals.append(self.own(408, "nobody answered"))
        self._cancel_branches(None)
        self._settle()

    def own(self, status: int, reason: str) -> Response:
        """Make a response of this node's own."""
        response = response_to(self.transaction.request, status, to_tag=self.transaction.tag)
        if reason:
            add_warning(response, reason)
        return response
