"""Looks for the other devices of our own identities, so that they meet without anybody calling.

Theory of operation. An identity whose statement lists other devices is looked for at the start, a moment after its statement or
its ledger changed, and every few minutes. A search shows the newest statements before any device is dialled: one that this
device did not know, as it was off when it was signed, is taken at once, and so it is neither refused for its old statement nor
does it go on as if it were listed when it was revoked. Then each device that is found is reached and brought into step.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import LocalError, RemoteError
from p2pship.identity.statement import host_identity_hash, read_statement
from p2pship.interfaces import IFinder, IFindReceiver, IIdentity, IKeyring, IOverlay, IPeer, ISearch
from p2pship.lookup.candidate import FindOutcome, Found
from p2pship.relations.ownstatement import adopt
from p2pship.relations.secrets import SECRET_OCTETS, PairSecrets
from p2pship.relations.statements import is_own
from p2pship.relations.statementwire import News
from p2pship.trust.ledger import Ledger

FIRST_LOOK = 1.0
"Seconds from the start to the first look: by then this device is published, and the others may come to it instead."

SOON = 0.5
"Seconds from a change to a look, so that many changes cause one."

LOOK_EVERY = 240.0
"Seconds between looks: what one device learns the others have after four minutes even if every push was lost."

AFTER_CHANGE = 30.0
"Seconds that a look after a change of the ledger keeps from the one before: most changes are pushed over links that are up."

SPREAD = 0.2
"The part by which times are made longer or shorter at random: devices that were started together do not look together."


class Gathering:
    """All looks of a node."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        ledger: Ledger,
        finder: IFinder,
        overlay: IOverlay,
        meet: Callable[[IPeer], object],
        random: Callable[[int], bytes],
        secrets: PairSecrets,
    ) -> None:
        """``meet`` brings this device and another into step."""
        self._reactor = reactor
        self._keyring = keyring
        self._ledger = ledger
        self._finder = finder
        self._overlay = overlay
        self._meet = meet
        self._random = random
        self._secrets = secrets
        self._timers: dict[str, IDelayedCall] = {}
        self._looks: dict[str, _Look] = {}
        self._looked: dict[str, float] = {}
        self._unwatch: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to look for the devices of every own identity."""
        self._unwatch = [self._keyring.watch(self._changed), self._ledger.watch(self._noted)]
        for identity in self._keyring.identities():
            self._set(identity.aor, self._spread(FIRST_LOOK))

    def stop(self) -> None:
        """End every look."""
        for unwatch in self._unwatch:
            unwatch()
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        for look in tuple(self._looks.values()):
            look.cancel()

    def look(self, aor: str) -> None:
        """Look for the other devices of an own identity now, if it has any; harmless while a look is under way."""
        identity = self._keyring.identity(aor)
        if identity is None:
            return
        self._set(aor, self._spread(LOOK_EVERY))
        self._looked[aor] = self._reactor.seconds()
        others = self._others(identity)
        if aor in self._looks or not others:
            return
        connected = self._connected(aor)
        try:
            told = {host_identity_hash(peer.device_key) for peer in connected if peer.encrypted}
            self._share(identity, others <= told)
        except LocalError as error:
            self.log.error("the devices of {aor} have no secret: {error}", aor=aor, error=error)
        for peer in connected:
            self._meet(peer)
        self._looks[aor] = _Look(self, identity)

    def _others(self, identity: IIdentity) -> set[bytes]:
        ours = host_identity_hash(identity.device.key)
        return {one.host_identity_hash for one in read_statement(identity.statement).devices} - {ours}

    def _connected(self, aor: str) -> list[IPeer]:
        own = (peer for peer in self._overlay.peers() if is_own(peer) and peer.aor == aor)
        return [peer for peer in own if peer.hit != peer.own_hit and peer.path]

    def _share(self, identity: IIdentity, all_here: bool) -> None:
        """See to a secret by which these devices find each other where they publish for nobody else; sync tells it.

        It replaces one that a revoked device knows when all have had the time to hear of it, as they are here.
        """
        aor = identity.aor
        known = self._secrets.of(aor, aor)
        if all_here:
            self._secrets.known_there(aor, aor, [one.version for one in known if not one.stale])
        if all(one.stale for one in known):
            person = sha256(identity.key).digest()
            self._secrets.keep(aor, aor, person, self._random(SECRET_OCTETS), sure=False)

    def _changed(self, aor: str) -> None:
        """Hear that an own identity has changed."""
        if self._keyring.identity(aor) is None:
            self._forget(aor)
        else:
            self._set(aor, SOON)

    def _noted(self, own: str, _kind: str, _name: str) -> None:
        """Hear that the ledger of an own identity has changed."""
        earliest = self._looked.get(own, 0.0) + AFTER_CHANGE - self._reactor.seconds()
        self._set(own, max(SOON, earliest))

    def _forget(self, aor: str) -> None:
        timer, look = self._timers.pop(aor, None), self._looks.get(aor)
        if timer is not None and timer.active():
            timer.cancel()
        if look is not None:
            look.cancel()
        self._looked.pop(aor, None)

    def _set(self, aor: str, seconds: float) -> None:
        """Look after some seconds, or when it is due anyway if that is sooner."""
        timer = self._timers.get(aor)
        if timer is not None and timer.active():
            if timer.getTime() <= self._reactor.seconds() + seconds:
                return
            timer.cancel()
        self._timers[aor] = self._reactor.callLater(seconds, self.look, aor)

    def _spread(self, seconds: float) -> float:
        part = int.from_bytes(self._random(2), "big") / 0xFFFF  # 0 to 1
        return seconds * (1 + SPREAD * (2 * part - 1))

    # For looks.

    def search(self, identity: IIdentity, receiver: IFindReceiver) -> ISearch:
        """Search every lookup for the devices of an own identity."""
        return self._finder.find(identity.aor, identity, receiver)

    def found(self, identity: IIdentity, found: Found) -> Deferred[None] | None:
        """Take the statement of a device that was found, reach the device and bring it into step; None if there is nothing to do."""
        if not self._take(identity.aor, found) or found.papers.hit == identity.device.hit:
            return None
        reached = self._overlay.peer(identity.aor, identity, found.papers.hit)
        met: Deferred[None] = reached.addCallback(self._meet_own)
        return met.addErrback(self._not_met)

    def _take(self, aor: str, found: Found) -> bool:
        """Take a statement that was found; False if the device is not one of ours."""
        try:
            adopt(self._keyring, aor, News(found.papers.statement.raw, found.papers.chain))
        except RemoteError:
            return False  # somebody else's, under our name: the search has judged and told it
        except LocalError as error:
            self.log.error("the statement of {aor} cannot be taken: {error}", aor=aor, error=error)
        identity = self._keyring.identity(aor)
        return identity is not None and identity.key == found.papers.statement.key

    def _meet_own(self, peer: IPeer) -> None:
        if is_own(peer):
            self._meet(peer)

    def _not_met(self, failure: Failure) -> None:
        if failure.check(RemoteError) is None:
            self.log.failure("another own device could not be met", failure)

    def ended(self, look: _Look) -> None:
        """Forget a look that is over."""
        if self._looks.get(look.aor) is look:
            del self._looks[look.aor]


@implementer(IFindReceiver)
class _Look:
    """One look for the devices of one identity."""

    def __init__(self, gathering: Gathering, identity: IIdentity) -> None:
        self.aor = identity.aor
        self._gathering = gathering
        self._identity = identity
        self._hits: set[bytes] = set()
        self._dials: set[Deferred[None]] = set()
        self._search: ISearch | None = gathering.search(identity, self)

    def device_found(self, found: Found) -> None:
        if found.papers.hit in self._hits:
            return
        self._hits.add(found.papers.hit)
        dial = self._gathering.found(self._identity, found)
        if dial is not None:
            self._dials.add(dial)
            dial.addBoth(lambda _: self._dials.discard(dial))

    def find_ended(self, outcome: FindOutcome) -> None:
        self._search = None
        self._gathering.ended(self)

    def cancel(self) -> None:
        """End it now."""
        search, self._search = self._search, None
        if search is not None:
            search.cancel()
        for dial in tuple(self._dials):
            dial.cancel()
        self._gathering.ended(self)
