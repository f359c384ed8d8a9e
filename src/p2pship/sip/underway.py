"""The requests that wait for their final response, and what may not be under way a second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator

from twisted.internet.interfaces import IReactorTime

from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer
from p2pship.journal import Journal
from p2pship.sip.deadlines import Deadlines
from p2pship.sip.fork import Fork, Waiting
from p2pship.sip.hops import peer_of
from p2pship.sip.message import BadMessage, Request, Response
from p2pship.sip.returning import Returning
from p2pship.sip.rewrite import restore
from p2pship.sip.screen import Refusal
from p2pship.sip.trails import Trails
from p2pship.sip.transactions import ServerTransaction, TransactionLayer

MOST_OF_STRANGERS = 500
"""INVITEs of all strangers together that may ring or search here: as many as one peer may have. New identities cost
nothing, so that a bound for each of them would be none."""

MOST_OF_STRANGER = MOST_OF_STRANGERS // 2
"Of one stranger: the others are to find room too."


class UnderWay:
    """All forks of the node, by the transaction that each serves."""

    def __init__(self, reactor: IReactorTime, journal: Journal, trails: Trails, returning: Returning) -> None:
        self._reactor = reactor
        self._journal = journal
        self._trails = trails
        self._returning = returning
        self._deadlines: Deadlines[Waiting] = Deadlines(reactor, _expired)
        self._layer: TransactionLayer | None = None
        self._forks: dict[ServerTransaction, Fork] = {}
        self._paths: set[Hashable] = set()
        self._strange: dict[ServerTransaction, IPeer] = {}
        self._strangers: Counter[IPeer] = Counter()

    def start(self, layer: TransactionLayer) -> None:
        """Take the layer that carries what the forks send."""
        self._layer = layer

    def stop(self) -> None:
        """Answer all. Our phones hear 503, as this node is all that they have; to a peer we are one who is not there."""
        for transaction, fork in tuple(self._forks.items()):
            fork.abandon(503 if peer_of(transaction.origin) is None else 480)
        self._deadlines.stop()

    def __len__(self) -> int:
        return len(self._forks)

    def __iter__(self) -> Iterator[ServerTransaction]:
        return iter(tuple(self._forks))

    def of(self, transaction: ServerTransaction) -> Fork | None:
        """Return the fork that serves a transaction."""
        return self._forks.get(transaction)

    def peers(self) -> set[IPeer]:
        """Return the peers that sent, or were sent, what is under way."""
        hops = [hop for fork in self._forks.values() for hop in (fork.transaction.origin, *fork.hops)]
        return {peer for hop in hops if (peer := peer_of(hop)) is not None}

    def cancel_from(self, peer: IPeer, reason: str) -> None:
        """Cancel what a peer began."""
        for transaction, fork in tuple(self._forks.items()):
            if peer_of(transaction.origin) is peer:
                fork.cancel(reason)

    def check_path(self, request: Request, peer: IPeer | None) -> None:
        """Look that a new request has not come this way before (RFC 3261 §16.3 item 4, RFC 5393 §4.2).

        Vias stay on their side of a node, so a loop shows by what crosses: the same request (Call-ID, From tag, CSeq) for
        the same Request-URI, from a phone or a peer as before, while the first still waits for its answer. For
        another Request-URI it is a spiral, which may be. Only what came for the same identity counts: whoever calls another
        one must not hear what it has under way.

        :raises BadMessage: with status 482.
        """
        if _path(request, peer) in self._paths:
            self._journal.count("sip.loop")
            raise BadMessage(482, "Loop Detected", request)

    def check_strangers(self, request: Request, peer: IPeer) -> Refusal | None:
        """Return why no more calls of strangers are taken now; None if there is room, or the peer is none."""
        if not _is_strange(request, peer):
            return None
        if len(self._strange) >= MOST_OF_STRANGERS or self._strangers[peer] >= MOST_OF_STRANGER:
            return Refusal(480, "strangers", f"too many calls of strangers wait here: {peer.aor} is one more")
        return None

    def fork(
        self,
        transaction: ServerTransaction,
        sent_on: Request,
        route: str | None,
        *,
        caller: str = "",
        callee: str = "",
        done: Callable[[Response], None] | None = None,
    ) -> Fork:
        """Make the fork of a request that is sent on.

        ``route`` is this node's own Record-Route towards the sender, if a dialog may come of it. ``caller`` and
        ``callee`` name who speaks in a new request; ``done`` hears the final response.
        """
        assert self._layer is not None
        from_phone = peer_of(transaction.origin) is None

        def restored(response: Response) -> None:
            self._returning.passed(response, transaction, sent_on)
            restore(response, transaction.request, route, from_phone)

        def ended(response: Response) -> None:
            self._ended(transaction, response, caller, callee)
            if done is not None:
                done(response)

        trail = self._trails.taken(transaction, caller, callee)
        fork = Fork(self._reactor, self._layer, self._deadlines, transaction, restored, ended, trail)
        self._enter(transaction, fork)
        return fork

    def _enter(self, transaction: ServerTransaction, fork: Fork) -> None:
        self._forks[transaction] = fork
        request, peer = transaction.request, peer_of(transaction.origin)
        if not request.to.tag:
            self._paths.add(_path(request, peer))
        if peer is not None and _is_strange(request, peer):
            self._strange[transaction] = peer
            self._strangers[peer] += 1

    def _leave(self, transaction: ServerTransaction) -> Fork:
        request, peer = transaction.request, peer_of(transaction.origin)
        if not request.to.tag:
            self._paths.discard(_path(request, peer))
        stranger = self._strange.pop(transaction, None)
        if stranger is not None:
            self._strangers[stranger] -= 1
            if not self._strangers[stranger]:
                del self._strangers[stranger]
        return self._forks.pop(transaction)

    def _ended(self, transaction: ServerTransaction, response: Response, caller: str, callee: str) -> None:
        fork = self._leave(transaction)
        if fork.forwarding is not None and not (fork.for_all and response.status < 300):
            fork.forwarding.cancel()
        if not caller or transaction.request.method != "INVITE":
            return
        self._trails.done(fork, response, caller, callee, fork.forwarding)


def _path(request: Request, peer: IPeer | None) -> Hashable:
    called = None if peer is None else peer.identity.aor
    return called, request.call_id, request.from_.tag, request.cseq, request.uri


def _is_strange(request: Request, peer: IPeer) -> bool:
    """Tell whether a request is a stranger's call."""
    return request.method == "INVITE" and peer.verdict.acquaintance is Acquaintance.STRANGER


def _expired(waiting: Waiting, now: float) -> None:
    fork, client = waiting
    fork.expired(client)
