"""When which thing has something to do: the earliest first, each at most once."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

MOST_EMPTY = 1_000
"Entries of things that were dropped or have found something earlier; with more of them than of others, they are cleared out."


class Agenda(Generic[T]):
    """Things with the time when each is due. Who is dropped is held no longer."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._turn = 0
        self._things: dict[int, T] = {}
        self._noted: dict[T, tuple[float, int]] = {}

    def note(self, thing: T, due: float) -> None:
        """Note that a thing is due at a time, unless it is due earlier already: it then says again when."""
        noted = self._noted.get(thing)
        if noted is not None and noted[0] <= due:
            return
        self.drop(thing)
        self._turn += 1
        self._things[self._turn] = thing
        self._noted[thing] = due, self._turn
        heapq.heappush(self._heap, (due, self._turn))

    def drop(self, thing: T) -> None:
        """Forget a thing; harmless if it is not there."""
        noted = self._noted.pop(thing, None)
        if noted is None:
            return
        del self._things[noted[1]]
        if len(self._heap) > 2 * len(self._things) + MOST_EMPTY:
            self._heap = sorted(self._noted.values())

    def due(self) -> float | None:
        """Return when the first thing is due; None if there is none."""
        while self._heap and self._heap[0][1] not in self._things:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> list[T]:
        """Return what is due, earliest first; it is no longer noted then."""
        taken = []
        while (due := self.due()) is not None and due <= now:
            thing = self._things[heapq.heappop(self._heap)[1]]
            del self._things[self._noted.pop(thing)[1]]
            taken.append(thing)
        return taken
