"""Nodes of the overlay's tests: a switchboard, a real keyring, a memory bearer, and a finder that knows them all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IProtocol, IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import (
    IBearer,
    IFinder,
    IFinding,
    IFindReceiver,
    IIdentity,
    IKeyring,
    ILink,
    ILinkReceiver,
    IPeer,
    IPeopleReceiver,
    IStream,
    ISubprotocol,
    ITrustPolicy,
)
from p2pship.journal import Fact, Journal
from p2pship.lookup.candidate import Answer, Asked, FindOutcome, Found
from p2pship.overlay.conduit import Conduit
from p2pship.overlay.peer import Peer
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.overlay.switchboard import Switchboard
from p2pship.storage.database import Database
from p2pship.testing.bearer import MemoryBearer, MemoryLink, MemoryNetwork

NOW = 1_800_000_000.0
ALICE, BOB = "alice@example.com", "bob@example.com"
STRANGER = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
OWN = Verdict(NameGrade.KNOWN, Acquaintance.OWN)


@implementer(ITrustPolicy)
class PlainTrust:
    """Knows our own devices by their identity key; everybody else is a stranger with an unproven name."""

    def __init__(self, keyring: IKeyring) -> None:
        self._keyring = keyring

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge by the key."""
        same_name = self._keyring.identity(papers.aor)
        ours = same_name is not None and same_name.key == papers.statement.key
        return succeed(OWN if ours else replace(STRANGER, reasons=("nobody vouches for the name",)))

    def wants_chain(self, authority: bytes) -> bool:
        """Want none."""
        return False


class StartedClock(Clock):
    """A clock that shows the time of the tests' papers."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = NOW

    def pass_time(self, seconds: float) -> None:
        """Let time pass, each thing happening at its own time."""
        end = self.rightNow + seconds
        for _ in range(1_000_000):
            due = min((call.getTime() for call in self.getDelayedCalls()), default=end)
            if due > end:
                break
            self.advance(max(0.0, due - self.rightNow))
            if due == end and not any(call.getTime() <= end for call in self.getDelayedCalls()):
                break
        else:
            raise AssertionError("the nodes never come to rest")
        self.rightNow = max(self.rightNow, end)

    def settle(self) -> None:
        """Let everything happen that is due now."""
        self.pass_time(0)


@implementer(IReactorTime)
class MortalClock:
    """One node's view of the clock: when the node is dead, nothing of it happens any more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.alive = True

    def seconds(self) -> float:
        """Return the time."""
        return float(self._clock.seconds())

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> IDelayedCall:
        """Call later, if the node is still alive then."""
        later: IDelayedCall = self._clock.callLater(delay, self._call, callable, args, kwargs)
        return later

    def _call(self, call: Callable[..., object], args: Any, kwargs: Any) -> None:
        if self.alive:
            call(*args, **kwargs)

    def getDelayedCalls(self) -> list[IDelayedCall]:
        """Return what is to happen, of every node."""
        return list(self._clock.getDelayedCalls())


@implementer(ILinkReceiver)
class DeafReceiver:
    """Takes what a link brings, and does nothing."""

    def frame_received(self, frame: bytes) -> None:
        """Drop it."""

    def datagram_received(self, datagram: bytes) -> None:
        """Drop it."""

    def link_writable(self) -> None:
        """Do nothing."""

    def path_changed(self, path: str) -> None:
        """Do nothing."""

    def link_stalled(self) -> None:
        """Do nothing."""

    def link_astray(self, seek: Any) -> None:
        """Do nothing."""

    def link_lost(self, reason: str) -> None:
        """Do nothing."""


