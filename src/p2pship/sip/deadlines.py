"""Many deadlines, kept with a single delayed call of the reactor."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

EARLY = 0.001
"""Seconds by which a deadline may be met too soon: the reactor's clock and Unix time as a float do not agree on the
last bits, and a second delayed call for the difference would be a waste."""
STALE = 64
"Entries that are no longer true and wait in the heap, besides as many as are true, before they are swept out."

Thing = TypeVar("Thing")


class Deadlines(Generic[Thing]):
    """Calls back once for each thing when its time has come.

    Setting a deadline costs a push on a heap, whatever the number of things; one that is set anew or taken away leaves
    a stale entry, and these never outnumber the true ones by more than ``STALE``.
    """

    def __init__(self, clock: IReactorTime, fired: Callable[[Thing, float], None]) -> None:
        """``fired`` gets the thing and the time, which is never before its deadline."""
        self._clock = clock
        self._fired = fired
        self._due: dict[Thing, float] = {}
        self._heap: list[tuple[float, int, Thing]] = []
        self._order = count()
        self._call: IDelayedCall | None = None
        self._call_at = 0.0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._due)

    def set(self, thing: Thing, due: float | None) -> None:
        """Set the deadline of a thing, in place of the one that it had; None takes it away."""
        if due == self._due.get(thing):
            return
        if due is None or self._stopped:
            self._due.pop(thing, None)
        else:
            self._due[thing] = due
            heappush(self._heap, (due, next(self._order), thing))
        if len(self._heap) > 2 * len(self._due) + STALE:
            self._sweep()
        if self._call is None or not self._due or self._heap[0][0] < self._call_at:
            self._arm()

    def stop(self) -> None:
        """Forget all deadlines, and take no more."""
        self._stopped = True
        self._due.clear()
        self._heap.clear()
        self._arm()

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
        heapify(self._heap)

    def _arm(self) -> None:
        """Have the reactor call at the first deadline; a call that comes too early does no harm and stays."""
        if self._call is not None and self._due and self._call_at <= self._heap[0][0]:
            return
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if not self._due:
            return
        self._call_at = self._heap[0][0]
        self._call = self._clock.callLater(max(0.0, self._call_at - self._clock.seconds()), self._wake)

    def _wake(self) -> None:
        self._call = None
        try:
            self._fire(self._clock.seconds())
        finally:
            self._arm()

    def _fire(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now + EARLY:
            due, _, thing = heappop(self._heap)
            if self._due.get(thing) == due:
                del self._due[thing]
                self._fired(thing, max(now, due))
