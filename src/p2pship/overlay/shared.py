"""One undertaking that several wait for: it ends early when nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Shared(Generic[T]):
    """Hands the result of one Deferred to everybody who joins."""

    def __init__(self, begin: Callable[[], Deferred[T]], over: Callable[[], None]) -> None:
        """Prepare what ``begin`` starts when the first one joins; ``over`` is called when there is nothing to join."""
        self._begin = begin
        self._over = over
        self._work: Deferred[T] | None = None
        self._waiting: list[Deferred[T]] = []
        self._is_over = False

    def join(self) -> Deferred[T]:
        """Return a Deferred for the result; when all of them are cancelled, so is the work."""
        waiter: Deferred[T] = Deferred(self._left)
        self._waiting.append(waiter)
        if self._work is None:
            self._work = self._begin()
            self._work.addCallbacks(self.settle, self.fail)
        return waiter

    def settle(self, result: T) -> None:
        """Give everybody this result; work that has not led to one yet is cancelled."""
        self._end(lambda waiter: waiter.callback(result))

    def fail(self, failure: Failure) -> None:
        """Let everybody hear of a failure; work that has not led to one yet is cancelled."""
        self._end(lambda waiter: waiter.errback(failure))

    def _left(self, waiter: Deferred[T]) -> None:
        self._waiting.remove(waiter)
        if not self._waiting:
            self._end(lambda _: None)

    def _end(self, tell: Callable[[Deferred[T]], None]) -> None:
        """Be over, and tell those who wait one by one: what one hears may make another one leave."""
        if self._is_over:
            return
        self._is_over = True
        self._over()
        if self._work is not None:
            self._work.cancel()
        while self._waiting:
            tell(self._waiting.pop(0))