@implementer(ISubprotocol)
class Recorder:
    """A subprotocol that keeps what it gets, and answers as it is told."""

    def __init__(self, name: str = "test") -> None:
        self.name = name
        self.payloads: list[bytes] = []
        self.peers: list[IPeer] = []
        self.things: list[tuple[IPeer, object, int]] = []
        "what was handed over"
        self.lost: list[str] = []
        self.streams: list[IStream] = []
        self.answer: Callable[[bytes], bytes | Deferred[bytes] | None] = lambda payload: b"took " + payload
        self.serve: Callable[[IStream], IProtocol | None] = lambda _: None

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes | Deferred[bytes] | None:
        """Keep it and answer."""
        self.payloads.append(payload)
        self.peers.append(peer)
        return self.answer(payload)

    def handed_over(self, peer: IPeer, thing: object, octets: int) -> None:
        """Keep it."""
        self.things.append((peer, thing, octets))

    def stream_opened(self, peer: IPeer, stream: IStream) -> IProtocol | None:
        """Keep it and serve it."""
        self.streams.append(stream)
        self.peers.append(peer)
        return self.serve(stream)

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """Keep why."""
        self.lost.append(reason)


@implementer(IPeopleReceiver)
class Reached:
    """Keeps what a search for people tells."""

    def __init__(self) -> None:
        self.peers: list[Any] = []
        self.stages: list[Tried] = []
        self.outcomes: list[ReachOutcome] = []

    def peer_reached(self, peer: IPeer, tried: Tried) -> None:
        """Keep it."""
        self.peers.append(peer)
        self.stages.append(tried)

    def reach_ended(self, outcome: ReachOutcome) -> None:
        """Keep it."""
        self.outcomes.append(outcome)


@implementer(IFinding)
class DirectorySearch:
    """A search that can be cancelled."""

    def __init__(self) -> None:
        self.cancelled = False

    def so_far(self) -> FindOutcome:
        """Say that it goes on."""
        return FindOutcome((Asked("memory", Answer.UNDER_WAY, 0.0),), 0)

    def cancel(self) -> None:
        """Tell nothing more."""
        self.cancelled = True


@implementer(IFinder)
class Directory:
    """A finder that finds every node that was put into it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.nodes: list[Node] = []
        self.silent = False
        "whether searches find nothing and never end"
        self.lasting = False
        "whether searches never end, though they find what there is"
        self.extra: list[Found] = []
        "what is found beside the nodes"
        self.asked: list[str] = []
        self.forgotten: list[tuple[str, bytes]] = []
        "whose device was said to be dialled in vain"
        self.searches: list[DirectorySearch] = []

    def find(self, aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Tell of the nodes where the person is."""
        self.asked.append(aor)
        search = DirectorySearch()
        self.searches.append(search)
        if not self.silent:
            self._clock.callLater(0.01, self._tell, aor, receiver, search)
        return search

    def forget(self, aor: str, device_key: bytes) -> None:
        """Remember it."""
        self.forgotten.append((aor, device_key))

    def _tell(self, aor: str, receiver: IFindReceiver, search: DirectorySearch) -> None:
        found = [node.found(aor) for node in self.nodes if node.keyring.identity(aor)]
        found += [one for one in self.extra if one.papers.aor == aor]
        for one in found:
            if not search.cancelled:
                receiver.device_found(one)
        if not search.cancelled and not self.lasting:
            receiver.find_ended(FindOutcome((Asked("memory", Answer.COMPLETED, 0.01),), len(found)))


