"""Work that waits for a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.server import batches
from p2pship.lookup.http.server.batches import Batches
from p2pship.lookup.http.server.store import StoreFailed


class ByHand:
    """A thread that works when the test says so, and a reactor that is told at once."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], None], Future[None]]] = []
        self.batches: list[list[int]] = []
        self.failing = False

    def callFromThread(self, call: Callable[..., object], *arguments: Any) -> None:
        """Call at once."""
        call(*arguments)

    def submit(self, call: Callable[[], None]) -> Future[None]:
        """Take something to be done."""
        future: Future[None] = Future()
        self.waiting.append((call, future))
        return future

    def do(self, batch: Sequence[int]) -> list[int]:
        """Double numbers."""
        self.batches.append(list(batch))
        if self.failing:
            raise ValueError("no disk")
        return [2 * number for number in batch]

    def work(self) -> None:
        """Do what waits first."""
        call, future = self.waiting.pop(0)
        try:
            call()
        except ValueError as error:
            future.set_exception(error)
        else:
            future.set_result(None)


class BatchesTests(SynchronousTestCase):
    """What comes while the thread is busy is done in one go."""

    def setUp(self) -> None:
        self.thread = ByHand()
        self.batches: Batches[int, int] = Batches(self.thread, self.thread.submit, self.thread.do)

    def add(self, *numbers: int) -> list[Deferred[int]]:
        """Add work."""
        return [self.batches.add(number) for number in numbers]

    def test_together(self) -> None:
        """The first goes at once, the others wait for it and go together; each has its own result."""
        done = self.add(1, 2, 3)
        self.thread.work()
        self.assertEqual(self.successResultOf(done[0]), 2)
        self.assertNoResult(done[1])
        self.thread.work()
        self.assertEqual([self.successResultOf(each) for each in done[1:]], [4, 6])
        self.assertEqual(self.thread.batches, [[1], [2, 3]])

    def test_failure(self) -> None:
        """A batch that fails fails whole, and the next one is tried; that it fails is said once."""
        said: list[Any] = []
        globalLogPublisher.addObserver(said.append)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, said.append)  # type: ignore[arg-type]
        self.thread.failing = True
        done = self.add(1, 2)
        self.thread.work()
        self.thread.work()
        for each in done:
            self.assertIn("no disk", str(self.failureResultOf(each, StoreFailed).value))
        self.assertEqual(len(said), 1)
        self.thread.failing = False
        (last,) = self.add(3)
        self.thread.work()
        self.assertEqual(self.successResultOf(last), 6)

    def test_too_much(self) -> None:
        """Only so much waits; what is too much is refused, and the rest done in parts."""
        self.patch(batches, "MOST_WAITING", 5)
        self.patch(batches, "LARGEST_BATCH", 2)
        done = self.add(*range(7))
        self.failureResultOf(done.pop(), StoreFailed)
        while self.thread.waiting:
            self.thread.work()
        self.assertEqual([self.successResultOf(each) for each in done], [0, 2, 4, 6, 8, 10])
        self.assertEqual(self.thread.batches, [[0], [1, 2], [3, 4], [5]])

    def test_cancelled(self) -> None:
        """Who does not wait any longer is not told, and it is done."""
        first, second = self.add(1, 2)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        idle = self.batches.when_idle()
        self.thread.work()
        self.assertNoResult(idle)
        self.thread.work()
        self.successResultOf(idle)
        self.assertEqual((self.successResultOf(first), self.thread.batches), (2, [[1], [2]]))
