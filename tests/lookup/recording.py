"""What the tests of the lookups share: a receiver that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from p2pship.interfaces import ISearchReceiver
from p2pship.lookup.candidate import Candidate


@implementer(ISearchReceiver)
class RecordingReceiver:
    """Keeps the candidates of a search, and how it ended."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.ends: list[Exception | None] = []
        self.notes: list[str] = []
        self.first: Deferred[Candidate] = Deferred()
        "fires with the first candidate"
        self.ended: Deferred[None] = Deferred()
        "fires when the search has ended"
        self.on_candidate: Callable[[], None] = lambda: None
        "called for each candidate"

    def candidate_received(self, candidate: Candidate) -> None:
        """Keep it."""
        self.candidates.append(candidate)
        if not self.first.called:
            self.first.callback(candidate)
        self.on_candidate()

    def noted(self, words: str) -> None:
        """Keep it."""
        self.notes.append(words)

    def search_ended(self, error: Exception | None) -> None:
        """Keep it."""
        self.ends.append(error)
        if not self.ended.called:
            self.ended.callback(None)
