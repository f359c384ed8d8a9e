"""Two ends of an ARQ and the path between them, in a time that runs as fast as it can."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random

from p2pship.bearer.arq import ARQ
from p2pship.bearer.pathmtu import PathMTU
from p2pship.errors import RemoteError

OVERHEAD = 57
"Octets of headers that the bearer ``udp`` has on IPv4."

Fate = Callable[[int], list[float]]
"Says for the nth datagram after how many seconds it arrives, once for each copy."


def always(delay: float) -> Fate:
    """Return the fate of a clean path."""
    return lambda _number: [delay]


def rough(seed: int, loss: float, delay: float, jitter: float = 0.0, twice: float = 0.0) -> Fate:
    """Return the fate of a path that loses, overtakes and repeats."""
    random = Random(seed)

    def fate(_number: int) -> list[float]:
        copies = 0 if random.random() < loss else 2 if random.random() < twice else 1
        return [delay + random.random() * jitter for _ in range(copies)]

    return fate


class Path:
    """What the two ends say to each other, and when."""

    def __init__(self, there: Fate, back: Fate | None = None, released: bool = True) -> None:
        self.now = 1000.0
        self.mtus = (PathMTU(OVERHEAD), PathMTU(OVERHEAD))
        self.ends = (ARQ(self.mtus[0]), ARQ(self.mtus[1]))
        self.frames: tuple[list[bytes], list[bytes]] = ([], [])
        self.largest = 65_535
        "octets of the largest datagram that passes, with its headers"
        self.octets = [0, 0]
        "what each end has sent"
        self.datagrams = [0, 0]
        self.refused = 0
        self.reading = [True, released]
        self._fates = (there, back or there)
        self._on_way: list[tuple[float, int, int, bytes]] = []
        self._order = itertools.count()
        self.release(0)
        if released:
            self.release(1)

    def release(self, end: int) -> None:
        """Let the other end send as much as it likes."""
        self.reading[end] = True
        self.ends[end].release()
        self.flush(end)

    def send(self, end: int, *frames: bytes) -> None:
        """Send frames from an end."""
        for frame in frames:
            self.ends[end].send(frame)
        self.flush(end)

    def flush(self, end: int) -> None:
        """Put on the way what an end has to say."""
        for segment in self.ends[end].outgoing(self.now):
            self.octets[end] += len(segment) + OVERHEAD
            number = self.datagrams[end]
            self.datagrams[end] += 1
            for delay in self._fates[end](number):
                if len(segment) + OVERHEAD <= self.largest:
                    item = (self.now + delay, next(self._order), 1 - end, segment)
                    heapq.heappush(self._on_way, item)

    def step(self) -> bool:
        """Let the next thing happen; returns whether there was one."""
        times = [self._on_way[0][0]] if self._on_way else []
        dues = [due for end in self.ends if (due := end.due()) is not None]
        if not times and not dues:
            return False
        self.now = max(self.now, min(times + dues))
        self._deliver()
        for number, end in enumerate(self.ends):
            due = end.due()
            if due is not None and due <= self.now:
                end.timer_fired(self.now)
                self.flush(number)
        return True

    def _deliver(self) -> None:
        heard = set()
        while self._on_way and self._on_way[0][0] <= self.now:
            _at, _order, end, segment = heapq.heappop(self._on_way)
            self.inject(end, segment)
            heard.add(end)
        for end in heard:
            self.flush(end)

    def inject(self, end: int, segment: bytes) -> None:
        """Hand a segment to an end."""
        try:
            self.ends[end].received(segment, self.now)
        except RemoteError:
            self.refused += 1
        if self.reading[end]:
            self.frames[end].extend(self.ends[end].frames())

    def settle(self) -> None:
        """Let everything happen that is still to come."""
        while self.step():
            pass

    def run(self, seconds: float = 600.0, until: Callable[[], object] | None = None) -> None:
        """Let things happen until all has arrived, or the time is over."""
        condition = until or (lambda: self.ends[0].done and self.ends[1].done)
        ends_at = self.now + seconds
        while not condition():
            if not self.step() or self.now > ends_at:
                return
