"""The lookup on rendezvous servers: publishes on each, and asks all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.interfaces import IAsksServers, ILookup, INetwork, ISearch, ISearchReceiver
from p2pship.journal import Journal
from p2pship.lookup.candidate import Publishing, Question, Slot
from p2pship.lookup.chance import part_of_one
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.http.asking import AskingAll
from p2pship.lookup.http.following import Following
from p2pship.lookup.http.recollection import Recollection
from p2pship.lookup.http.remote import Remote, ServerFailed
from p2pship.lookup.http.upkeep import Upkeep, first_success
from p2pship.lookup.http.web import Web
from p2pship.lookup.http.wire import SKEW, signed
from p2pship.status import ServerStatus

MOST_FOLLOWED = 16
"Lookup keys followed at once: each takes a connection to every server, which has few for one address. Others are asked for."


@implementer(ILookup, IAsksServers)
class HTTPLookup:
    """Publishes on rendezvous servers, and asks them: ``docs/reference/http-lookup.md``."""

    name = "http"
    wide_area = True
    publishing = Publishing.TESTED

    def __init__(
        self,
        reactor: Any,
        servers: tuple[str, ...],
        policy: IPolicyForHTTPS,
        environment: Mapping[str, str],
        random: Callable[[int], bytes],
        journal: Journal,
        network: INetwork,
        clock_doubt: ClockDoubt | None = None,
    ) -> None:
        """``policy`` says which servers are believed to be who they are; ``environment`` names proxies.

        ``clock_doubt`` hears what time the servers have.

        :raises BadServer: if something else than the address of a server is among them.
        """
        self._reactor = reactor
        self._web = Web(reactor, policy, environment)
        self._network = network
        self._unwatch: Callable[[], None] = _nothing
        chance = partial(part_of_one, random)
        remotes = [
            Remote(reactor, self._web, ServerAddress.parse(each), chance, clock_doubt) for each in servers
        ]
        self._upkeeps = [Upkeep(reactor, remote, journal) for remote in remotes]
        self._recollections = [
            Recollection(reactor, upkeep.remote, upkeep, chance) for upkeep in self._upkeeps
        ]
        self._last_sequence = 0
        self._searches: set[AskingAll] = set()
        self._followings: set[Following] = set()

    def start(self) -> Deferred[None]:
        """Begin: nothing is connected before it is needed."""
        self._unwatch = self._network.watch(self._network_changed)
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """End every search and close every connection."""
        self._unwatch()
        self._unwatch = _nothing
        for search in tuple(self._searches):
            search.end(ServerFailed("the lookup was stopped"))
        for following in tuple(self._followings):
            following.end("the lookup was stopped")
        for recollection in self._recollections:
            recollection.stop()
        for upkeep in self._upkeeps:
            upkeep.stop()
        return self._web.close()

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask every server; it is over when all have answered, failed, or taken 2.5 s for an answer."""
        remotes = [upkeep.remote for upkeep in self._upkeeps]
        over = partial(self._over, [upkeep.own(question) for upkeep in self._upkeeps])
        search = AskingAll(remotes, question, receiver, self.name, self._reactor.seconds, over)
        self._searches.add(search)
        search.begin()
        return search

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch | None:
        """Have every server push what is there, and what comes; None if that is done for too many lookup keys already."""
        if len(self._followings) >= MOST_FOLLOWED:
            return None
        remotes = [upkeep.remote for upkeep in self._upkeeps]
        over = self._followings.discard
        following = Following(self._reactor, remotes, question, receiver, self.name, over)
        self._followings.add(following)
        following.begin()
        return following

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Put an item on every server; fires when the first has it, and fails when none has taken it."""
        wanted = signed(slot, item, self._sequence(), self._expiry())
        return first_success([upkeep.hold(slot, wanted) for upkeep in self._upkeeps])

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Take back what the slot holds from every server; fires when all have answered, fails if one does not take part."""
        tombstone = signed(slot, b"", self._sequence(), self._expiry())
        withdrawing = [upkeep.withdraw(slot, tombstone) for upkeep in self._upkeeps]
        return DeferredList(withdrawing, consumeErrors=True).addCallback(_first_failure)

    def servers(self) -> list[ServerStatus]:
        """Say of each server how it is."""
        return [upkeep.status() for upkeep in self._upkeeps]

    def _network_changed(self) -> None:
        """Make all connections anew that nobody waits for just now: those from an address that is gone would hang."""
        self._web.close_idle()
        for upkeep in self._upkeeps:
            upkeep.begin_anew()
        for following in tuple(self._followings):
            following.begin_anew()

    def _over(self, own: Sequence[frozenset[Slot]], search: AskingAll) -> None:
        self._searches.discard(search)
        for upkeep, slots, asking in zip(self._upkeeps, own, search.askings, strict=True):
            if asking.completed:
                upkeep.answered(slots, asking.told)

    def _sequence(self) -> int:
        """Return the sequence of what is signed now: more than that of anything before, but what no server took, as it was from so far ahead."""
        now = int(self._reactor.seconds() * 1000)
        before = self._last_sequence if self._last_sequence < now + SKEW * 1000 else 0
        self._last_sequence = max(now, before + 1)
        return self._last_sequence

    def _expiry(self) -> int:
        """Return until when a slot is kept that is signed now: no longer than the record in it holds."""
        return int(self._reactor.seconds() + RECORD_LIFETIME)


def _nothing() -> None:
    """Do nothing."""


def _first_failure(results: list[tuple[bool, Any]]) -> Failure | None:
    return next((result for worked, result in results if not worked), None)