class Node:
    """One node: ``await``-free, everything is driven by the clock."""

    def __init__(
        self,
        case: OverlayCase,
        *aors: str,
        random: Random | None = None,
        bearers: Callable[[Node], Sequence[IBearer]] | None = None,
        state: Path | None = None,
        **options: Any,
    ) -> None:
        self._case = case
        self.clock = MortalClock(case.clock)
        self.network = case.network
        self.state = state or Path(case.mktemp())
        self.journal = Journal()
        self.facts: list[Fact] = []
        self.journal.watch(self.facts.append)
        self._database = Database(":memory:", SCHEMAS)
        self.keyring = Keyring(self.state, self._database, self.journal, self.clock)
        for aor in aors:
            if self.keyring.identity(aor) is None:
                self.keyring.create(aor)
        self.bearer = MemoryBearer(
            self.clock, case.network, self.keyring.device, devices=self.keyring.devices
        )
        self.bearers = bearers(self) if bearers else [self.bearer]
        self.test, self.sip = Recorder(), Recorder("sip")
        self.overlay = Switchboard(
            self.clock,
            self.keyring,
            options.pop("trust", None) or PlainTrust(self.keyring),
            case.directory,
            self.bearers,
            self.journal,
            random.randbytes if random else os.urandom,
            self.keyring.record_for,
            **options,
        )
        self.overlay.offer(self.sip)
        self.overlay.offer(self.test)
        for bearer in self.bearers:
            bearer.listen(self.overlay.link_made, lambda: None)
        self.overlay.start()
        case.directory.nodes.append(self)

    @property
    def own(self) -> IIdentity:
        """Its first identity."""
        identity: IIdentity = self.keyring.identities()[0]
        return identity

    @property
    def hit(self) -> bytes:
        """Its device's HIT."""
        hit: bytes = self.keyring.device.hit
        return hit

    def locators(self) -> list[Locator]:
        """Return where it can be dialled."""
        return [locator for bearer in self.bearers for locator in bearer.locators()]

    def papers(self, aor: str) -> Any:
        """Return its papers for one of its identities."""
        identity = self.keyring.identity(aor)
        assert identity is not None
        record = self.keyring.record_for(identity, self.locators(), self.clock.seconds())
        return papers_from(identity.statement, record, self.clock.seconds())

    def found(self, aor: str) -> Found:
        """Return what a finder tells of it."""
        return Found(self.papers(aor), tuple(self.locators()), STRANGER, "memory")

    def people(self, aor: str, identity: IIdentity | None = None) -> Reached:
        """Begin to reach a person, and return what will be told."""
        reached = Reached()
        self.overlay.people(aor, identity or self.own, reached)
        return reached

    def reach(self, aor: str, identity: IIdentity | None = None) -> Peer:
        """Reach a person, and return the first peer."""
        reached = self.people(aor, identity)
        self._case.clock.pass_time(0.5)
        peer = reached.peers[0]
        assert isinstance(peer, Peer)
        return peer

    def peer(self, aor: str) -> Peer:
        """Return the one peer that a person is."""
        (peer,) = [peer for peer in self.overlay.peers() if peer.aor == aor]
        return peer

    def kill(self) -> None:
        """Vanish: nobody is told, and nothing is done any more."""
        self.clock.alive = False
        self._case.directory.nodes.remove(self)
        self._case.network.leave(self.locators()[0].port)
        for link in self.links():
            link.start(DeafReceiver())
            link.watch(False)

    def links(self) -> list[MemoryLink]:
        """Return its ends of the links that are up."""
        return [link for link in self._case.network.links if link.bearer is self.bearer]

    def greeted(self) -> list[Conduit]:
        """Return the links that are up and on which a hello has passed, with whom they carry."""
        return [one for one in self.overlay._conduits if one.greeted]


class OverlayCase(SynchronousTestCase):
    """A test with a clock, a network and a directory."""

    def setUp(self) -> None:
        self.clock = StartedClock()
        self.network = MemoryNetwork(latency=0.001)
        self.directory = Directory(self.clock)

    def node(self, *aors: str, **options: Any) -> Node:
        """Return a new node with these identities."""
        return Node(self, *aors, **options)

    def two(self, **options: Any) -> tuple[Node, Node]:
        """Return Alice's node and Bob's."""
        return self.node(ALICE, **options), self.node(BOB, **options)

    def links_between(self, one: Node, other: Node) -> list[ILink]:
        """Return the first node's ends of its links with the other."""
        return [link for link in one.links() if link.proof == other.keyring.device.key]

    def watch(self, deferred: Deferred[Any]) -> list[Any]:
        """Return a list that the result, or the failure's exception, will be put into."""
        results: list[Any] = []
        deferred.addCallbacks(results.append, lambda failure: results.append(failure.value))
        return results
