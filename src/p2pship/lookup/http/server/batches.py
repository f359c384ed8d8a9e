"""Work that is done in a thread, and in one go what came while the thread was busy: one fsync serves many puts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import LocalError
from p2pship.lookup.http.server.store import StoreFailed

W = TypeVar("W")
R = TypeVar("R")

MOST_WAITING = 10_000
"""Pieces of work that wait, 30 MB of slots: what takes the disk longer than a second is refused, since who waits longer for an
answer asks again."""

LARGEST_BATCH = 500
"Pieces that are done in one go, in some 20 ms: the first of them waits for the last."


class Batches(Generic[W, R]):
    """Pieces of work ``W`` with results ``R``; what is done at once succeeds or fails as a whole."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        submit: Callable[[Callable[[], None]], Future[None]],
        do: Callable[[Sequence[W]], list[R]],
    ) -> None:
        """``submit`` has something called in the thread; ``do`` is called there and returns the results, in order."""
        self._reactor = reactor
        self._submit = submit
        self._do = do
        self._waiting: list[tuple[W, Deferred[R]]] = []
        self._under_way: list[tuple[W, Deferred[R]]] = []
        self._idle: list[Deferred[None]] = []
        self._said = False  # that the store fails

    def add(self, work: W) -> Deferred[R]:
        """Have a piece of work done; fires with its result, or fails with StoreFailed."""
        if len(self._waiting) >= MOST_WAITING:
            return fail(StoreFailed("too much is waiting for the disk"))
        done: Deferred[R] = Deferred()  # cancelled, it is not told; what is to be done is done
        self._waiting.append((work, done))
        if not self._under_way:
            self._begin()
        return done

    def when_idle(self) -> Deferred[None]:
        """Return a Deferred that fires when nothing waits or is being done."""
        done: Deferred[None] = Deferred()
        self._idle.append(done)
        self._tell_idle()
        return done

    def _begin(self) -> None:
        self._under_way, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
        if not self._under_way:
            return
        batch = [work for work, _ in self._under_way]
        results: list[R] = []
        future = self._submit(lambda: results.extend(self._do(batch)))
        future.add_done_callback(lambda _: self._reactor.callFromThread(self._done, future, results))

    def _done(self, future: Future[None], results: list[R]) -> None:
        batch = self._under_way
        self._begin()  # the thread goes on while the answers are written
        error = future.exception()
        if error is None:
            self._said = False
            for (_, done), result in zip(batch, results, strict=True):
                done.callback(result)
        else:
            self._fail(batch, error)
        self._tell_idle()

    def _fail(self, batch: list[tuple[W, Deferred[R]]], error: BaseException) -> None:
        if not self._said:
            self.log.error("the store failed: {error}; it is tried again as requests come", error=error)
        self._said = True
        told = error if isinstance(error, LocalError) else StoreFailed(f"{type(error).__name__}: {error}")
        for _, done in batch:
            done.errback(Failure(StoreFailed(str(told))))

    def _tell_idle(self) -> None:
        if self._under_way or self._waiting:
            return
        idle, self._idle = self._idle, []
        for each in idle:
            each.callback(None)
