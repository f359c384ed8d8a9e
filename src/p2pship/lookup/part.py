"""One lookup's part of a search: it is asked, and it ends when it says so, fails or takes too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from p2pship.interfaces import IAsksServers, ILookup, ISearch, ISearchReceiver
from p2pship.lookup.candidate import Answer, Asked, Candidate, NobodyToAsk, Question
from p2pship.status import ServerStatus

LOOKUP_TIME = 3.0
"Seconds that one lookup may take: of the 5 s for reaching a person there is then time left to dial."

MOST_CANDIDATES = 256
"Candidates taken from one lookup: who does not know the name can only fill this, and refusing one costs 5 µs."


@implementer(ISearchReceiver)
class Part:
    """Asks one lookup, passes its candidates on, and says once that it has ended, and how."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        lookup: ILookup,
        candidate_received: Callable[[Candidate], None],
        ended: Callable[[Asked], None],
        noted: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._reactor = reactor
        self._lookup = lookup
        self._pass_on = candidate_received
        self._ended = ended
        self._noted = noted
        self._candidates = 0
        self._search: ISearch | None = None
        self._over = False
        self._timer: Any = None
        self._began = 0.0
        self.asked: Asked | None = None
        "None while it is under way"

    @property
    def name(self) -> str:
        """The lookup's."""
        return str(self._lookup.name)

    @property
    def wide_area(self) -> bool:
        """The lookup's: whether others than our own networks can ask it."""
        return bool(self._lookup.wide_area)

    def begin(self, question: Question) -> None:
        """Ask this."""
        self._began = self._reactor.seconds()
        self._timer = self._reactor.callLater(LOOKUP_TIME, self.time_out)
        try:
            search = self._lookup.find(question, self)
        except Exception as error:  # noqa: BLE001 (a lookup may be anybody's plug-in: the others are asked all the same)
            self.log.failure("the lookup {name} failed when asked", name=self._lookup.name)
            self._end(Answer.FAILED, str(error) or type(error).__name__)
            return
        if self._over:  # it told all that was wanted before it gave its search
            search.cancel()
        else:
            self._search = search

    def so_far(self) -> Asked:
        """Return how it ended, or that it has not yet."""
        waited = self._reactor.seconds() - self._began if self._began else 0.0
        return self.asked or Asked(self._lookup.name, Answer.UNDER_WAY, waited)

    def candidate_received(self, candidate: Candidate) -> None:
        """Pass a candidate on, as long as there are not too many."""
        if self._over:
            return
        self._candidates += 1
        if self._candidates <= MOST_CANDIDATES:
            self._pass_on(candidate)
        elif self._candidates == MOST_CANDIDATES + 1:
            self._noted(f"there are more than {MOST_CANDIDATES} answers: the others are not looked at")

    def noted(self, words: str) -> None:
        """Pass on whom the lookup asks."""
        if not self._over:
            self._noted(words)

    def search_ended(self, error: Exception | None) -> None:
        """Take it that the lookup has said all."""
        if error is None:
            ill = [server for server in servers_of(self._lookup) if server["trouble"]]
            words = "; ".join(f"{server['name']}: {server['trouble']}" for server in ill)
            self._end(Answer.COMPLETED, f"trouble with {words}" if words else "")
        else:
            answer = Answer.NOT_ASKED if isinstance(error, NobodyToAsk) else Answer.FAILED
            self._end(answer, str(error) or type(error).__name__)

    def time_out(self) -> None:
        """End it now, as it took too long; harmless when it has ended."""
        self._end(Answer.TIMED_OUT)

    def cancel(self) -> None:
        """End it without a word; harmless when it has ended."""
        self._over = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._search is not None:
            self._search.cancel()
            self._search = None

    def _end(self, answer: Answer, reason: str = "") -> None:
        if self._over:
            return
        self.asked = Asked(self._lookup.name, answer, self._reactor.seconds() - self._began, reason)
        self.cancel()
        self._ended(self.asked)


def servers_of(lookup: ILookup) -> list[ServerStatus]:
    """Say how the servers of a lookup are; of one that uses none, nothing."""
    return lookup.servers() if IAsksServers.providedBy(lookup) else []


_WORST_LAST = (Answer.NOT_ASKED, Answer.COMPLETED, Answer.UNDER_WAY, Answer.TIMED_OUT, Answer.FAILED)


def by_lookup(asked: Iterable[Asked]) -> tuple[Asked, ...]:
    """Return one of these for each lookup: where it was asked in several places, how the worst of them ended."""
    known: dict[str, Asked] = {}
    for one in asked:
        other = known.get(one.lookup, one)
        known[one.lookup] = max(one, other, key=lambda each: (_WORST_LAST.index(each.answer), each.seconds))
    return tuple(known.values())
