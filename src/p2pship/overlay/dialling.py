"""From a device that was found to a peer that has a link."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredLock, fail, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pship.address import Locator
from p2pship.bearer.race import race
from p2pship.errors import HelloRefused, NotReached, RemoteError
from p2pship.interfaces import IBearer, IDevice, IKeyring, ILink
from p2pship.overlay.conduit import Conduit
from p2pship.overlay.conduits import Conduits
from p2pship.overlay.ends import Ends
from p2pship.overlay.local import LocalBearer
from p2pship.overlay.peer import Peer
from p2pship.overlay.peerkey import PeerKey
from p2pship.overlay.shared import Shared
from p2pship.overlay.vetting import Vetting

REACH_SECONDS = 5.0
"Seconds for dialling a device and its hello: a caller who hears nothing for longer hangs up."

GREET_SECONDS = 2.0
"Seconds for a hello over a link that was up already: it may be dead, and then there must be time to dial another."

ENCRYPTED_SECONDS = 3.0
"""Seconds for a link over an encrypted way where there is also one in the clear, which must get its turn within the time
for the whole: a firewall that drops what it does not let through is never heard from."""

_Way = tuple[IBearer, list[Locator]]


class Stages(NamedTuple):
    """How long each stage took, in seconds."""

    dial: float = 0.0
    hello: float = 0.0


class Dialling:
    """Dials devices; whoever wants the same peer at the same time waits for the same dial."""

    def __init__(
        self,
        reactor: IReactorTime,
        bearers: Sequence[IBearer],
        local: LocalBearer,
        keyring: IKeyring,
        conduits: Conduits,
        vetting: Vetting,
    ) -> None:
        """Dial with ``bearers``, most preferred first; with ``local`` the devices that are ours by ``keyring``."""
        self._reactor = reactor
        self._bearers = bearers
        self._local = local
        self._keyring = keyring
        self._conduits = conduits
        self._vetting = vetting
        self._under_way: dict[PeerKey, Shared[Stages]] = {}
        self._locks: dict[Ends, DeferredLock] = {}
        self._closed = False

    def reach(self, peer: Peer, locators: Sequence[Locator], person: bytes | None) -> Deferred[Stages]:
        """Get a peer a link; fires when it has one, fails with a RemoteError.

        ``person`` is the identity key that must answer, None if any will do.
        """
        if self._closed:
            return fail(_stopping())
        if _is_reached(peer):
            return succeed(Stages())
        if peer.key not in self._under_way:
            begin = partial(self._begin, peer, locators, person)
            self._under_way[peer.key] = Shared(begin, partial(self._end, peer))
            peer.dialling = True
        return self._under_way[peer.key].join()

    def close(self) -> None:
        """Let every dial that is under way fail, and begin no more."""
        self._closed = True
        for shared in tuple(self._under_way.values()):
            shared.fail(Failure(_stopping()))

    def _end(self, peer: Peer) -> None:
        peer.dialling = False
        self._under_way.pop(peer.key, None)

    def _begin(self, peer: Peer, locators: Sequence[Locator], person: bytes | None) -> Deferred[Stages]:
        work: Deferred[Stages] = Deferred.fromCoroutine(self._reach(peer, locators, person))
        return work.addTimeout(REACH_SECONDS, self._reactor).addErrback(_not_reached)

    def attached(self, peer: Peer) -> None:
        """Hear that a peer has got a link, perhaps because the other side dialled: nobody has to wait longer."""
        if peer.key in self._under_way:
            self._reactor.callLater(0, self._settle, peer)

    def _settle(self, peer: Peer) -> None:
        shared = self._under_way.get(peer.key)
        if shared is not None and peer.berth is not None:
            shared.settle(Stages())

    async def _reach(self, peer: Peer, locators: Sequence[Locator], person: bytes | None) -> Stages:
        """Take turns with others who dial the same device as the same one of ours: the second can use the link of the first."""
        key = peer.ends
        lock = self._locks.setdefault(key, DeferredLock())
        await lock.acquire()
        try:
            return await self._reach_now(peer, locators, person)
        finally:
            lock.release()
            if not lock.locked:
                self._locks.pop(key, None)

    async def _reach_now(self, peer: Peer, locators: Sequence[Locator], person: bytes | None) -> Stages:
        conduit = self._conduits.best(peer.ends)
        if conduit is not None:
            try:
                return await self._greet(conduit, peer, person, limit=GREET_SECONDS)
            except HelloRefused:
                raise
            except (RemoteError, TimedOut):
                pass  # the link was lost, or is dead: dial another
        return await self._dial(peer, locators, person)

    async def _greet(
        self,
        conduit: Conduit,
        peer: Peer,
        person: bytes | None,
        dial: float = 0.0,
        limit: float = REACH_SECONDS,
    ) -> Stages:
        began = self._reactor.seconds()
        await self._conduits.ready(conduit).addTimeout(limit, self._reactor)
        if not _is_reached(peer):  # else by the hello that was waited for
            await conduit.greet(peer, self._vetting, person).addTimeout(limit, self._reactor)
        return Stages(dial, self._reactor.seconds() - began)

    async def _dial(self, peer: Peer, locators: Sequence[Locator], person: bytes | None) -> Stages:
        reasons = []
        groups = self._groups(peer, locators)
        for ways in groups:
            limit = REACH_SECONDS if ways is groups[-1] else ENCRYPTED_SECONDS
            try:
                return await self._try(ways, peer, person, limit)
            except NotReached as error:
                reasons.append(str(error))
        raise NotReached("; ".join(reasons) or self._no_way(peer, locators))

    def _no_way(self, peer: Peer, locators: Sequence[Locator]) -> str:
        """Say why nothing was dialled, and what would help."""
        if not locators:
            return "it has no address that can be dialled"
        bearers = {locator.bearer for locator in locators}
        theirs = ", ".join(sorted(bearers))
        own = self._bearers_of(peer)
        if not own:
            return f"{peer.identity.aor} has a device of its own here, and no bearer that is on makes links of that: switch on hip"
        if self._vetting.must_be_encrypted(peer.hit) and any(one.name in bearers for one in own):
            return f"it was reached encrypted before, so not in the clear now: of its bearers ({theirs}) switch an encrypted one on"
        if peer.identity.device.hit != self._keyring.device.hit:
            ours = " or ".join(sorted(one.name for one in own))
            return f"{peer.identity.aor} has a device of its own here, of which only {ours} makes links, and it listens on {theirs}: it must switch on {ours}"
        return f"no bearer that is on here leads to it: switch on one of its own ({theirs})"

    def _groups(self, peer: Peer, locators: Sequence[Locator]) -> list[list[_Way]]:
        """Return the ways to a device: encrypted ones, and for when all of those have failed the others.

        A device that was once reached encrypted is not talked to in the clear.
        """
        if self._keyring.device_of(peer.hit) is not None:
            return [[(self._local, [])]]
        ways = [
            (one, [locator for locator in locators if locator.bearer == one.name])
            for one in self._bearers_of(peer)
        ]
        encrypted = [way for way in ways if way[1] and way[0].encrypted]
        clear = [way for way in ways if way[1] and not way[0].encrypted]
        if self._vetting.must_be_encrypted(peer.hit):
            clear = []
        return [group for group in (encrypted, clear) if group]

    def _bearers_of(self, peer: Peer) -> list[IBearer]:
        """Return those that make links of the device that our identity has."""
        return bearers_for(self._bearers, peer.identity.device, self._keyring)

    async def _try(self, ways: list[_Way], peer: Peer, person: bytes | None, limit: float) -> Stages:
        """Race the ways; if there is a link but the hello does not pass, race the locators that are left.

        A race takes at most ``limit`` seconds.

        :raises NotReached: if no way leads to the device.
        """
        left, failed = list(ways), None
        while left:
            began = self._reactor.seconds()
            link = await self._race(left, peer, failed, limit)
            dial = self._reactor.seconds() - began
            if _is_reached(peer):  # by the other side's dial, just now
                self._conduits.unwanted(link)
                return Stages(dial)
            left = _without(left, link)
            try:
                return await self._greet(self._conduits.dialled(link), peer, person, dial)
            except RemoteError as error:
                failed = error
        raise failed or NotReached()

    async def _race(self, ways: list[_Way], peer: Peer, failed: RemoteError | None, limit: float) -> ILink:
        attempts: list[Callable[[], Deferred[ILink]]]
        own = peer.identity.device
        attempts = [partial(bearer.dial, peer.device_key, locators, own) for bearer, locators in ways]
        try:
            return await race(self._reactor, attempts).addTimeout(limit, self._reactor)
        except (NotReached, TimedOut) as error:
            raise failed or _no_link(error, limit) from None


def bearers_for(bearers: Iterable[IBearer], own: IDevice, keyring: IKeyring) -> list[IBearer]:
    """Return those of the bearers that make links of a device of ours."""
    return [one for one in bearers if one.several or own.hit == keyring.device.hit]


def _is_reached(peer: Peer) -> bool:
    return peer.berth is not None and peer.lost_since is None


def _without(ways: list[_Way], link: ILink) -> list[_Way]:
    """Return the ways that are left when the one of a link has been tried.

    None are when the link was not dialled to a place: a local one is the only way, and at the end of one that the other side
    dialled at the same time it is that side's turn.
    """
    if link.locator is None:
        return []
    left = [(bearer, [one for one in locators if one != link.locator]) for bearer, locators in ways]
    return [way for way in left if way[1]]


def _no_link(error: Exception, limit: float) -> NotReached:
    return error if isinstance(error, NotReached) else NotReached(f"no link within {limit:.0f} s")


def _stopping() -> NotReached:
    return NotReached("the node is stopping")


def _not_reached(failure: Failure) -> Failure:
    if failure.check(TimedOut):
        return Failure(NotReached(f"it did not answer within {REACH_SECONDS:.0f} s"))
    return failure
