"""What was asked for is kept, asked for once, and bounded."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.dns.kept import FAILURE_KEPT, MOST_KEPT, MOST_UNDERWAY, SHORTEST_KEPT, Kept
from p2pship.trust.dnssec import DNSFailed

SECONDS = 2.0


class KeptTests(SynchronousTestCase):
    """Things asked for by name."""

    def setUp(self) -> None:
        """Begin with nothing, and answers that come when a test says so."""
        self.clock = Clock()
        self.asked: list[tuple[str, Deferred[tuple[str, int]]]] = []
        self.kept: Kept[str] = Kept(self.clock, self.ask, SECONDS)

    async def ask(self, name: str) -> tuple[str, int]:
        """Keep the question until it is answered."""
        waiting: Deferred[tuple[str, int]] = Deferred()
        self.asked.append((name, waiting))
        return await waiting

    def got(self, name: str, lifetime: int = 0) -> str:
        """Ask, answer if that needs an answer, and return what there is."""
        before = len(self.asked)
        getting = self.kept.get(name)
        if len(self.asked) > before:
            self.asked[-1][1].callback((f"of {name}", lifetime))
        return self.successResultOf(getting)

    def test_shortest(self) -> None:
        """What is said to hold for no time at all is kept for a minute: a search asks several times."""
        for seconds, asked in ((0.0, 1), (SHORTEST_KEPT - 1.0, 1), (1.0, 2)):
            self.clock.advance(seconds)
            self.assertEqual((self.got("a"), len(self.asked)), ("of a", asked))

    def test_failure(self) -> None:
        """A failure is kept for a little while, and then it is tried again; time that ran out is one."""
        first = self.kept.get("a")
        self.clock.advance(SECONDS)
        self.failureResultOf(first, DNSFailed)
        self.failureResultOf(self.kept.get("a"), DNSFailed)
        self.assertEqual(len(self.asked), 1)
        self.clock.advance(FAILURE_KEPT)
        self.assertEqual(self.got("a"), "of a")

    def test_given_up(self) -> None:
        """One who gives up waiting is told nothing more; the others are, and what came is kept."""
        one, other = self.kept.get("a"), self.kept.get("a")
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.asked[0][1].callback(("here", 60))
        self.assertEqual((self.successResultOf(other), self.got("a"), len(self.asked)), ("here", "here", 1))

    def test_given_up_by_another(self) -> None:
        """One who is told may have others give up who wait for the same; those that are left are told all the same."""
        one, other, third = (self.kept.get("a") for _ in range(3))

        def had(came: str) -> str:
            other.cancel()
            return came

        one.addCallback(had)
        self.asked[0][1].callback(("here", 60))
        self.failureResultOf(other, CancelledError)
        self.assertEqual((self.successResultOf(one), self.successResultOf(third)), ("here", "here"))

    def test_forgotten(self) -> None:
        """What is under way when everything is forgotten is told to who waits for it, and to nobody else."""
        before = self.kept.get("a")
        self.kept.forget()
        after = self.kept.get("a")
        (_, there), (_, here) = self.asked
        there.callback(("there", 60))
        self.assertEqual(self.successResultOf(before), "there")
        self.assertNoResult(after)
        here.callback(("here", 60))
        self.assertEqual((self.successResultOf(after), self.got("a"), len(self.asked)), ("here", "here", 2))

    def test_everybody_gave_up(self) -> None:
        """An answer for which nobody waits any longer is kept for the next one."""
        self.kept.get("a").addErrback(lambda failure: None).cancel()
        again = self.kept.get("a")
        self.asked[0][1].callback(("here", 60))
        self.assertEqual((self.successResultOf(again), len(self.asked)), ("here", 1))

    def test_bounded(self) -> None:
        """However many things are asked for, few are asked at once, and the one not wanted for longest is forgotten."""
        waiting = [self.kept.get(str(at)) for at in range(MOST_UNDERWAY)]
        self.failureResultOf(self.kept.get("more"), DNSFailed)
        for _, asked in tuple(self.asked):
            asked.callback(("", 3600))
        self.assertEqual(len([self.successResultOf(each) for each in waiting]), MOST_UNDERWAY)
        self.got("0")
        for at in range(MOST_KEPT - 1):
            self.got(f"other {at}", 3600)
        before = len(self.asked)
        self.got("0")
        self.assertEqual(len(self.asked), before)
        self.got("1")
        self.assertEqual(len(self.asked), before + 1)

    def test_stopped(self) -> None:
        """Stopping ends what is under way, and leaves no timer."""
        waiting = self.kept.get("a")
        self.kept.stop()
        self.failureResultOf(waiting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken(self) -> None:
        """A mistake in asking is told to who waits, and not kept."""
        waiting = self.kept.get("a")
        self.asked[0][1].errback(ZeroDivisionError())
        self.failureResultOf(waiting, ZeroDivisionError)
        self.assertEqual(self.got("a"), "of a")
