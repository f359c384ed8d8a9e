"""One search for a person: from the candidates of every lookup to the devices that may be dialled.

Theory of operation. Every lookup is asked at once (:mod:`p2pship.lookup.part`), for each place where the person may be
found. A candidate is opened, its papers are verified and compared with what is known of the person (all that takes 0.2 ms),
its identity key is judged once, and :class:`~p2pship.lookup.claims.Claims` decides whether it may be dialled now. What has
no room in an item is fetched first, if it is needed (:mod:`p2pship.lookup.assembly`): the statement, and the certificates
where they may prove the name. Somebody with another key than the user confirmed, or the domain names, is passed over, however
quick they are; but what was published before that key took the place of another is told: the device may have papers by the
new one. Collecting ends when its time is over, which is shorter for who is found near, or as soon as every lookup has ended, but never while a key is
being judged: it might be the proven one. Whatever is wrong with a candidate is said in the outcome, and changes nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.papers import Papers
from p2pship.identity.place import Place
from p2pship.identity.seal import OpenedItem, open_item
from p2pship.identity.validity import NotNow
from p2pship.identity.verdict import NameGrade, Verdict
from p2pship.interfaces import IFinding, IFindReceiver, IIdentity, ILookup
from p2pship.journal import PapersRefused
from p2pship.lookup.assembly import Assembly
from p2pship.lookup.candidate import Asked, Candidate, FindOutcome, Found
from p2pship.lookup.claims import Claims
from p2pship.lookup.facts import OtherKeyIgnored
from p2pship.lookup.part import Part, by_lookup
from p2pship.lookup.pieces import Whose
from p2pship.lookup.surroundings import Surroundings
from p2pship.lookup.trace import NO_TRACE, Trace

COLLECTING_TIME = 0.05
"""Seconds from the first papers until an unproven key may be dialled: answers on one network differ by less. They pass while the
key is judged, which takes 0.35 s where the domain of the name has to be asked."""

WIDE_COLLECTING_TIME = 0.4
"""The same for who is found in the wide area only, while such a lookup is under way: there anybody can publish under any name, and
answers differ by a few round trips across the world. Who is found on our own network waits for none of them."""

SEARCH_TIME = 4.0
"Seconds that a search may take in all, its judgements included."

MOST_OPENED = 64
"""Candidates of one lookup at one place verified in one search, 10 ms in all: who knows the name can make us verify no more, and keeps nobody out who is
found through another lookup. What a known device has signed is not among them: nobody else can make more of that."""

MOST_REFUSALS = 8
"Refusals told one by one; the rest is counted, or a flood would fill the log."


@implementer(IFinding)
class Search:
    """A search under way; see the module's theory of operation."""

    log = Logger()

    def __init__(
        self,
        surroundings: Surroundings,
        places: Sequence[Place],
        aor: str,
        own: IIdentity,
        receiver: IFindReceiver,
        trace: Trace = NO_TRACE,
    ) -> None:
        """Prepare to look for a canonical AOR at these places, on behalf of an own identity."""
        self._around = surroundings
        self._reactor = surroundings.reactor
        self._journal = surroundings.journal
        self._places = tuple(places)
        self._known: dict[Place, tuple[bytes, ...]] = {}
        self._aor = aor
        self._own = own
        self._receiver = receiver
        self._trace = trace
        self._sought = surroundings.sought(aor)
        self._assembly = Assembly(surroundings, self._sought, trace)
        self._claims = Claims()
        self._parts: list[tuple[Part, Place]] = []
        # Near ones first: some others load a library when they are first asked.
        self._lookups = tuple(sorted(surroundings.lookups, key=lambda lookup: bool(lookup.wide_area)))
        self._wide = {lookup.name for lookup in self._lookups if lookup.wide_area}
        self._taking: set[Deferred[None]] = set()
        self._verdicts: dict[tuple[bytes, tuple[bytes, ...]], Deferred[Verdict | None]] = {}
        self._other_keys: set[bytes] = set()
        self._judging = 0
        self._seen: set[tuple[bytes, bytes, bool, bool]] = set()
        self._opened: Counter[tuple[Place, Whose]] = Counter()
        self._refused: list[str] = []
        self._told: set[bytes] = set()
        self._claimed: float | None = None
        self._near = False
        self._collected = False
        self._timers: list[Any] = []
        self._over = False

    def begin(self) -> None:
        """Ask the lookups in the next turn of the reactor."""
        self._parts = [
            (self._part(lookup, place), place) for place in self._places for lookup in self._lookups
        ]
        self._after(0, self._ask)
        self._after(SEARCH_TIME, self._time_out)

    def _part(self, lookup: ILookup, place: Place) -> Part:
        received, noted = partial(self._candidate_received, place), partial(self._trace.noted, lookup.name)
        return Part(self._reactor, lookup, received, self._part_ended, noted)

    def cancel(self) -> None:
        """End the search now and tell nothing more."""
        self._over = True
        for part, _ in self._parts:
            part.cancel()
        self._stop_taking()
        for judging in self._verdicts.values():
            judging.cancel()
        for timer in self._timers:
            if timer.active():
                timer.cancel()

    def _stop_taking(self) -> None:
        """Wait for no pieces any longer."""
        self._assembly.cancel()
        for taking in tuple(self._taking):
            taking.cancel()

    def so_far(self) -> FindOutcome:
        """Return what would be told now if it ended."""
        return self._outcome(tuple(part.so_far() for part, _ in self._parts))

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append(self._reactor.callLater(seconds, call))

    def _ask(self) -> None:
        for part, place in self._parts:
            if not self._over:  # the one before may have found all that was wanted
                question = self._sought.question(place)
                self._known[place] = question.known
                self._trace.asked(part.name, place, question)
                part.begin(question)
        self._advance()

    def _time_out(self) -> None:
        for part, _ in self._parts:
            part.time_out()
        self._stop_taking()
        for judging in tuple(self._verdicts.values()):
            judging.cancel()

    def _candidate_received(self, place: Place, candidate: Candidate) -> None:
        self._trace.received(candidate)
        if self._over:
            return
        whose = candidate.lookup, candidate.signer if candidate.signer in self._known[place] else b""
        # A copy that anybody can publish counts among theirs, and may have failed for that.
        seen = (candidate.item, whose[1], candidate.over_loopback, candidate.on_link)
        full = self._opened[place, whose] >= MOST_OPENED
        if full or seen in self._seen:
            why = f"it is not looked at: {MOST_OPENED} were" if full else "it came before"
            self._trace.noted(candidate.lookup, why)
            return
        self._seen.add(seen)
        try:
            opened = open_item(place, self._sought.day, candidate.item)
        except RemoteError as error:
            self._refuse(candidate.lookup, str(error))
            return
        self._opened[place, whose] += 1
        self._judging += 1
        taking: Deferred[None] = Deferred.fromCoroutine(self._take(place, opened, candidate, whose))
        self._taking.add(taking)
        taking.addErrback(self._not_taken, candidate.lookup).addCallback(self._taken, taking)

    async def _take(self, place: Place, opened: OpenedItem, candidate: Candidate, whose: Whose) -> None:
        papers = await self._assembly.papers(place, opened, whose)
        self._dated(self._reactor.seconds() - papers.record.issued)
        if not self._over:
            self._judge(papers, candidate)

    def _not_taken(self, failure: Failure, lookup: str) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(RemoteError):
            self.log.failure("a candidate could not be looked at", failure)
        wrong = failure.value
        # Old statements say nothing of the time.
        if isinstance(wrong, NotNow) and (wrong.what == "record" or wrong.age < 0):
            self._dated(wrong.age)
        if not self._over:
            self._refuse(lookup, failure.getErrorMessage())

    def _dated(self, age: float) -> None:
        self._around.clock_doubt.heard(self._aor, age, self._reactor.seconds())

    def _taken(self, _: None, taking: Deferred[None]) -> None:
        self._taking.discard(taking)
        self._judging -= 1
        self._advance()

    def _judge(self, papers: Papers, candidate: Candidate) -> None:
        """Have the identity key judged, once in a search for each chain, and take the candidate with the verdict."""
        key = papers.statement.key, papers.chain
        if key not in self._verdicts:
            judging = maybeDeferred(self._around.trust.judge, papers, self._own)
            self._verdicts[key] = judging.addErrback(self._not_judged)
        self._collect(candidate)
        self._judging += 1
        self._verdicts[key].addCallback(self._judged, papers, candidate)

    def _not_judged(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self.log.failure("a person could not be judged", failure)

    def _judged(self, verdict: Verdict | None, papers: Papers, candidate: Candidate) -> Verdict | None:
        self._judging -= 1
        if self._over:
            return verdict
        if verdict is None:
            self._refuse(candidate.lookup, "whose the identity key is could not be found out in time")
        else:
            self._trace.judged(candidate.lookup, papers, verdict)
            self._weigh(verdict, papers, candidate)
        self._advance()
        return verdict

    def _weigh(self, verdict: Verdict, papers: Papers, candidate: Candidate) -> None:
        """Tell of a device now, later or never."""
        if verdict.name is NameGrade.CHANGED and not verdict.outdated:
            self._ignore(papers, verdict, candidate.lookup)
            return
        found = self._around.found(papers, candidate, verdict)
        self._trace.dialable(candidate.lookup, papers, found.locators)
        self._tell([found] if verdict.outdated else self._claims.received(found))
        if not verdict.outdated and self._claims.too_late(papers.statement.key):
            shown = fingerprint(papers.statement.key)
            self._refuse(
                candidate.lookup, f"{shown} claims the name as well, and came too late to be compared"
            )

    def _ignore(self, papers: Papers, verdict: Verdict, lookup: str) -> None:
        """Pass over somebody with another key than the confirmed one; told once for each key."""
        reason = "; ".join(verdict.reasons) or "the key is not the confirmed one"
        self._refuse(lookup, reason)
        if papers.statement.key not in self._other_keys and len(self._other_keys) < MOST_REFUSALS:
            self._other_keys.add(papers.statement.key)
            shown = fingerprint(papers.statement.key)
            self._journal.tell(OtherKeyIgnored(self._own.aor, self._aor, lookup, shown, reason))

    def _collect(self, candidate: Candidate) -> None:
        """Collect until whoever was found has been compared with others for long enough: near, if there."""
        if self._claimed is None:
            self._claimed = self._reactor.seconds()
            self._after(WIDE_COLLECTING_TIME, self._collecting_ended)
        near = candidate.lookup not in self._wide or not self._is_wide_area_under_way()
        if near and not self._near:
            self._near = True
            self._after(COLLECTING_TIME, self._collecting_ended)

    def _is_wide_area_under_way(self) -> bool:
        return any(part.wide_area and part.asked is None for part, _ in self._parts)

    def _collecting_ended(self) -> None:
        self._collected = True
        self._advance()

    def _part_ended(self, asked: Asked) -> None:
        self._trace.ended(asked)
        if self._claimed is not None and not self._is_wide_area_under_way():
            left = self._claimed + COLLECTING_TIME - self._reactor.seconds()
            self._after(max(0.0, left), self._collecting_ended)
        self._advance()

    def _advance(self) -> None:
        """Settle the claims and end the search as far as it is time to."""
        if self._over or self._judging:
            return
        asked = tuple(part.asked for part, _ in self._parts if part.asked is not None)
        ended = len(asked) == len(self._parts)
        if ended or self._collected:
            self._tell(self._claims.settle())
        if ended and not self._over:
            self._end(asked)

    def _tell(self, devices: Sequence[Found]) -> None:
        for found in devices:
            if self._over:  # the receiver has what it wanted
                return
            self._told.add(found.papers.record.device_key)
            self._trace.told(found)
            self._receiver.device_found(found)

    def _refuse(self, lookup: str, reason: str) -> None:
        self._journal.count("lookup.refused")
        self._trace.refused(lookup, reason)
        text = f"{lookup}: {reason}"
        if len(self._refused) < MOST_REFUSALS and text not in self._refused:
            self._refused.append(text)
            self._journal.tell(PapersRefused(lookup, reason))

    def _end(self, asked: tuple[Asked, ...]) -> None:
        self.cancel()
        if self._claims.ambiguous:
            self._trace.ambiguous()
        self._receiver.find_ended(self._outcome(asked))

    def _outcome(self, asked: tuple[Asked, ...]) -> FindOutcome:
        nobody = not self._told and not self._claims.ambiguous
        changed = bool(self._other_keys) and nobody
        return FindOutcome(
            by_lookup(asked),
            len(self._told),
            self._claims.ambiguous,
            tuple(self._refused),
            changed,
            bool(self._opened) and nobody and not changed,
        )
