"""All links of the node, and who may come in.

Two links are between the same devices if they have the same device of ours at this end, too: those of different devices of ours have
nothing in common, so that the other side cannot tell that both are on this node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pship.bearer.admission import Admission, source_of
from p2pship.descriptors import most
from p2pship.errors import LinkLost, RemoteError
from p2pship.identity.hit import hit_of
from p2pship.interfaces import ILink, Seek
from p2pship.journal import Journal, PeerReached
from p2pship.overlay.conduit import HELLO_SECONDS, Conduit
from p2pship.overlay.ends import Ends, ends_of
from p2pship.overlay.greeting import Arrival
from p2pship.overlay.pace import Pace
from p2pship.overlay.peer import Peer
from p2pship.overlay.vetting import Vetted, Vetting
from p2pship.overlay.wire import Ending

MAX_UNGREETED = 128
"Links on which no hello has passed: what bounds what strangers make us keep, some 4 KiB and a timer each, over UDP 40 KiB."

MAX_UNGREETED_FROM_ONE_SOURCE = 16
"Of these, links from one address or IPv6 /64: a household behind one address, not one node."

MAX_LINKS = 4096
"""Links in all, and at most a quarter of the descriptors that we may have: far more than people who talk to each other. When
there are as many, one on which nothing is under way goes for each that comes."""

MAX_LINKS_FROM_ONE_SOURCE = 256
"Of these, links that came from one address or IPv6 /64, and at most half of all: who has one address cannot take them all."


class Conduits:
    """Keeps the links; two between the same devices become one."""

    def __init__(
        self,
        reactor: IReactorTime,
        journal: Journal,
        vetting: Vetting,
        claim: Callable[[Vetted], Peer],
        attached: Callable[[Peer], None],
        astray: Callable[[Peer, Seek], None],
    ) -> None:
        """Let ``claim`` return the peer of a hello that came; tell ``attached`` which peer has got a link.

        ``astray`` is told that the link of a peer has lost the other side, and what to call with where that is found.
        """
        self._reactor = reactor
        self._journal = journal
        self._vetting = vetting
        self._claim = claim
        self._attached = attached
        self._astray = astray
        self._closed = False
        self._unready: dict[Conduit, list[Deferred[None]]] = {}
        self._all: dict[Ends, list[Conduit]] = {}
        self._most = min(MAX_LINKS, most() // 4)
        self._most_from_one_source = min(MAX_LINKS_FROM_ONE_SOURCE, self._most // 2)
        self._came_from: dict[Conduit, str] = {}  # where a link comes from now is not where it is counted
        self._sources: Counter[str] = Counter()
        self._pace = Pace()
        self._door: Admission[Conduit] = Admission(MAX_UNGREETED_FROM_ONE_SOURCE, MAX_UNGREETED)

    def __iter__(self) -> Iterator[Conduit]:
        return iter([conduit for conduits in self._all.values() for conduit in conduits])

    def dialled(self, link: ILink) -> Conduit:
        """Take a link that we dialled; one that is kept already stays what it is.

        Where a bearer has one link between two devices, it is kept when both dialled at the same time, or it was dead for us only.
        """
        known = self._known(link)
        if known is not None:
            return known
        conduit = self._keep(link)
        link.start(conduit)
        return conduit

    def _known(self, link: ILink) -> Conduit | None:
        return next((one for one in self._all.get(ends_of(link), ()) if one.link is link), None)

    def unwanted(self, link: ILink) -> None:
        """Close a link that we dialled and do not need, unless it is kept already."""
        if self._known(link) is None:
            link.close("it is not wanted any longer")

    def ready(self, conduit: Conduit) -> Deferred[None]:
        """Fire when a hello may be sent over a link: at once, but for one that the other side dialled, whose hello comes first.

        Fails with :class:`~p2pship.errors.LinkLost` if the link goes before.
        """
        if conduit.link.dialled or conduit.settled:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._unready.setdefault(conduit, []).append(waiting)
        return waiting

    def link_made(self, link: ILink) -> None:
        """Take a link that another device dialled, if there is room."""
        if self._closed or not self._has_room(link):
            self._journal.count("overlay.link_turned_away")
            link.close("the node takes no more links")
            return
        conduit = self._keep(link)
        self._came_from[conduit] = _source(link)
        self._sources[_source(link)] += 1
        surplus = self._door.enter(conduit, link.remote.host) if link.remote is not None else None
        if surplus is not None:
            self._journal.count("overlay.link_turned_away")
            surplus.give_up("too many links wait for a hello")
        link.start(conduit)

    def _has_room(self, link: ILink) -> bool:
        """Tell whether another link may come, if need be in place of the one that has been idle for longest."""
        source = _source(link)
        if source and self._sources[source] >= self._most_from_one_source:
            return self._make_room([one for one, origin in self._came_from.items() if origin == source])
        return sum(map(len, self._all.values())) < self._most or self._make_room(self)

    def _make_room(self, conduits: Iterable[Conduit]) -> bool:
        idle = min((one for one in conduits if one.idle), key=lambda one: one.active, default=None)
        if idle is None:
            return False
        idle.bid_farewell("there are too many links", Ending.PAUSED)
        return True

    def _keep(self, link: ILink) -> Conduit:
        conduit = Conduit(self._reactor, self._journal, link, self)
        self._all.setdefault(ends_of(link), []).append(conduit)
        return conduit

    def best(self, ends: Ends) -> Conduit | None:
        """Return the link between two devices on which another hello can be sent: the one that stays if there are two.

        It is none in the clear if the other one was once reached encrypted.
        """
        usable = [conduit for conduit in self._all.get(ends, ()) if conduit.usable]
        best = min(usable, key=self._rank, default=None)
        if best is None or best.link.encrypted or not self._vetting.must_be_encrypted(hit_of(ends.other)):
            return best
        return None

    def _rank(self, conduit: Conduit) -> tuple[bool, bool, float]:
        """Order links between two devices: encrypted ones first, then those that the smaller HIT dialled.

        Of several of these the youngest is the best: whoever dialled again found the others dead.
        """
        link = conduit.link
        dialled_by_smaller = link.dialled == (hit_of(link.own) < hit_of(link.proof))
        return not link.encrypted, not dialled_by_smaller, -conduit.since

    def close_unused(self, between: Container[Ends]) -> None:
        """Close the links between these devices that carry nobody: their peers have ended for good."""
        for conduit in self:
            if ends_of(conduit.link) in between and not conduit.berths:
                conduit.bid_farewell("nobody uses the link", Ending.PAUSED)

    # House

    def arrival(self, conduit: Conduit, number: int) -> Arrival:
        wait = 0.0
        if conduit.greeted:  # else it is the first, and the link has cost its sender more
            wait = self._pace.wait(self._came_from.get(conduit, conduit), self._reactor.seconds())
        return Arrival(conduit, number, self._vetting, self._claim, self._reactor, wait)

    def attached(self, conduit: Conduit, peer: Peer) -> None:
        self._door.leave(conduit)
        self._journal.tell(PeerReached(peer.identity.aor, peer.aor, peer.path, peer.encrypted))
        self._attached(peer)

    def settled(self, conduit: Conduit) -> None:
        ends = ends_of(conduit.link)
        if ends.own != ends.other and len(self._all[ends]) > 1:
            self._reactor.callLater(0, self._gather, ends)
        for waiting in self._unready.pop(conduit, ()):
            waiting.callback(None)  # last, as who waited may end the link

    def lost(self, conduit: Conduit) -> None:
        self._door.leave(conduit)
        self._pace.forget(conduit)
        if conduit in self._came_from:
            self._one_fewer(self._came_from.pop(conduit))
        ends = ends_of(conduit.link)
        others = self._all[ends]
        others.remove(conduit)
        if not others:
            del self._all[ends]
        for waiting in self._unready.pop(conduit, ()):
            waiting.errback(LinkLost("the link was lost before a hello had passed"))

    def astray(self, conduit: Conduit, seek: Seek) -> None:
        peer = next((berth.peer for berth in conduit.berths if berth.peer.expects), None)
        if peer is not None:
            self._astray(peer, seek)

    def _one_fewer(self, source: str) -> None:
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]
            self._pace.forget(source)

    def _gather(self, ends: Ends) -> None:
        """Move the peers between two devices to one link: of those on a link that we dialled and that is not the best."""
        best = self.best(ends)
        for conduit in tuple(self._all.get(ends, ())):
            if best is None or conduit is best or not conduit.usable or not conduit.link.dialled:
                continue
            for berth in tuple(conduit.berths):
                self._move(berth.peer, best)

    def _move(self, peer: Peer, best: Conduit) -> None:
        if peer.greeting is not None or not best.usable or peer.papers is None:
            return
        moved = maybeDeferred(best.greet, peer, self._vetting, peer.papers.statement.key)
        moved.addTimeout(HELLO_SECONDS, self._reactor)
        moved.addErrback(_stay)

    def close(self, reason: str) -> None:
        """End every link, and everything under way on it; take no more."""
        self._closed = True
        for conduit in self:
            conduit.bid_farewell(reason, Ending.ENDED)


def _source(link: ILink) -> str:
    """Return what counts as the place that a link comes from; empty for one that has no address."""
    return source_of(link.remote.host) if link.remote is not None else ""


def _stay(failure: Failure) -> None:
    """Leave a peer where it is: it has a link."""
    failure.trap(RemoteError, TimedOut, CancelledError)
