"""A staggered race: several ways to the same device are tried, and the first that gets there wins (RFC 8305 §5).

The next attempt begins when the last one has had its head start, or at once when one fails. The winner's rivals are
cancelled; one that arrives all the same is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import NotReached, RemoteError
from p2pship.interfaces import ILink

STAGGER = 0.25
"Seconds of head start: the Connection Attempt Delay that RFC 8305 §5 recommends."

Attempt = Callable[[], Deferred[ILink]]
"Begins to make a link; its failure should be a RemoteError whose text names the way that was tried."


def race(reactor: IReactorTime, attempts: Sequence[Attempt], stagger: float = STAGGER) -> Deferred[ILink]:
    """Return the first link that one of the attempts makes; they begin in this order, ``stagger`` seconds apart.

    Fails with :class:`~p2pship.errors.NotReached` when all have failed; its text holds the reason of each. Cancelling
    it cancels what is under way.
    """
    return _Race(reactor, attempts, stagger).begin()


class _Race:
    """One race. It is over when ``_result`` is None."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, attempts: Sequence[Attempt], stagger: float) -> None:
        self._reactor = reactor
        self._left = list(attempts)
        self._stagger = stagger
        self._running: list[Deferred[ILink]] = []
        self._reasons: list[str] = []
        self._timer: IDelayedCall | None = None
        self._result: Deferred[ILink] | None = Deferred(self._cancelled)

    def begin(self) -> Deferred[ILink]:
        result = self._result
        assert result is not None
        self._next()
        return result

    def _next(self) -> None:
        self._stop_timer()
        if self._result is None:
            return
        if self._left:
            self._try(self._left.pop(0))
        elif not self._running:
            self._end().errback(NotReached("; ".join(self._reasons) or "there is no address to dial"))

    def _try(self, attempt: Attempt) -> None:
        if self._left:
            self._timer = self._reactor.callLater(self._stagger, self._next)
        try:
            running = attempt()
        except Exception:  # noqa: BLE001 (one way's bug must not keep the others from being tried)
            self._failed(Failure(), None)
            return
        self._running.append(running)
        running.addCallbacks(self._arrived, self._failed, callbackArgs=(running,), errbackArgs=(running,))

    def _arrived(self, link: ILink, running: Deferred[ILink]) -> None:
        self._running.remove(running)
        if self._result is None:
            link.close("another path was faster")
            return
        self._end().callback(link)

    def _failed(self, failure: Failure, running: Deferred[ILink] | None) -> None:
        if running is not None:
            self._running.remove(running)
        if self._result is None and failure.check(CancelledError, RemoteError):
            return
        if not failure.check(RemoteError):
            self.log.failure("an attempt to make a link failed in an unforeseen way", failure)
        self._reasons.append(str(failure.value) or type(failure.value).__name__)
        self._next()

    def _cancelled(self, _result: Deferred[ILink]) -> None:
        self._end()

    def _end(self) -> Deferred[ILink]:
        result, self._result = self._result, None
        assert result is not None
        self._stop_timer()
        for running in tuple(self._running):
            running.cancel()
        return result

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
