"""Whose turn it is: what waits to be served, each sender in turn, so that one who sends much only delays itself.

Theory of operation. Each sender has a queue, and one item is served of each before any has a second. All queues together
hold a fixed number of octets, and a queue may grow to an eighth of what is left of them (the dynamic threshold of
Choudhury and Hahne). So a single sender may be far ahead of us, many of them still leave room for one who comes new, and
nobody has to be told apart in advance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

CAPACITY = 16 << 20
"Octets in all queues: a quarter of a second of messages for a busy node, and little beside its memory."
SHARE = 8
"A queue may hold as much as one part in so many of what is free."
OVERHEAD = 512
"Octets that an item counts for beside its own: an empty one is not free."

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Items that wait, by sender."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._queues: dict[Hashable, deque[tuple[int, Item]]] = {}
        self._held: dict[Hashable, int] = {}
        self._order: deque[Hashable] = deque()
        self._free = capacity

    def __bool__(self) -> bool:
        return bool(self._order)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, sender: Hashable, octets: int, item: Item) -> bool:
        """Let an item of so many octets wait for the turn of its sender; False if there is no room for it."""
        cost = octets + OVERHEAD
        held = self._held.get(sender, 0)
        if (held and held + cost > self._free // SHARE) or cost > self._free:
            return False
        queue = self._queues.get(sender)
        if queue is None:
            queue = self._queues[sender] = deque()
            self._order.append(sender)
        queue.append((cost, item))
        self._held[sender] = held + cost
        self._free -= cost
        return True

    def next(self) -> Item:
        """Remove and return the next item.

        :raises IndexError: if there is none.
        """
        sender = self._order.popleft()
        queue = self._queues[sender]
        cost, item = queue.popleft()
        self._free += cost
        if queue:
            self._held[sender] -= cost
            self._order.append(sender)
        else:
            del self._queues[sender], self._held[sender]
        return item

    def forget(self, sender: Hashable) -> None:
        """Drop all that waits of one sender; harmless if nothing does."""
        if sender in self._queues:
            self._free += self._held.pop(sender)
            del self._queues[sender]
            self._order.remove(sender)

    def clear(self) -> None:
        """Drop all that waits."""
        for sender in tuple(self._queues):
            self.forget(sender)
