"""The overlay: reaches people, and serves those who reach us, over whatever links there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.errors import LocalError, NotReached, RemoteError
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.succession import predecessors
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import (
    IBearer,
    IFinder,
    IIdentity,
    IKeyring,
    ILink,
    IOverlay,
    IPeer,
    IPeopleReceiver,
    IReaching,
    ISubprotocol,
    ITrustPolicy,
)
from p2pship.journal import Journal, PeerGone
from p2pship.lookup.candidate import Found
from p2pship.overlay.conduits import Conduits
from p2pship.overlay.dialling import REACH_SECONDS, Dialling, Stages, bearers_for
from p2pship.overlay.hello import MAX_SUBPROTOCOLS, is_name
from p2pship.overlay.local import LocalBearer
from p2pship.overlay.peer import Peer, Surroundings
from p2pship.overlay.peerkey import PeerKey
from p2pship.overlay.peers import Peers
from p2pship.overlay.redial import Redial
from p2pship.overlay.rejudging import Rejudging
from p2pship.overlay.search import DeviceSearch, PeopleSearch
from p2pship.overlay.vetting import Admit, RecordFor, Vetted, Vetting
from p2pship.overlay.whereabouts import Whereabouts

TIDY_SECONDS = 60.0
"Seconds between looks for peers that can be forgotten, or whose verdict has had its time."

_OWN = Verdict(NameGrade.KNOWN, Acquaintance.OWN, ("it is this node",))


def admit_everybody(papers: Papers, called: str, verdict: Verdict) -> bool:
    """Let everybody in who can show papers: whose calls are taken is decided call by call."""
    return True


def _ignore(aor: str, device_key: bytes) -> None:
    """Tell nobody of a device that was not reached."""


def _nothing() -> None:
    """Do nothing."""


@implementer(IOverlay)
class Switchboard:
    """Puts the parts of the overlay together."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        trust: ITrustPolicy,
        finder: IFinder,
        bearers: Sequence[IBearer],
        journal: Journal,
        random: Callable[[int], bytes],
        record_for: RecordFor,
        admit: Admit = admit_everybody,
        dialled_in_vain: Callable[[str, bytes], None] = _ignore,
    ) -> None:
        """Dial with ``bearers``, most preferred first.

        ``record_for(identity, locators, now)`` signs a record of this device for an own identity.
        ``admit(papers, called_aor, verdict)`` says, at once or by a Deferred, whether a person's hello is accepted.
        ``dialled_in_vain(aor, device_key)`` is told of a device that was found and not reached.
        """
        self._reactor = reactor
        self._keyring = keyring
        self._finder = finder
        self._bearers = tuple(bearers)
        self._journal = journal
        self._dialled_in_vain = dialled_in_vain
        self._subprotocols: dict[str, ISubprotocol] = {}
        self._local = LocalBearer(reactor, keyring.devices)
        self._redial = Redial(reactor, self._reach_again)
        self._around = Surroundings(reactor, journal, self._subprotocols, self._redial.begin, self._ended)
        self._peers = Peers(random)
        self._rejudging = Rejudging(trust, admit, self._peers)
        self._unwatch: Callable[[], None] = _nothing
        vetting = Vetting(reactor, keyring, trust, record_for, admit, self.locators, self._subprotocols)
        self._whereabouts = Whereabouts(finder, dialled_in_vain)
        self._conduits = Conduits(
            reactor, journal, vetting, self._claim, self._attached, self._whereabouts.seek
        )
        self._dialling = Dialling(reactor, bearers, self._local, keyring, self._conduits, vetting)
        self._tidying = LoopingCall(self._tidy)
        self._tidying.clock = reactor

    def start(self) -> None:
        """Begin; whoever listens on a bearer hands its links to :meth:`link_made`."""
        self._local.listen(self.link_made, _nothing)
        self._unwatch = self._keyring.watch(self._own_changed)
        self._tidying.start(TIDY_SECONDS, now=False)

    def link_made(self, link: ILink) -> None:
        """Take a link that another device dialled, as a bearer's ``listen`` gives it."""
        self._conduits.link_made(link)

    def stop(self) -> Deferred[None]:
        """Say goodbye to everybody; what was said leaves while the bearers stop."""
        self._unwatch()
        self._whereabouts.close()
        if self._tidying.running:
            self._tidying.stop()
        self._dialling.close()
        self._conduits.close("the other node is stopping")  # as who hears it will say
        for peer in self._peers:
            peer.end("the node is stopping")
        self._local.stop()
        return deferLater(self._reactor, 0, _nothing)

    # IOverlay

    def people(self, aor: str, identity: IIdentity, receiver: IPeopleReceiver) -> IReaching:
        return PeopleSearch(self._reactor, self._keyring, self._finder, self, aor, identity, receiver)

    def peer(self, aor: str, identity: IIdentity, hit: bytes) -> Deferred[IPeer]:
        reached: Deferred[IPeer] = Deferred.fromCoroutine(self._peer(aor, identity, hit))
        reached.addTimeout(REACH_SECONDS, self._reactor).addErrback(_in_time)
        return reached.addErrback(_not_reached)

    async def _peer(self, aor: str, identity: IIdentity, hit: bytes) -> IPeer:
        peer = self._peers.get(PeerKey(identity.aor, aor, hit))
        if peer is not None and peer.papers is not None:
            await self._find_and_reach(peer)
            return peer
        called = self._keyring.identity(aor)
        if called is not None and called.device.hit == hit:
            peer = self.own_peer(called, identity)
            await self.reach(peer, None)
            return peer
        found = await DeviceSearch(self._finder, aor, identity, hit).found
        if found is None:
            raise NotReached("the device was not found")
        peer = self.peer_of(found, identity)
        await self.reach(peer, found)
        return peer

    def offer(self, subprotocol: ISubprotocol) -> None:
        """Take part with a subprotocol.

        :raises LocalError: if its name cannot be used, or there are too many.
        """
        name = subprotocol.name
        if not is_name(name):
            raise LocalError(f"{name!r} cannot be a subprotocol's name")
        if name in self._subprotocols or len(self._subprotocols) >= MAX_SUBPROTOCOLS:
            raise LocalError(f"the subprotocol {name} is offered already, or there are too many")
        self._subprotocols[name] = subprotocol

    # for pages and commands

    def peers(self) -> tuple[Peer, ...]:
        """Return the peers with which a hello has passed; the path of one without a link is empty."""
        return tuple(peer for peer in self._peers if peer.papers is not None)

    # for records and hellos

    def locators(self, identity: IIdentity) -> list[Locator]:
        """Return where the device of one of our identities can be dialled now, most preferred first."""
        bearers = bearers_for(self._bearers, identity.device, self._keyring)
        return [locator for bearer in bearers for locator in bearer.locators()]

    # for searches

    def connected(self, aor: str, identity: IIdentity) -> Sequence[Peer]:
        """Return the peers of a person that can be reached now."""
        return self._peers.connected(identity.aor, aor)

    def peer_of(self, found: Found, identity: IIdentity) -> Peer:
        """Return the peer that a device is to our identity.

        :raises NotReached: if there are too many.
        """
        key = PeerKey(identity.aor, found.papers.aor, found.papers.hit)
        device_key = found.papers.record.device_key
        peer = self._peers.claim(key, identity, device_key, found.verdict, self._around)
        peer.sought = found.papers.statement.key
        return peer

    def own_peer(self, called: IIdentity, identity: IIdentity) -> Peer:
        """Return the peer that one of our identities is to another, or to itself.

        :raises NotReached: if there are too many.
        """
        key = PeerKey(identity.aor, called.aor, called.device.hit)
        return self._peers.claim(key, identity, called.device.key, _OWN, self._around)

    def reach(self, peer: Peer, found: Found | None) -> Deferred[Stages]:
        """Get a peer a link; fires when it has one, fails with a RemoteError."""
        if found is not None:
            return self._dial(peer, found.locators, found.papers.statement.key)
        return self._dial(peer, (), self._known_key(peer))

    def _known_key(self, peer: Peer) -> bytes | None:
        if peer.papers is not None:
            return peer.papers.statement.key
        own = self._keyring.identity(peer.aor)
        return own.key if own is not None else None

    def _dial(self, peer: Peer, locators: Sequence[Locator], person: bytes | None) -> Deferred[Stages]:
        dialled = self._dialling.reach(peer, locators, person)
        return dialled.addErrback(self._not_dialled, peer)

    def _not_dialled(self, failure: Failure, peer: Peer) -> Failure:
        self._peers.drop_unmet(peer)
        if failure.check(NotReached):
            self._dialled_in_vain(peer.aor, peer.device_key)
        return failure

    # for peers that lost their link

    def _reach_again(self, peer: Peer) -> Deferred[None]:
        reached: Deferred[None] = Deferred.fromCoroutine(self._find_and_reach(peer))
        return reached.addTimeout(REACH_SECONDS, self._reactor).addErrback(_in_time)

    async def _find_and_reach(self, peer: Peer) -> None:
        """Reach a peer by a link that is up to its device, or where it is found now, or else where it was last."""
        connected = peer.berth is not None and peer.lost_since is None
        if connected or self._keyring.device_of(peer.hit) or self._conduits.best(peer.ends):
            await self.reach(peer, None)
            return
        found = await DeviceSearch(self._finder, peer.aor, peer.identity, peer.hit).found
        if found is not None and found.locators:
            await self.reach(peer, found)
            return
        last = (peer.dialled,) if peer.dialled is not None else ()
        await self._dial(peer, last, self._known_key(peer))

    # for what is pushed over links

    def statement_received(self, own: str, statement: Statement) -> None:
        """End the peers on devices that a person's newer statement, which has been checked, does not list or revokes.

        ``own`` is the AOR of the identity of ours that it was heard of as: what those do that have another device here must not
        show that they are on the same node. Where it is by a key to which that of the peers gave way, those that it lists are
        judged again, with that key.
        """
        identity = self._keyring.identity(own)
        if identity is None:
            return
        former, hit = predecessors(statement), identity.device.hit
        self._peers.heard(statement, hit)
        self._conduits.close_unused(self._peers.end_unlisted(statement, former, hit))
        self._rejudging.succeeded(statement, former, hit)

    def judge_again(self, own: str, aor: str) -> None:
        """Judge again what the devices of a person are to an own identity, "" being everybody: a pin or a block has changed.

        Those that would not be let in any more end, as do those whose key is not the confirmed one.
        """
        self._rejudging.judge_again(own, aor)

    def _tidy(self) -> None:
        now = self._reactor.seconds()
        self._peers.tidy(now)
        self._rejudging.expired(now)

    def _own_changed(self, aor: str) -> None:
        self._peers.identity_changed(aor, self._keyring.identity(aor))

    # for hellos and peers

    def _claim(self, vetted: Vetted) -> Peer:
        key = self._peers.called(vetted)
        device_key = vetted.papers.record.device_key
        return self._peers.claim(key, vetted.identity, device_key, vetted.verdict, self._around)

    def _attached(self, peer: Peer) -> None:
        self._dialling.attached(peer)
        if peer.papers is not None:
            self.statement_received(peer.identity.aor, peer.papers.statement)

    def _ended(self, peer: Peer, reason: str) -> None:
        self._peers.forget(peer)
        self._redial.ended(peer)
        if peer.papers is not None:
            self._journal.tell(PeerGone(peer.identity.aor, peer.aor, reason))


def _in_time(failure: Failure) -> Failure:
    if failure.check(TimedOut):
        return Failure(NotReached(f"the device was not reached within {REACH_SECONDS:.0f} s"))
    return failure


def _not_reached(failure: Failure) -> Failure:
    if failure.check(RemoteError) and not failure.check(NotReached):
        return Failure(NotReached(failure.getErrorMessage()))
    return failure
