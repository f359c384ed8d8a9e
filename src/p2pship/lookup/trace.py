"""What happened in one search, step by step: who was asked, who answered what after how long, why it was believed or not.

Only a search that somebody wants to see is traced (``p2pship find AOR --trace``); others are given :data:`NO_TRACE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2pship.address import Locator
from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.hit import format_hit
from p2pship.identity.papers import Papers
from p2pship.identity.place import Place
from p2pship.identity.verdict import Verdict
from p2pship.journal import printable
from p2pship.lookup.candidate import Asked, Candidate, Found, Question
from p2pship.status import TraceStep

MOST_STEPS = 1000
"Steps kept of one search: twice as many as 256 candidates of one lookup make, each with why it was refused."

LONGEST_WORDS = 500
"Characters of one step: a reason, or where an answer came from, may have a stranger's words in it."


class Trace:
    """Hears of the steps of a search, and keeps none."""

    def asked(self, lookup: str, place: Place, question: Question) -> None:
        """Hear that a lookup is asked for what is at a place."""

    def noted(self, lookup: str, words: str) -> None:
        """Hear whom a lookup asks, or what is of no use on the way."""

    def received(self, candidate: Candidate) -> None:
        """Hear that a lookup has an answer."""

    def refused(self, lookup: str, reason: str) -> None:
        """Hear that an answer is not believed."""

    def fetched(self, what: str, wanted: int, found: bool) -> None:
        """Hear that pieces, of which so many were wanted, were found or not."""

    def judged(self, lookup: str, papers: Papers, verdict: Verdict) -> None:
        """Hear that papers hold, and what is thought of their key."""

    def dialable(self, lookup: str, papers: Papers, locators: Sequence[Locator]) -> None:
        """Hear which locators of a device may be dialled."""

    def told(self, found: Found) -> None:
        """Hear that a device is handed on, to be dialled."""

    def ambiguous(self) -> None:
        """Hear that several keys claim the name, and nobody is dialled."""

    def ended(self, asked: Asked) -> None:
        """Hear that a lookup said all, or was given up."""


NO_TRACE = Trace()
"Of a search that nobody watches."


class KeptTrace(Trace):
    """Keeps the steps of one search, which begins with the first of them; each is told as it happens, too."""

    def __init__(
        self, seconds: Callable[[], float], tell: Callable[[TraceStep], object] | None = None
    ) -> None:
        self._seconds = seconds
        self._began = 0.0
        self._tell = tell
        self._steps: list[TraceStep] = []

    def steps(self) -> list[TraceStep]:
        """Return the steps, in the order in which they happened."""
        return list(self._steps)

    def asked(self, lookup: str, place: Place, question: Question) -> None:
        """Keep where, and how many devices are asked for by their keys."""
        where = "where everybody looks" if place.open else "where only the two of you look"
        number = len(question.known)
        known = f", and for {number} known device{'s' if number != 1 else ''}" if number else ""
        self._keep(lookup, "asked", where + known)

    def noted(self, lookup: str, words: str) -> None:
        """Keep it."""
        self._keep(lookup, "on the way", words)

    def received(self, candidate: Candidate) -> None:
        """Keep how much came from where."""
        source = candidate.source or ("this machine" if candidate.over_loopback else "")
        origin = f" from {source}" if source else ""
        self._keep(candidate.lookup, "answered", f"{len(candidate.item)} octets{origin}")

    def refused(self, lookup: str, reason: str) -> None:
        """Keep why."""
        self._keep(lookup, "refused", reason)

    def fetched(self, what: str, wanted: int, found: bool) -> None:
        """Keep whether they were found."""
        pieces = f"{wanted} piece{'s' if wanted != 1 else ''}"
        self._keep("", "fetched", f"the {what}, {pieces}: {'found' if found else 'not found in time'}")

    def judged(self, lookup: str, papers: Papers, verdict: Verdict) -> None:
        """Keep who it is, how true the name is and why, and how new the papers are."""
        grade = " ".join((verdict.name.value, *([f"by {verdict.by}"] if verdict.by else [])))
        statement, record = papers.statement, papers.record
        words = [
            f"{grade}, {verdict.acquaintance.value}, key {fingerprint(statement.key)}",
            f"device {format_hit(papers.hit)}",
            f"statement {statement.version}, record {record.sequence}",
            *verdict.reasons,
            *verdict.warnings,
        ]
        self._keep(lookup, "judged", "; ".join(words))

    def dialable(self, lookup: str, papers: Papers, locators: Sequence[Locator]) -> None:
        """Keep those that may not be."""
        left_out = [str(locator) for locator in papers.record.locators if locator not in locators]
        if left_out:
            self._keep(lookup, "left out", f"{' '.join(left_out)}: not to be dialled from here")

    def told(self, found: Found) -> None:
        """Keep where it would be dialled."""
        where = " ".join(map(str, found.locators)) or "no locator that can be dialled from here"
        self._keep(found.lookup, "found", f"{format_hit(found.papers.hit)} at {where}")

    def ambiguous(self) -> None:
        """Keep that."""
        self._keep("", "ambiguous", "several keys claim the name and none is proven: nobody is dialled")

    def ended(self, asked: Asked) -> None:
        """Keep how."""
        self._keep(asked.lookup, asked.answer.value, asked.reason)

    def _keep(self, lookup: str, step: str, words: str) -> None:
        if len(self._steps) < MOST_STEPS:
            now = self._seconds()
            self._began = self._began if self._steps else now
            self._steps.append(
                {
                    "at": now - self._began,
                    "lookup": lookup,
                    "step": step,
                    "words": printable(words, LONGEST_WORDS),
                }
            )
            if self._tell is not None:
                self._tell(self._steps[-1])
