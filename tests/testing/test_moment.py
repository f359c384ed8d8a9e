"""Tests of moments and conditions."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.moment import Conditions, Moment


class MomentTests(SynchronousTestCase):
    """Something that happens once."""

    def test_fires_for_all(self) -> None:
        """Everybody who waits gets the value, before or after; a second value changes nothing."""
        moment: Moment[int] = Moment()
        early = [moment.wait(), moment.wait()]
        moment.fire(1)
        moment.fire(2)
        moment.fail(ValueError())
        self.assertEqual([self.successResultOf(each) for each in (*early, moment.wait())], [1, 1, 1])
        self.assertTrue(moment.passed)

    def test_fails_for_all(self) -> None:
        """Everybody who waits gets the failure; one that nobody waits for disturbs nobody."""
        moment: Moment[int] = Moment()
        early = moment.wait()
        moment.fail(ValueError())
        moment.fire(1)
        for each in (early, moment.wait()):
            self.failureResultOf(each, ValueError)

    def test_none_is_a_value(self) -> None:
        """It can happen without anything to say."""
        moment: Moment[None] = Moment()
        moment.fire(None)
        self.assertIsNone(self.successResultOf(moment.wait()))

    def test_cancel(self) -> None:
        """Who stops to wait leaves the others waiting."""
        moment: Moment[int] = Moment()
        first, second = moment.wait(), moment.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        moment.fire(1)
        self.assertEqual(self.successResultOf(second), 1)


class ConditionsTests(SynchronousTestCase):
    """Something that comes to be true."""

    def test_wait(self) -> None:
        """It fires when the condition is true at a check, or at once."""
        conditions, things = Conditions(), [1]
        at_once, later = conditions.wait(lambda: bool(things)), conditions.wait(lambda: len(things) == 2)
        self.successResultOf(at_once)
        self.assertNoResult(later)
        things.append(2)
        conditions.check()
        self.successResultOf(later)
