"""Tests for p2pship.bearer.race."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.bearer.race import race
from p2pship.errors import NotReached


class FakeLink:
    """A link that can only be closed."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def close(self, reason: str) -> None:
        self.closed.append(reason)


class Runner:
    """An attempt that a test decides; one that has a ``late`` link makes it when it is cancelled."""

    def __init__(self, late: FakeLink | None = None) -> None:
        self.cancelled = 0
        self.started = False
        self.result: Deferred[Any] = Deferred(self._cancel)
        self._late = late

    def __call__(self) -> Deferred[Any]:
        self.started = True
        return self.result

    def _cancel(self, result: Deferred[Any]) -> None:
        self.cancelled += 1
        if self._late is not None:
            result.callback(self._late)


class RaceTests(TestCase):
    """Who starts when, who wins, and what becomes of the others."""

    def setUp(self) -> None:
        self.clock = Clock()

    def started(self, runners: list[Runner]) -> list[bool]:
        return [runner.started for runner in runners]

    def test_stagger(self) -> None:
        """They start in order, a quarter of a second apart."""
        runners = [Runner(), Runner(), Runner()]
        race(self.clock, runners).addErrback(lambda _: None)
        self.assertEqual(self.started(runners), [True, False, False])
        self.clock.advance(0.24)
        self.assertEqual(self.started(runners), [True, False, False])
        self.clock.advance(0.01)
        self.assertEqual(self.started(runners), [True, True, False])
        self.clock.advance(0.25)
        self.assertEqual(self.started(runners), [True, True, True])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure_starts_the_next(self) -> None:
        """When one fails the next starts at once, with the whole head start before the one after it."""
        runners = [Runner(), Runner(), Runner()]
        race(self.clock, runners).addErrback(lambda _: None)
        self.clock.advance(0.2)
        runners[0].result.errback(NotReached("no"))
        self.assertEqual(self.started(runners), [True, True, False])
        self.clock.advance(0.24)
        self.assertEqual(self.started(runners), [True, True, False])
        self.clock.advance(0.01)
        self.assertEqual(self.started(runners), [True, True, True])

    def test_first_wins(self) -> None:
        """The first that gets there wins, the others are cancelled, and nobody starts any more."""
        runners, link = [Runner(), Runner(), Runner()], FakeLink()
        result = race(self.clock, runners)
        self.clock.advance(0.25)
        runners[1].result.callback(link)
        self.assertIs(self.successResultOf(result), link)
        self.assertEqual([runner.cancelled for runner in runners], [1, 0, 0])
        self.clock.advance(60)
        self.assertEqual((self.started(runners), link.closed), ([True, True, False], []))

    def test_late_success(self) -> None:
        """A link that is made all the same after the race is closed."""
        late, link = FakeLink(), FakeLink()
        winner = Runner()
        result = race(self.clock, [Runner(late), winner])
        self.clock.advance(0.25)
        winner.result.callback(link)
        self.assertIs(self.successResultOf(result), link)
        self.assertEqual((late.closed, link.closed), (["another path was faster"], []))

    def test_all_fail(self) -> None:
        """When all have failed, the reason of each is told."""
        runners = [Runner(), Runner()]
        result = race(self.clock, runners)
        runners[0].result.errback(NotReached("the first door is locked"))
        runners[1].result.errback(NotReached("nobody at the second"))
        failure = self.failureResultOf(result, NotReached)
        self.assertEqual(failure.getErrorMessage(), "the first door is locked; nobody at the second")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_runs(self) -> None:
        """A race without runners fails."""
        self.failureResultOf(race(self.clock, []), NotReached)

    def test_at_once(self) -> None:
        """An attempt may be decided before it returns."""
        link: Any = FakeLink()
        result = race(self.clock, [lambda: fail(NotReached("no")), lambda: succeed(link), Runner()])
        self.assertIs(self.successResultOf(result), link)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """Cancelling the race cancels all that run, and starts none."""
        runners = [Runner(), Runner(), Runner()]
        result = race(self.clock, runners)
        self.clock.advance(0.25)
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.assertEqual([runner.cancelled for runner in runners], [1, 1, 0])
        self.clock.advance(60)
        self.assertEqual(self.started(runners), [True, True, False])

    def test_bug(self) -> None:
        """An attempt that breaks is logged, and the others go on."""

        def broken() -> Deferred[Any]:
            raise ZeroDivisionError("a bug")

        link: Any = FakeLink()
        result = race(self.clock, [broken, lambda: fail(ZeroDivisionError("another")), lambda: succeed(link)])
        self.assertIs(self.successResultOf(result), link)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
