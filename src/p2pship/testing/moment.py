"""What tests wait for: something that happens once, and something that comes to be true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

T = TypeVar("T")


class Moment(Generic[T]):
    """Happens or fails once; what comes later changes nothing."""

    def __init__(self) -> None:
        self._outcome: list[T] = []
        self._failure: Failure | None = None
        self._waiting: list[Deferred[T]] = []

    @property
    def passed(self) -> bool:
        """Whether it has happened or failed."""
        return bool(self._outcome) or self._failure is not None

    def wait(self) -> Deferred[T]:
        """Return a Deferred of one's own that fires when it happens, or at once if it has."""
        if self._outcome:
            return succeed(self._outcome[0])
        if self._failure is not None:
            return fail(self._failure)
        waiting: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def fire(self, value: T) -> None:
        """It happens, with a value."""
        if self.passed:
            return
        self._outcome.append(value)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(value)

    def fail(self, error: Exception) -> None:
        """It will not happen any more."""
        if self.passed:
            return
        self._failure = Failure(error)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(self._failure)


class Conditions:
    """What somebody waits for to be true; whoever changes things calls :meth:`check`."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], Moment[None]]] = []

    def wait(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Return a Deferred that fires when the condition is true, or at once if it is."""
        moment: Moment[None] = Moment()
        self._waiting.append((condition, moment))
        self.check()
        return moment.wait()

    def check(self) -> None:
        """Ask every condition."""
        met = [entry for entry in self._waiting if entry[0]()]
        for entry in met:
            self._waiting.remove(entry)
            entry[1].fire(None)
