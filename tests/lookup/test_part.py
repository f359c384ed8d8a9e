"""One lookup's part of a search ends once, however the lookup behaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer
from zope.interface.verify import verifyObject

from p2pship.errors import RemoteError
from p2pship.interfaces import IAsksServers, ILookup, ISearch, ISearchReceiver
from p2pship.lookup.candidate import Answer, Asked, Candidate, Publishing, Question, Slot
from p2pship.lookup.part import LOOKUP_TIME, MOST_CANDIDATES, Part, by_lookup

QUESTION = Question(bytes(32))


@implementer(ILookup, ISearch)
class ObedientLookup:
    """A lookup that does in ``find`` what a test says, and counts how often its search is cancelled."""

    name = "obedient"
    wide_area = False
    publishing = Publishing.TESTED

    def __init__(self, act: Callable[[ISearchReceiver], Any]) -> None:
        self._act = act
        self.cancelled = 0

    def start(self) -> Deferred[None]:
        """Begin."""
        return succeed(None)

    stop = start

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Do it."""
        self.receiver = receiver
        self._act(receiver)
        return self

    def follow(self, question: Question, receiver: ISearchReceiver) -> None:
        """Tell nothing."""

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Publish nothing."""
        return succeed(None)

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Take nothing back."""
        return succeed(None)

    def cancel(self) -> None:
        """Count it."""
        self.cancelled += 1


class PartTests(SynchronousTestCase):
    """How a part ends, and what it passes on."""

    def begin(self, act: Callable[[ISearchReceiver], Any] = lambda _: None) -> Part:
        """Ask a lookup that does this."""
        self.clock = Clock()
        self.candidates: list[Candidate] = []
        self.notes: list[str] = []
        self.endings: list[Asked] = []
        self.lookup = ObedientLookup(act)
        part = Part(self.clock, self.lookup, self.candidates.append, self.endings.append, self.notes.append)
        part.begin(QUESTION)
        return part

    def assertEnded(self, part: Part, answer: Answer, reason: str = "", seconds: float = 0.0) -> None:
        """Check that it ended once, and how, and that no timer is left."""
        assert part.asked is not None
        asked = (part.asked.lookup, part.asked.answer, part.asked.reason, part.asked.seconds)
        self.assertEqual(asked, ("obedient", answer, reason, seconds))
        self.assertEqual((len(self.endings), self.clock.getDelayedCalls()), (1, []))

    def test_interfaces(self) -> None:
        """It is what a lookup tells."""
        verifyObject(ISearchReceiver, self.begin())
        verifyObject(ILookup, self.lookup)

    def test_completed(self) -> None:
        """A lookup that ends has been asked; what it says afterwards counts for nothing."""
        part = self.begin()
        self.lookup.receiver.candidate_received(Candidate(b"1", "obedient"))
        self.clock.advance(1)
        self.lookup.receiver.search_ended(None)
        self.lookup.receiver.search_ended(RemoteError("again"))
        self.lookup.receiver.candidate_received(Candidate(b"2", "obedient"))
        self.assertEnded(part, Answer.COMPLETED, seconds=1.0)
        self.assertEqual([candidate.item for candidate in self.candidates], [b"1"])

    def test_ill_server(self) -> None:
        """What one of its servers may have had is missing from the answer: who asks is told which, and why."""
        part = self.begin()
        directlyProvides(self.lookup, IAsksServers)
        self.lookup.servers = lambda: [  # type: ignore[attr-defined]
            {"name": "http://one", "trouble": "", "since": 0.0},
            {"name": "http://two", "trouble": "no way", "since": 1.0},
        ]
        self.lookup.receiver.search_ended(None)
        self.assertEnded(part, Answer.COMPLETED, "trouble with http://two: no way")

    def test_failed(self) -> None:
        """A lookup that could not be asked says why."""
        part = self.begin()
        self.lookup.receiver.search_ended(RemoteError("no network"))
        self.assertEnded(part, Answer.FAILED, "no network")

    def test_bug(self) -> None:
        """A lookup that fails in its own way is logged, and is one that could not be asked."""

        def broken(receiver: ISearchReceiver) -> None:
            raise ZeroDivisionError

        self.assertEnded(self.begin(broken), Answer.FAILED, "ZeroDivisionError")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_at_once(self) -> None:
        """A lookup may end before it has given its search."""
        self.assertEnded(self.begin(lambda receiver: receiver.search_ended(None)), Answer.COMPLETED)

    def test_too_slow(self) -> None:
        """A lookup that says nothing is given up after its time, and its search is cancelled."""
        part = self.begin()
        self.clock.advance(LOOKUP_TIME)
        self.assertEnded(part, Answer.TIMED_OUT, seconds=LOOKUP_TIME)
        self.assertEqual(self.lookup.cancelled, 1)

    def test_cancelled(self) -> None:
        """Cancelling it says nothing, and leaves nothing behind."""
        part = self.begin()
        part.cancel()
        part.cancel()
        self.assertEqual((self.endings, self.lookup.cancelled, self.clock.getDelayedCalls()), ([], 1, []))

    def test_cancelled_at_once(self) -> None:
        """A search that its first candidate made superfluous, before the lookup had given it, is cancelled all the same."""
        self.clock = Clock()
        parts: list[Part] = []
        lookup = ObedientLookup(lambda receiver: receiver.candidate_received(Candidate(b"1", "obedient")))
        parts.append(Part(self.clock, lookup, lambda _: parts[0].cancel(), lambda _: None))
        parts[0].begin(QUESTION)
        self.assertEqual((lookup.cancelled, self.clock.getDelayedCalls()), (1, []))

    def test_nothing_after(self) -> None:
        """Once cancelled it passes nothing on, even where a lookup tells all before it has given its search."""
        self.clock = Clock()
        parts: list[Part] = []
        heard: list[Asked | Candidate] = []

        def tell_all(receiver: ISearchReceiver) -> None:
            for item in (b"1", b"2"):
                receiver.candidate_received(Candidate(item, "obedient"))
            receiver.search_ended(None)

        def take(candidate: Candidate) -> None:
            heard.append(candidate)
            parts[0].cancel()

        parts.append(Part(self.clock, ObedientLookup(tell_all), take, heard.append))
        parts[0].begin(QUESTION)
        self.assertEqual(heard, [Candidate(b"1", "obedient")])

    def test_flood(self) -> None:
        """Of a flood of candidates only so many are passed on, and that is told once."""
        self.begin()
        for number in range(MOST_CANDIDATES + 3):
            self.lookup.receiver.candidate_received(Candidate(bytes([number % 256]), "obedient"))
        self.assertEqual(len(self.candidates), MOST_CANDIDATES)
        self.assertEqual(
            self.notes, [f"there are more than {MOST_CANDIDATES} answers: the others are not looked at"]
        )


class ByLookupTests(SynchronousTestCase):
    """What is said of a lookup that was asked in several places."""

    def test_worst(self) -> None:
        """It is how the worst of them ended, and of two that ended alike the one that took longer."""
        quick, slow = (Asked("one", Answer.COMPLETED, seconds) for seconds in (0.1, 0.2))
        failed, other = Asked("one", Answer.FAILED, 0.0, "down"), Asked("other", Answer.NOT_ASKED, 0.0)
        for asked in ((quick, other, slow), (slow, other, quick)):
            self.assertEqual(by_lookup(asked), (slow, other))
            self.assertEqual(by_lookup((*asked, failed)), (failed, other))
