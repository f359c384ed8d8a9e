"""A peer: another person's device, as one of our own identities sees it, from the first hello to the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.errors import PayloadRefused, PeerLost, PeerRestarted, RemoteError
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.succession import is_followed, same_person
from p2pship.identity.verdict import Acquaintance, Verdict
from p2pship.interfaces import IIdentity, IPeer, IStream, ISubprotocol
from p2pship.journal import Journal
from p2pship.overlay.confirmations import Confirmations
from p2pship.overlay.ends import Ends
from p2pship.overlay.flows import Flows, Receiver
from p2pship.overlay.hello import HelloBody
from p2pship.overlay.machine import BadSession, Numbered, Priority, Session
from p2pship.overlay.payloads import Payloads
from p2pship.overlay.peerkey import PeerKey
from p2pship.overlay.streams import Streams
from p2pship.overlay.wire import (
    MEDIA_HEADER,
    Ack,
    BadFrame,
    Ending,
    Frame,
    Nack,
    Payload,
    Received,
    StreamClose,
    StreamData,
    StreamOpen,
    StreamReset,
    StreamWindow,
)

if TYPE_CHECKING:
    from p2pship.overlay.berth import Berth
    from p2pship.overlay.greeting import Arrival, Greeting

SIP = "sip"
"The subprotocol that goes before the others: somebody waits for a telephone to ring."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every peer of a node uses."""

    reactor: IReactorTime
    journal: Journal
    subprotocols: Mapping[str, ISubprotocol]
    "those offered here, in the order of their numbers"
    wanted: Callable[[Peer], None]
    "begins to reach a peer that has no link and wants one; harmless when that is under way"
    ended: Callable[[Peer, str], None]
    "hears that a peer is over, and why"


