"""Tests for :mod:`p2pship.overlay.shared`."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pship.overlay.shared import Shared


class SharedTests(SynchronousTestCase):
    """One piece of work, several who wait."""

    def setUp(self) -> None:
        self.work: list[Deferred[str]] = []
        self.over: list[None] = []
        self.shared: Shared[str] = Shared(self.begin, lambda: self.over.append(None))

    def begin(self) -> Deferred[str]:
        """Begin the work."""
        self.work.append(Deferred())
        return self.work[-1]

    def test_once(self) -> None:
        """The work is begun once, and everybody gets its result."""
        both = [self.shared.join(), self.shared.join()]
        self.work[0].callback("done")
        self.assertEqual([self.successResultOf(one) for one in both], ["done", "done"])
        self.assertEqual((len(self.work), len(self.over)), (1, 1))

    def test_failure(self) -> None:
        """Everybody hears of its failure."""
        both = [self.shared.join(), self.shared.join()]
        self.work[0].errback(ValueError())
        for one in both:
            self.failureResultOf(one, ValueError)

    def test_one_leaves(self) -> None:
        """Who leaves takes nothing from the others; when the last has left, the work is cancelled."""
        cancelled: list[object] = []
        both = [self.shared.join(), self.shared.join()]
        self.work[0].addErrback(lambda failure: cancelled.append(failure.trap(CancelledError)))
        both[0].cancel()
        self.failureResultOf(both[0], CancelledError)
        self.assertFalse(self.work[0].called)
        both[1].cancel()
        self.failureResultOf(both[1], CancelledError)
        self.assertTrue(self.work[0].called)
        self.assertEqual(len(self.over), 1)

    def test_settle(self) -> None:
        """A result from elsewhere ends the work."""
        one = self.shared.join()
        self.shared.settle("elsewhere")
        self.assertEqual(self.successResultOf(one), "elsewhere")
        self.assertTrue(self.work[0].called)

    def test_one_makes_another_leave(self) -> None:
        """Who leaves while the others are told hears that it has left, and nothing twice."""
        both = [self.shared.join(), self.shared.join()]
        both[0].addCallback(lambda _: both[1].cancel())
        self.work[0].callback("done")
        self.assertIsNone(self.successResultOf(both[0]))
        self.failureResultOf(both[1], CancelledError)
