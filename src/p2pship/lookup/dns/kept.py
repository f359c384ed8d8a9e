"""What was asked for is kept for as long as it holds, and asked for once, however many want it at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pship.trust.dnssec import DNSFailed

SHORTEST_KEPT, LONGEST_KEPT = 60, 3600
"Seconds that an answer is kept: what it says itself, within these. An administrator who changes records waits for an hour at most."

FAILURE_KEPT = 10.0
"Seconds that a failure is kept: the search of a call asks for several things, and the next call may have more luck."

MOST_KEPT = 500
"Answers kept, 3 MB at the worst; the one not asked for for longest is forgotten."

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
        self._under_way: set[Deferred[Any]] = set()

    def get(self, name: str) -> Deferred[Value]:
        """Return what there is; fails with DNSFailed. Cancelling ends the waiting only."""
        until, kept = self._kept.get(name, (0.0, None))
        if kept is not None and until > self._clock.seconds():
            self._kept.move_to_end(name)
            return fail(kept) if isinstance(kept, DNSFailed) else succeed(kept)
        is_new = name not in self._waiting
        if is_new and len(self._under_way) >= MOST_UNDERWAY:
            return fail(DNSFailed("the DNS is asked for too much at once"))
        waiting = self._waiting.setdefault(name, [])
        answer: Deferred[Value] = Deferred(lambda one: waiting.remove(one) if one in waiting else None)
        waiting.append(answer)
        if is_new:
            self._begin(name, waiting)
        return answer

    def forget(self) -> None:
        """Ask anew for what is wanted from now on; who waits already is told what comes, which is not kept."""
        self._kept.clear()
        self._waiting.clear()

    def stop(self) -> None:
        """Ask no more; whoever still waits is told with CancelledError."""
        for asked in tuple(self._under_way):
            asked.cancel()

    def _begin(self, name: str, waiting: list[Deferred[Value]]) -> None:
        asked: Deferred[Any] = Deferred.fromCoroutine(self._asked(name))
        self._under_way.add(asked)
        asked.addTimeout(self._seconds, self._clock, _timed_out)
        asked.addBoth(self._ended, asked)
        asked.addCallbacks(self._came, self._failed, (name, waiting), {}, (name, waiting))

    async def _asked(self, name: str) -> tuple[Value, int]:
        return await self._ask(name)

    def _ended(self, result: Any, asked: Deferred[Any]) -> Any:
        self._under_way.discard(asked)
        return result

    def _came(self, result: tuple[Value, int], name: str, waiting: list[Deferred[Value]]) -> None:
        value, lifetime = result
        self._keep(name, waiting, value, min(max(lifetime, SHORTEST_KEPT), LONGEST_KEPT))
        while waiting:  # one may have another give up
            waiting.pop(0).callback(value)

    def _failed(self, failure: Failure, name: str, waiting: list[Deferred[Value]]) -> None:
        error = failure.value if isinstance(failure.value, DNSFailed) else None
        self._keep(name, waiting, error, FAILURE_KEPT)
        while waiting:
            waiting.pop(0).errback(failure)

    def _keep(
        self, name: str, waiting: list[Deferred[Value]], value: Value | DNSFailed | None, seconds: float
    ) -> None:
        """Keep what came, unless all was forgotten meanwhile, or it is a mistake of ours (None)."""
        if self._waiting.get(name) is not waiting:
            return
        del self._waiting[name]
        if value is None:
            return
        self._kept[name] = self._clock.seconds() + seconds, value
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def _timed_out(result: object, seconds: float) -> Failure:
    return Failure(DNSFailed(f"the DNS does not answer within {seconds:.1f} s"))