@implementer(IPeer)
class Peer:
    """Outlives its links, of which it has one when ``berth`` is set: what is under way waits. ``over`` says why it ended."""

    log = Logger()

    def __init__(
        self,
        key: PeerKey,
        identity: IIdentity,
        device_key: bytes,
        verdict: Verdict,
        session: int,
        around: Surroundings,
    ) -> None:
        self.key = key
        self.aor, self.hit = key.aor, key.hit
        self.identity = identity
        self.device_key = device_key
        self.own_hit = identity.device.hit
        self.verdict = verdict
        self.lost_since: float | None = None
        self.papers: Papers | None = None
        "those of the last hello; None before the first"
        self.newer: Statement | None = None
        "the person's newest statement, where it came since the last hello"
        self.sought: bytes | None = None
        "the identity key under which a search led to it; None while it has only ever come to us"
        self.admitted = True
        "whether it would be let in if it came to us: not all are whom we call"
        self.dialled: Locator | None = None
        "where the device was dialled last"
        self.berth: Berth | None = None
        self.dialling = False
        "whether somebody waits for it to be reached"
        self.greeting: Greeting | None = None
        "our hello that is not answered yet"
        self.held: Arrival | None = None
        "the other side's hello, which waits for what becomes of ours"
        self.over = ""
        self.since = around.reactor.seconds()
        "since when it has its link, or was without one (Unix time)"
        self._around = around
        self._flows = Flows()
        self._names: tuple[str, ...] = ()
        self._watchers = 0
        self._begin(Session(session))

    def _begin(self, session: Session) -> None:
        self._session = session
        self._payloads = Payloads(self, session, self.stir)
        self._streams = Streams(self, session, self.stir)
        self._confirmations = Confirmations(self._around.reactor, self, session)

    # what it is

    @property
    def ends(self) -> Ends:
        """The devices of its links."""
        return Ends(self.identity.device.key, self.device_key)

    @property
    def encrypted(self) -> bool:
        return self.berth is not None and self.berth.link.encrypted

    @property
    def path(self) -> str:
        return self.berth.link.path if self.berth is not None else ""

    @property
    def leads(self) -> bool:
        """Whether our hello counts, not theirs, when both are sent at once: that of the smaller HIT does."""
        return (self.own_hit, self.identity.aor) < (self.hit, self.aor)

    @property
    def watched(self) -> bool:
        """Whether a call is up."""
        return self._watchers > 0

    @property
    def expects(self) -> bool:
        """Whether something has to come over its link soon: a call is up, or what was sent is not confirmed."""
        return self.watched or self._session.waiting

    @property
    def vouched(self) -> bool:
        """Whether it may be called without a search: its name is proven, or a search led to it with the key it has.

        Anybody can come with a hello and any name; that alone must not turn calls to that name to them.
        """
        papers, sought = self.papers, self.sought
        return self.verdict.proven or bool(papers and sought and is_followed(sought, papers.statement))

    @property
    def uninvited(self) -> bool:
        """Whether it is a stranger who has only ever come to us."""
        return self.sought is None and self.verdict.acquaintance is Acquaintance.STRANGER

    @property
    def wants_link(self) -> bool:
        """Whether a link has to be dialled when there is none."""
        return self.watched or self._payloads.unanswered > 0 or self._streams.alive

    @property
    def busy(self) -> bool:
        """Whether its link has to stay."""
        return self.wants_link or self._payloads.pending > 0 or self._session.queued > 0

    @property
    def session(self) -> Session:
        """The session, for a hello to speak of."""
        return self._session

    @property
    def receivers(self) -> dict[int, Receiver]:
        """Who gets the packets of each of its flow numbers."""
        return self._flows.receivers

    # IPeer

    def send(self, subprotocol: str, payload: bytes) -> Deferred[bytes]:
        priority = Priority.SIP if subprotocol == SIP else Priority.PAYLOAD
        try:
            answer = self._payloads.send(self._number_of(subprotocol), priority, payload)
        except RemoteError as error:
            return fail(error)
        self.stir()
        return answer

    def hand_over(self, subprotocol: str, thing: object, octets: int) -> bool:
        if self.berth is None or self._payloads.unanswered:
            return False
        return self.berth.hand_over(subprotocol, thing, octets)

    def taken_over(self, subprotocol: str, thing: object, octets: int) -> bool:
        """Take what the other side, which is this very node, has handed over; False if nobody here takes it."""
        taker = self._around.subprotocols.get(subprotocol)
        if taker is not None:
            taker.handed_over(self, thing, octets)
        return taker is not None

    def open_stream(self, subprotocol: str, header: bytes, protocol: IProtocol) -> Deferred[IStream]:
        try:
            return self._streams.open(self._number_of(subprotocol), header, protocol)
        except RemoteError as error:
            return fail(error)

    def _number_of(self, subprotocol: str) -> int:
        if self.over:
            raise PeerLost(self.over)
        if subprotocol not in self._names:
            raise PayloadRefused(f"the other node does not take part in {subprotocol}")
        return self._names.index(subprotocol)

    def open_flow(self, receiver: Receiver) -> int:
        return self._flows.open(receiver)

    def close_flow(self, flow: int) -> None:
        self._flows.close(flow)

    def cast(self, flow: int, packet: bytes) -> None:
        berth = self.berth
        if berth is not None:
            berth.cast(MEDIA_HEADER.pack(berth.number, flow) + packet)

    def watch(self, closely: bool) -> None:
        watched = self.watched
        self._watchers = max(0, self._watchers + (1 if closely else -1))
        if watched == self.watched:
            return
        if self.berth is not None:
            self.berth.watch_changed()
        else:
            self.stir()

    def close(self, reason: str) -> None:
        self.end(reason)

    # from hellos

    def meet(self, hello: HelloBody, papers: Papers, verdict: Verdict) -> None:
        """Take the other side's hello: go on with the session, or begin a new one.

        :raises RemoteError: if its numbers cannot be.
        """
        if hello.session == self._session.own:
            raise BadSession("it uses our own session number")
        if self._is_restart(hello, papers):
            self._restart(papers)
        self._session.resume(hello.known, hello.received)
        self._session.theirs = hello.session
        self._names = hello.subprotocols
        self.papers, self.verdict = papers, verdict

    def _is_restart(self, hello: HelloBody, papers: Papers) -> bool:
        new = hello.session != self._session.theirs
        return self.papers is not None and (new or not same_person(papers.statement, self.papers.statement))

    def _restart(self, papers: Papers) -> None:
        berth, self.berth = self.berth, None
        if berth is not None:
            berth.leave(Ending.PAUSED, "another link is used")
        self._confirmations.stop()
        assert self.papers is not None
        error = PeerRestarted if same_person(papers.statement, self.papers.statement) else PeerLost
        self._fail_all(error("the other node was restarted"), Session(self._session.own))

    def attach(self, berth: Berth) -> None:
        """Use this berth from now on."""
        old, self.berth = self.berth, berth
        if old is not None:
            old.leave(Ending.PAUSED, "another link is used")
        self.lost_since = None
        self.since = self._around.reactor.seconds()
        self.dialled = berth.link.locator or self.dialled
        berth.watch_changed()
        self.stir()

    # from the berth

    def frame_received(self, number: int, frame: Frame) -> None:
        """Take a frame.

        :raises RemoteError: if it breaks the rules.
        """
        if isinstance(frame, Received):
            self._session.confirmed(frame.number)
            self.stir()
            return
        if not frame.LAYOUT.counted:
            raise BadFrame(f"a {type(frame).__name__} frame has no place here")
        if self._session.arrived(number, frame):
            self._take(frame)
        else:
            self._around.journal.count("overlay.duplicate_frame")
        self._confirmations.arrived()

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Payload):
            self._payloads.received(frame, self._offered(frame.subprotocol))
        elif isinstance(frame, Ack | Nack):
            self._payloads.answered(frame)
        elif isinstance(frame, StreamOpen):
            self._streams.frame_received(frame, self._offered(frame.subprotocol))
        elif isinstance(frame, StreamData | StreamWindow | StreamClose | StreamReset):
            self._streams.frame_received(frame)

    def _offered(self, number: int) -> ISubprotocol | None:
        offered = tuple(self._around.subprotocols.values())
        return offered[number] if number < len(offered) else None

    def pull(self, priority: Priority) -> Numbered | None:
        """Return the next frame of a priority to send now.

        :raises RemoteError: if the other side does not confirm what it gets.
        """
        numbered = self._session.pull(priority)
        if numbered is not None or priority is not Priority.STREAM or not self._session.open:
            return numbered
        frame = self._streams.pull()
        return self._session.number(frame) if frame is not None else None

    def stalled(self, now: float) -> None:
        """Hear that nothing comes over the link."""
        self.lost_since = now

    def revived(self) -> None:
        """Hear that something came over the link again."""
        self.lost_since = None

    def detached(self, berth: Berth, reason: str, ending: Ending | None) -> None:
        """Hear that a berth is gone: with the other side's goodbye, or, where that is None, without."""
        if berth is not self.berth:
            return
        self.berth = None
        self.since = self._around.reactor.seconds()
        self._confirmations.stop()
        if ending is Ending.ENDED:
            self.end(reason)
            return
        if ending is None:
            self._mark_lost()
        self.stir()

    def stir(self) -> None:
        """See to it that what waits is sent: now, or when there is a link again."""
        if self.over:
            return
        if self.berth is not None:
            self.berth.stir()
        elif self.wants_link:
            self._mark_lost()
            self._around.wanted(self)

    def _mark_lost(self) -> None:
        if self.lost_since is None:
            self.lost_since = self._around.reactor.seconds()

    # ends

    def end(self, reason: str) -> None:
        """End for good; harmless when it has ended."""
        if self.over:
            return
        self.over = reason or "it was closed"
        berth, self.berth = self.berth, None
        if berth is not None:
            berth.leave(Ending.ENDED, reason)
        self._mark_lost()
        self._confirmations.stop()
        self._flows.receivers.clear()
        self._around.ended(self, self.over)
        self._fail_all(PeerLost(self.over), Session(self._session.own))

    def _fail_all(self, error: PeerLost, session: Session) -> None:
        payloads, streams = self._payloads, self._streams
        self._begin(session)
        payloads.end(error)
        streams.end(error)
        for subprotocol in tuple(self._around.subprotocols.values()):
            self._tell_lost(subprotocol, str(error))

    def _tell_lost(self, subprotocol: ISubprotocol, reason: str) -> None:
        try:
            subprotocol.peer_lost(self, reason)
        except Exception:  # noqa: BLE001 (one subprotocol's bug must not keep the others from hearing)
            self.log.failure("{name} failed to take the loss of a peer", name=subprotocol.name)
