"""What was asked for is kept for as long as it holds, and asked for once, however many want it at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pship.trust.dnssec import DNSFailed

SHORTEST_KEPT, LONGEST_KEPT = 60, 3600
"Seconds that an answer is kept: what it says itself, within these. An administrator who changes records waits for an hour at most."

FAILURE_KEPT = 10.0
"Seconds that a failure is kept: the search of a call asks for several things, and the next call may have more luck."

MOST_KEPT = 500
"Answers kept, 500 kB at the worst; the one not asked for for longest is forgotten."

MOST_UNDERWAY = 32
"Things asked for at once: one for each search, and searches are the phones' own."

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Asks for things by name with ``ask``, which returns the thing and for how many seconds it holds, or fails with DNSFailed."""

    def __init__(
        self, clock: IReactorTime, ask: Callable[[str], Awaitable[tuple[Value, int]]], seconds: float
    ) -> None:
        """``seconds`` is how long an answer is waited for."""
        self._clock = clock
        self._ask = ask
        self._seconds = seconds
        self._kept: OrderedDict[str, tuple[float, Value | DNSFailed]] = OrderedDict()
        self._waiting: dict[str, list[Deferred[Value]]] = {}
        self._under_way: dict[str, Deferred[None]] = {}

    def get(self, name: str) -> Deferred[Value]:
        """Return what there is; fails with DNSFailed. Cancelling ends the waiting only."""
        until, kept = self._kept.get(name, (0.0, None))
        if kept is not None and until > self._clock.seconds():
            self._kept.move_to_end(name)
            return fail(kept) if isinstance(kept, DNSFailed) else succeed(kept)
        is_new = name not in self._waiting
        if is_new and len(self._waiting) >= MOST_UNDERWAY:
            return fail(DNSFailed("the DNS is asked for too much at once"))
        answer: Deferred[Value] = Deferred(lambda one: self._forget(name, one))
        self._waiting.setdefault(name, []).append(answer)
        if is_new:
            self._begin(name)
        return answer

    def forget(self) -> None:
        """Ask anew for what is wanted from now on."""
        self._kept.clear()

    def stop(self) -> None:
        """Ask no more; whoever still waits is told with CancelledError."""
        for asked in tuple(self._under_way.values()):
            asked.cancel()

    def _begin(self, name: str) -> None:
        asked = Deferred.fromCoroutine(self._asked(name))
        asked.addTimeout(self._seconds, self._clock, _timed_out)
        done = asked.addCallbacks(self._came, self._failed, callbackArgs=(name,), errbackArgs=(name,))
        if name in self._waiting:
            self._under_way[name] = done

    async def _asked(self, name: str) -> tuple[Value, int]:
        return await self._ask(name)

    def _came(self, result: tuple[Value, int], name: str) -> None:
        self._under_way.pop(name, None)
        value, lifetime = result
        self._keep(name, value, min(max(lifetime, SHORTEST_KEPT), LONGEST_KEPT))
        for waiting in self._waiting.pop(name, ()):
            waiting.callback(value)

    def _failed(self, failure: Failure, name: str) -> None:
        self._under_way.pop(name, None)
        error = failure.value
        if isinstance(error, DNSFailed):
            self._keep(name, error, FAILURE_KEPT)
        for waiting in self._waiting.pop(name, ()):
            waiting.errback(failure)

    def _keep(self, name: str, value: Value | DNSFailed, seconds: float) -> None:
        self._kept[name] = self._clock.seconds() + seconds, value
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _forget(self, name: str, answer: Deferred[Value]) -> None:
        waiting = self._waiting.get(name, [])
        if answer in waiting:
            waiting.remove(answer)


def _timed_out(result: object, seconds: float) -> Failure:
    return Failure(DNSFailed(f"the DNS does not answer within {seconds:.1f} s"))
