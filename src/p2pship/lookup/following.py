"""What lookups tell of a person without being asked each time: a device that was published anew is known at once.

Theory of operation. Each lookup that can is asked to tell what changes at each place where the person may be found. What it tells is
verified and judged as in a search (:mod:`p2pship.lookup.search`), but there is nobody to compare it with: only a device whose key is
proven, as a contact's is, is taken. Of the others one hears when one searches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.identity.place import Place, day_of
from p2pship.identity.seal import OpenedItem, open_item
from p2pship.interfaces import IIdentity, ILookup, ISearch, ISearchReceiver
from p2pship.lookup.assembly import Assembly
from p2pship.lookup.candidate import Candidate, Found, Question
from p2pship.lookup.surroundings import Surroundings

MOST_OPENED = 64
"""Candidates verified in one following: 16 devices that publish four times an hour. Who knows the name can make us verify no more,
until the person is followed anew."""

MOST_SEEN = 512
"Items remembered so that none is looked at twice; a lookup that tells more in the time is not followed any longer."


@implementer(ISearch)
class Following:
    """One person followed for an own identity, for a day at most; ``taken`` is called with each device."""

    log = Logger()

    def __init__(
        self, surroundings: Surroundings, aor: str, own: IIdentity, taken: Callable[[Found], None]
    ) -> None:
        self._around = surroundings
        self._own = own
        self._tell = taken
        self._sought = surroundings.sought(aor)
        self._assembly = Assembly(surroundings, self._sought)
        self._ears: set[_Ear] = set()
        self._taking: set[Deferred[None]] = set()
        self._seen: set[bytes] = set()
        self._opened = 0
        self._cancelled = False

    def begin(self, places: Sequence[Place]) -> None:
        """Follow the person at these places, wherever a lookup can tell."""
        for place in places:
            for lookup in self._around.lookups:
                _Ear(self, place).begin(lookup, self._sought.question(place))

    @property
    def over(self) -> bool:
        """Whether nothing more will be told, or not where it is published by now, so that the person is to be followed anew."""
        worn = self._opened >= MOST_OPENED or len(self._seen) >= MOST_SEEN
        return worn or not self._ears or day_of(self._around.reactor.seconds()) != self._sought.day

    def cancel(self) -> None:
        """Follow no longer; harmless when it is over."""
        self._cancelled = True
        for ear in tuple(self._ears):
            ear.cancel()
        self._assembly.cancel()
        for taking in tuple(self._taking):
            taking.cancel()

    # For ears.

    def listen(self, ear: _Ear) -> None:
        """Know that a lookup tells."""
        self._ears.add(ear)

    def ended(self, ear: _Ear) -> None:
        """Know that it does no longer."""
        self._ears.discard(ear)

    def received(self, place: Place, candidate: Candidate) -> None:
        """Look at what a lookup tells, unless it told it before or there is too much."""
        if candidate.item in self._seen or self.over:
            return
        self._seen.add(candidate.item)
        try:
            opened = open_item(place, self._sought.day, candidate.item)
        except RemoteError:
            self._around.journal.count("lookup.refused")
            return
        self._opened += 1
        taking: Deferred[None] = Deferred.fromCoroutine(self._take(place, opened, candidate))
        self._taking.add(taking)
        taking.addErrback(self._not_taken).addCallback(lambda _: self._taking.discard(taking))

    async def _take(self, place: Place, opened: OpenedItem, candidate: Candidate) -> None:
        papers = await self._assembly.papers(place, opened, (candidate.lookup, b""))
        if self._cancelled:  # while pieces were waited for, without which the papers hold all the same
            return
        verdict = await maybeDeferred(self._around.trust.judge, papers, self._own)
        if verdict.proven:
            self._tell(self._around.found(papers, candidate, verdict))

    def _not_taken(self, failure: Failure) -> None:
        if failure.check(RemoteError):
            self._around.journal.count("lookup.refused")
        elif not failure.check(CancelledError):
            self.log.failure("what a lookup told could not be looked at", failure)


@implementer(ISearchReceiver)
class _Ear:
    """Hears one lookup at one place."""

    log = Logger()

    def __init__(self, following: Following, place: Place) -> None:
        self._following = following
        self._place = place
        self._search: ISearch | None = None
        self._over = False

    def begin(self, lookup: ILookup, question: Question) -> None:
        self._following.listen(self)
        try:
            search = lookup.follow(question, self)
        except Exception:  # noqa: BLE001 (a lookup may be anybody's plug-in: the others are followed all the same)
            self.log.failure("the lookup {name} failed when followed", name=lookup.name)
            search = None
        if search is None:
            self.search_ended(None)
        elif self._over:
            search.cancel()
        else:
            self._search = search

    def candidate_received(self, candidate: Candidate) -> None:
        if not self._over:
            self._following.received(self._place, candidate)

    def noted(self, words: str) -> None:
        """Tell nobody: nobody watches what is followed."""

    def search_ended(self, error: Exception | None) -> None:
        self._over = True
        self._search = None
        self._following.ended(self)

    def cancel(self) -> None:
        search = self._search
        self.search_ended(None)
        if search is not None:
            search.cancel()
