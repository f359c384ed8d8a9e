"""Pings: ICMPv6 echo between one of our HITs and another host's, over the association that stands or one that is made for it.

It is how a person tries this node against any other program that speaks HIP, so what goes wrong is said in words that help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.echoes import IDENTIFIER_SIZE
from p2pship.bearer.hip.exchanges import NULL_HIT
from p2pship.bearer.hip.guests import Guests
from p2pship.bearer.hip.hosts import Hosts
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.suites import is_hit
from p2pship.bearer.hip.timing import STRANGERS
from p2pship.errors import LocalError, NotReached
from p2pship.identity.hit import format_hit

if TYPE_CHECKING:
    from p2pship.bearer.hip.link import HIPLink

INTERVAL = 0.2
"Seconds between two requests."

PATIENCE = 1.0
"Seconds for which a reply is waited for after the last request; as long as the base exchange took, if that is longer."

MOST_PATIENT = 4.0
"Seconds for which it is waited at most."

MOST_REQUESTS = 50
"Requests of one ping: they must all have left while the command waits."

MOST_PINGS = 16
"Pings at a time."

DATA = bytes(range(56))
"What a request carries: as many octets as in most programs."


class Goal(NamedTuple):
    """Whom to ping."""

    own: bytes
    "our HIT"
    peer: bytes
    "theirs; null where whoever is there is meant"
    host: str
    port: int
    "of UDP; 0 for IP itself"


class Pinged(NamedTuple):
    """How a ping went."""

    association: Association
    made: bool
    "whether the association was made for it"
    base_exchange: float
    "how long that took, in seconds"
    sent: int
    times: tuple[float, ...]
    "the round trip of each request that was answered, in seconds"


class Pings:
    """All pings that are under way."""

    def __init__(
        self,
        clock: IReactorTime,
        hosts: Hosts,
        guests: Guests,
        links: Mapping[Association, HIPLink],
        reach: Callable[[str, int], list[Path]],
        act: Callable[[], None],
        random: Callable[[int], bytes],
        is_dialled: Callable[[bytes, bytes], bool],
    ) -> None:
        """``links`` are those of all associations; ``act`` does what the machine wants done; ``is_dialled`` tells whether somebody else
        waits for a link from one HIT, ours, to another.
        """
        self._clock = clock
        self._hosts = hosts
        self._guests = guests
        self._links = links
        self._reach = reach
        self._act = act
        self._random = random
        self._is_dialled = is_dialled
        self._waiting: dict[Goal, Deferred[Association]] = {}
        self._count = 0

    def ping(self, goal: Goal, number: int) -> Deferred[Pinged]:
        """Send so many echo requests, and fire with how it went.

        Fails with NotReached if no association can be made or it ends; with LocalError if that cannot even be tried.
        """
        return Deferred.fromCoroutine(self._ping(goal, number))

    async def _ping(self, goal: Goal, number: int) -> Pinged:
        if not 1 <= number <= MOST_REQUESTS:
            raise LocalError(f"a ping is of 1 to {MOST_REQUESTS} echoes")
        if self._count >= MOST_PINGS:
            raise LocalError(f"{MOST_PINGS} pings are under way: wait for one of them")
        self._count += 1
        try:
            return await self._counted(goal, number)
        finally:
            self._count -= 1

    async def _counted(self, goal: Goal, number: int) -> Pinged:
        standing = self._standing(goal)
        if standing is not None and (
            self._is_link(standing) or standing.path.is_encapsulated == bool(goal.port)
        ):
            sent, times = await self._over(standing, number)
            if times or self._is_link(standing):
                return Pinged(standing, False, 0.0, sent, times)
        began = self._clock.seconds()  # who answers no echo, and carries nothing else, may have begun anew
        association = await self._dial(goal)
        took = self._clock.seconds() - began
        patience = max(PATIENCE, min(took, MOST_PATIENT))
        return Pinged(association, True, took, *await self._over(association, number, patience))

    def _is_link(self, association: Association) -> bool:
        """Tell whether an association carries, or may yet carry, more than echoes."""
        link = self._links.get(association)
        return link is not None and association not in self._guests and (link.dialled or link.has_spoken)

    async def _over(
        self, association: Association, number: int, patience: float = PATIENCE
    ) -> tuple[int, tuple[float, ...]]:
        """Send echo requests over an association, which stays as long."""
        self._guests.hold(association)
        try:
            return await _Echoing(self._clock, self._random).run(self._live(association), number, patience)
        finally:
            self._guests.release(association)
            self._act()

    def _live(self, association: Association) -> Callable[[], HIPLink]:
        """Return a call that returns the link of an association; it raises NotReached when that has ended."""

        def link() -> HIPLink:
            found = self._links.get(association)
            if found is None:
                raise NotReached("the association ended while it was pinged: give the command again")
            return found

        return link

    # the association

    def _standing(self, goal: Goal) -> Association | None:
        host = self._hosts.get(goal.own)
        assert host is not None
        if goal.peer != NULL_HIT:
            return host.association(goal.peer)
        at = goal.host, goal.port
        there = (one for one in host.associations() if (one.path.host, one.path.port) == at)
        return next((one for one in there if host.association(one.agreement.peer.hit) is one), None)

    async def _dial(self, goal: Goal) -> Association:
        paths = self._paths(goal)
        host = self._hosts.get(goal.own)
        assert host is not None
        if self.waits(goal.own, goal.peer):
            raise LocalError(
                "a base exchange with that host is under way: give the command again in a moment"
            )
        waiting: Deferred[Association] = Deferred(lambda _: self._give_up(goal))
        self._waiting[goal] = waiting
        try:
            host.dial(goal.peer, paths, self._clock.seconds(), STRANGERS)
            self._act()
            return await waiting
        finally:
            self._waiting.pop(goal, None)

    def _paths(self, goal: Goal) -> list[Path]:
        if goal.peer == goal.own:
            raise LocalError("that is this very Host Identity: `--as HIT` pings as another one of ours")
        if goal.peer != NULL_HIT and not is_hit(goal.peer):
            raise LocalError(f"{format_hit(goal.peer)} is no HIT: those begin with 2001:2")
        paths = self._reach(goal.host, goal.port)[:1]
        if not paths:
            raise NotReached(
                f"no way leads from here to {goal.host}: the bearer hip listens on no address from which it can be reached"
            )
        return paths

    def _give_up(self, goal: Goal) -> None:
        """End a base exchange that nobody wants any longer."""
        self._waiting.pop(goal, None)
        host = self._hosts.get(goal.own)
        if host is not None and not self._is_dialled(goal.own, goal.peer):
            host.give_up(goal.peer, "it is not wanted any longer")
            self._act()

    def waits(self, own: bytes, peer: bytes) -> bool:
        """Tell whether a ping waits for a base exchange from one HIT, ours, to another."""
        return any((goal.own, goal.peer) == (own, peer) for goal in self._waiting)

    def made(self, association: Association, dialled: bool) -> bool:
        """Hear of a new association; returns whether somebody waited for it in order to ping."""
        own, peer = association.agreement.own.hit, association.agreement.peer.hit
        for goal, waiting in tuple(self._waiting.items()):
            at = goal.host, goal.port
            met = dialled and goal.peer == NULL_HIT and at == (association.path.host, association.path.port)
            if goal.own == own and (goal.peer == peer or met):
                del self._waiting[goal]
                self._clock.callLater(0, _tell, waiting, association)  # once it is known what becomes of it
                return True
        return False

    def failed(self, own: bytes, peer: bytes, reason: str) -> None:
        """Hear that a base exchange has failed."""
        for goal, waiting in tuple(self._waiting.items()):
            if (goal.own, goal.peer) == (own, peer):
                del self._waiting[goal]
                waiting.errback(NotReached(f"{_named(goal)}: {_advice(reason, goal)}"))

    def stop(self) -> None:
        """Let everybody hear that the node is stopping."""
        for goal in tuple(self._waiting):
            self.failed(goal.own, goal.peer, "the node is stopping")


class _Echoing:
    """The echoes of one ping."""

    def __init__(self, clock: IReactorTime, random: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._identifier = random(IDENTIFIER_SIZE)
        self._sent: list[float] = []
        self._times: dict[int, float] = {}

    async def run(
        self, link: Callable[[], HIPLink], number: int, patience: float
    ) -> tuple[int, tuple[float, ...]]:
        """Ask, wait for so many seconds, and return how many requests left and how long the answered ones took."""
        first = link()
        first.echoes.listen(self._identifier, self._replied)
        try:
            for index in range(number):
                self._sent.append(self._clock.seconds())
                link().echoes.ask(self._identifier, index, DATA)
                if index < number - 1:
                    await deferLater(self._clock, INTERVAL)
            await self._patiently(link, patience)
        finally:
            first.echoes.listen(self._identifier, None)
        return number, tuple(self._times[index] for index in sorted(self._times))

    async def _patiently(self, link: Callable[[], HIPLink], patience: float) -> None:
        until = self._clock.seconds() + patience
        while len(self._times) < len(self._sent) and self._clock.seconds() < until:
            link()
            await deferLater(self._clock, PATIENCE / 100)

    def _replied(self, rest: bytes) -> None:
        index = int.from_bytes(rest[:2], "big")
        if index < len(self._sent) and rest[2:] == DATA:
            self._times.setdefault(index, self._clock.seconds() - self._sent[index])


def _tell(waiting: Deferred[Association], association: Association) -> None:
    """Let who waits have an association, unless that was given up."""
    if not waiting.called:
        waiting.callback(association)


def _named(goal: Goal) -> str:
    at = f"[{goal.host}]" if ":" in goal.host else goal.host
    where = f"{at}:{goal.port}" if goal.port else f"{at}, in IP itself"
    return where if goal.peer == NULL_HIT else f"{format_hit(goal.peer)} at {where}"


def _advice(reason: str, goal: Goal) -> str:
    """Return what went wrong, with what may be the matter where nothing came at all."""
    if reason != "no answer":
        return reason
    whom = "and answer who names no HIT" if goal.peer == NULL_HIT else "with that HIT"
    if goal.port:
        return (
            f"no answer: does a program speak HIP in UDP there, at port {goal.port}, {whom}? One that speaks "
            "it in IP itself needs --raw; a firewall may be in the way, too"
        )
    return (
        f"no answer: does a program speak HIP in IP itself there, {whom}? A firewall has to let the protocols "
        "139 and 50 pass"
    )
