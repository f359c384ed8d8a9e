"""The search for every device of a person: those that are connected, those of this node, those that are found.

Theory of operation. A peer that is connected is told at once if it is *vouched* for: its name is proven, or an earlier
search led to it. One that only ever came to us with a hello, under whatever name it liked, has to wait for what the
search says: it is told when that found nobody, or the same identity key, so that nobody gets another person's calls by
being quick to say hello.

As soon as every device that the newest statement of a proven person lists is reached, nobody else is searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.identity.statement import host_identity_hash
from p2pship.identity.succession import is_followed
from p2pship.identity.verdict import NameGrade
from p2pship.interfaces import (
    IFinder,
    IFinding,
    IFindReceiver,
    IIdentity,
    IKeyring,
    IPeopleReceiver,
    IReaching,
    ISearch,
)
from p2pship.lookup.candidate import Answer, Asked, FindOutcome, Found
from p2pship.overlay.dialling import REACH_SECONDS, Stages
from p2pship.overlay.local import LocalBearer
from p2pship.overlay.peer import Peer
from p2pship.overlay.reach import ReachOutcome, Tried

CONNECTED = "link"
"The word for where a device was found that was connected already."


class Reacher(Protocol):
    """What the search asks of the switchboard."""

    def connected(self, aor: str, identity: IIdentity) -> Sequence[Peer]:
        """Return the peers of a person that can be reached now."""

    def peer_of(self, found: Found, identity: IIdentity) -> Peer:
        """Return the peer that a device is to our identity; raises NotReached if there are too many."""

    def own_peer(self, called: IIdentity, identity: IIdentity) -> Peer:
        """Return the peer that one of our identities is to another, or to itself; raises NotReached if there are too many."""

    def reach(self, peer: Peer, found: Found | None) -> Deferred[Stages]:
        """Get a peer a link."""


_ANOTHER = "it has another identity key than who is connected under the name"


@implementer(IReaching, IFindReceiver)
class PeopleSearch:
    """One call of ``people``."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        finder: IFinder,
        reacher: Reacher,
        aor: str,
        identity: IIdentity,
        receiver: IPeopleReceiver,
    ) -> None:
        self._reactor = reactor
        self._keyring = keyring
        self._finder = finder
        self._reacher = reacher
        self._aor = aor
        self._identity = identity
        self._receiver = receiver
        self._began = reactor.seconds()
        self._asked: IFinding | None = None
        self._outcome: FindOutcome | None = None
        self._finding = False
        self._tried: dict[bytes, Tried] = {}
        self._reached_hits: set[bytes] = set()
        self._proven: list[Peer] = []
        self._keys: set[bytes] = set()
        self._came: list[Peer] = []
        self._newest: dict[bytes, Found] = {}
        self._dials: dict[bytes, tuple[Deferred[None], Tried, Found | None]] = {}
        self._over = False
        self._timer: IDelayedCall = reactor.callLater(0, self._begin)

    def _begin(self) -> None:
        self._timer = self._reactor.callLater(REACH_SECONDS, self._out_of_time)
        connected = self._reacher.connected(self._aor, self._identity)
        vouched = [peer for peer in connected if peer.vouched]
        self._came = [peer for peer in connected if not peer.vouched]
        for peer in vouched:
            self._connected(peer)
        self._reach_here()
        if not self._over and not self._are_all(vouched):
            self._finding = True
            self._asked = self._finder.find(self._aor, self._identity, self)
        self._look_ended()

    def _connected(self, peer: Peer) -> None:
        self._keys.update(_keys_of([peer]))
        self._reached_hits.add(peer.hit)
        self._tell(peer, Tried(peer.hit, True, CONNECTED, self._reactor.seconds() - self._began, 0.0, 0.0))

    def _reach_here(self) -> None:
        """Reach the person on this very node, if it is one of ours."""
        own = self._keyring.identity(self._aor)
        if own is None:
            return
        self._keys.add(own.key)
        if not self._over and own.device.hit not in self._reached_hits:
            self._consider(own.device.hit, LocalBearer.name, None)

    def _are_all(self, connected: Sequence[Peer]) -> bool:
        """Tell whether the person's newest statement lists no device but these."""
        statements = [peer.papers.statement for peer in connected if peer.papers is not None]
        statements += [peer.newer for peer in connected if peer.newer is not None]
        if not statements:
            return False
        newest = max(statements, key=lambda statement: statement.version)
        keys = [peer.device_key for peer in connected]
        listed = {device.host_identity_hash for device in newest.devices}
        return listed <= set(map(host_identity_hash, keys))

    # IFindReceiver

    def device_found(self, found: Found) -> None:
        hit = found.papers.hit
        if self._over or hit in self._reached_hits or self._keyring.device_of(hit) is not None:
            return
        if self._is_another(found):
            self._note(Tried(hit, False, found.lookup, 0.0, 0.0, 0.0, _ANOTHER, found.locators))
            return
        if not found.verdict.outdated:
            self._keys.add(found.papers.statement.key)
        self._newest[hit] = found
        if hit not in self._dials:
            self._consider(hit, found.lookup, found)

    def _is_another(self, found: Found) -> bool:
        """Tell whether a key of which nothing is proven is another than the one that is connected or is being reached.

        Two who are called at once would be a race, and whoever answers first would be taken for the person from then on.
        """
        if found.verdict.proven or found.verdict.outdated:
            return False
        return not all(is_followed(key, found.papers.statement) for key in self._keys)

    def find_ended(self, outcome: FindOutcome) -> None:
        self._finding = False
        self._outcome = outcome
        if not outcome.ambiguous:
            self._take_those_who_came()
        self._look_ended()

    def _take_those_who_came(self) -> None:
        """Tell those who came by themselves, if nobody else is the person and there is only one key among them."""
        came = [peer for peer in self._came if not peer.over and peer.verdict.name is not NameGrade.CHANGED]
        keys = self._keys or _keys_of(came)
        for peer in came:
            if len(keys) == 1 and _keys_of([peer]) <= keys and peer.hit not in self._reached_hits:
                self._connected(peer)

    # dialling

    def _consider(self, hit: bytes, lookup: str, found: Found | None) -> None:
        """Dial a device; one that was not found is this node itself."""
        waited = self._reactor.seconds() - self._began
        locators = found.locators if found is not None else ()
        tried = Tried(hit, False, lookup, waited, 0.0, 0.0, "", locators)
        try:
            peer = self._claim(found)
        except RemoteError as error:
            self._note(replace(tried, reason=str(error)))
            return
        reached: Deferred[None] = self._reacher.reach(peer, found).addCallbacks(
            self._reached, self._failed, callbackArgs=(peer, tried), errbackArgs=(tried,)
        )
        self._dials[hit] = reached, tried, found
        reached.addBoth(self._done, hit)

    def _claim(self, found: Found | None) -> Peer:
        if found is None:
            called = self._keyring.identity(self._aor)
            assert called is not None
            return self._reacher.own_peer(called, self._identity)
        return self._reacher.peer_of(found, self._identity)

    def _reached(self, stages: Stages, peer: Peer, tried: Tried) -> None:
        self._reached_hits.add(tried.hit)
        reached = replace(
            tried, reached=True, dial_seconds=stages.dial, hello_seconds=stages.hello, reason=""
        )
        self._tell(peer, reached)
        if peer.verdict.proven and self._keyring.identity(self._aor) is None:
            self._proven.append(peer)
            self._look_no_further()

    def _look_no_further(self) -> None:
        """End the search of the lookups if there is no device left that it could find."""
        if self._finding and self._asked is not None and self._are_all(self._proven):
            self._outcome = self._asked.so_far()
            self._finding = False
            self._asked.cancel()

    def _failed(self, failure: Failure, tried: Tried) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(RemoteError):
            self.log.failure("a device could not be reached", failure)
        took = self._reactor.seconds() - self._began - tried.lookup_seconds
        self._note(replace(tried, dial_seconds=took, reason=failure.getErrorMessage()))

    def _done(self, _result: None, hit: bytes) -> None:
        """Be done with a device, unless more locators of it became known while those that were failed."""
        _, tried, found = self._dials.pop(hit)
        newest = self._newest.get(hit)
        if not self._over and newest is not found and newest is not None and hit not in self._reached_hits:
            self._consider(hit, tried.lookup, newest)
        self._look_ended()

    def _note(self, tried: Tried) -> None:
        """Keep what became of a device; of several attempts, of the last."""
        self._tried[tried.hit] = tried

    # ends

    def _tell(self, peer: Peer, tried: Tried) -> None:
        if self._over:
            return
        self._note(tried)
        try:
            self._receiver.peer_reached(peer, tried)
        except Exception:  # noqa: BLE001 (the receiver's bug must not keep other devices from being reached)
            self.log.failure("a peer was reached and could not be taken")

    def so_far(self) -> ReachOutcome:
        """Return what would be told now if it ended."""
        outcome = self._outcome
        if self._finding and self._asked is not None:
            outcome = self._asked.so_far()
        now = self._reactor.seconds()
        dialled = [self._still_dialled(tried, now) for _, tried, _ in self._dials.values()]
        known = {tried.hit: tried for tried in (*self._tried.values(), *dialled)}
        return ReachOutcome(outcome, tuple(known.values()), self._keyring.met(self._aor))

    def _still_dialled(self, tried: Tried, now: float) -> Tried:
        seconds = now - self._began - tried.lookup_seconds
        return replace(tried, dial_seconds=seconds, reason="it was still being dialled")

    def _look_ended(self) -> None:
        if not self._over and not self._dials and not self._finding:
            self._end()

    def _out_of_time(self) -> None:
        if self._finding:
            asked = Asked("all", Answer.TIMED_OUT, REACH_SECONDS, "the search took too long")
            self._outcome = FindOutcome((asked,), len(self._newest))
        now = self._reactor.seconds()
        for _, tried, _ in self._dials.values():
            self._note(replace(self._still_dialled(tried, now), reason="it did not answer in time"))
        self._end()

    def _end(self) -> None:
        self.cancel()
        met = self._keyring.met(self._aor)
        self._receiver.reach_ended(ReachOutcome(self._outcome, tuple(self._tried.values()), met))

    def cancel(self) -> None:
        if self._over:
            return
        self._over = True
        if self._timer.active():
            self._timer.cancel()
        if self._finding and self._asked is not None:
            self._asked.cancel()
        for dial, _, _ in tuple(self._dials.values()):
            dial.cancel()


def _keys_of(peers: Sequence[Peer]) -> set[bytes]:
    """Return the identity keys of peers."""
    return {peer.papers.statement.key for peer in peers if peer.papers is not None}


@implementer(IFindReceiver)
class DeviceSearch:
    """Finds one device of a person."""

    def __init__(self, finder: IFinder, aor: str, identity: IIdentity, hit: bytes) -> None:
        self.found: Deferred[Found | None] = Deferred(lambda _: self._cancel())
        "fires when the device was found with a locator, or with what else was found when the search ends"
        self._hit = hit
        self._without: Found | None = None
        self._asked: ISearch | None = finder.find(aor, identity, self)

    def device_found(self, found: Found) -> None:
        if found.papers.hit != self._hit or self.found.called:
            return
        self._without = found
        if found.locators:
            self._cancel()
            self.found.callback(found)

    def find_ended(self, outcome: FindOutcome) -> None:
        self._asked = None
        if not self.found.called:
            self.found.callback(self._without)

    def _cancel(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()
