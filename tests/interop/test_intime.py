"""What a busy machine makes late is tried again, and nothing else is."""

from __future__ import annotations

import traceback
from math import inf

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.namespace import NamespaceScriptFailed
from tests.interop import intime
from tests.interop.intime import Late, at_best, check_in_time, in_time


def failure(took: float) -> NamespaceScriptFailed:
    """Return what a script fails with in which something took so long."""
    try:
        check_in_time(took, 1.0)
    except Late:
        return NamespaceScriptFailed(traceback.format_exc())
    return NamespaceScriptFailed("something else is wrong")


class InTimeTests(SynchronousTestCase):
    """Scripts, here what becomes of them."""

    def setUp(self) -> None:
        self.patch(intime, "TRIES", 3)
        self.runs = 0

    def run_all(self, *outcomes: Deferred[str]) -> Deferred[str]:
        """Run a script that has these outcomes, one after the other."""
        self.runs = 0

        def run() -> Deferred[str]:
            self.runs += 1
            return outcomes[self.runs - 1]

        return Deferred.fromCoroutine(in_time(run))

    def test_late_once(self) -> None:
        """Who is late is asked again, and what is printed then counts."""
        self.assertEqual(self.successResultOf(self.run_all(fail(failure(1.5)), succeed("fine"))), "fine")

    def test_late_always(self) -> None:
        """Who is late each time fails."""
        self.failureResultOf(self.run_all(*(fail(failure(inf)) for _ in range(3))), NamespaceScriptFailed)
        self.assertEqual(self.runs, 3)

    def test_at_best(self) -> None:
        """What fails twice and then does not is good; what fails each time is not."""
        outcomes = [AssertionError("once"), AssertionError("twice"), None]

        async def attempt() -> None:
            self.runs += 1
            if (outcome := outcomes[(self.runs - 1) % len(outcomes)]) is not None:
                raise outcome

        self.successResultOf(Deferred.fromCoroutine(at_best(attempt)))
        self.assertEqual(self.runs, 3)
        outcomes[2] = AssertionError("thrice")
        failed = self.failureResultOf(Deferred.fromCoroutine(at_best(attempt)), AssertionError)
        self.assertEqual((str(failed.value), self.runs), ("thrice", 6))

    def test_other_failures(self) -> None:
        """What else is wrong fails at once."""
        self.failureResultOf(self.run_all(fail(failure(0.5))), NamespaceScriptFailed)
        self.assertEqual(self.runs, 1)
