"""What a server has done, as numbers in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

PREFIX = "p2pship_rendezvous_"

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"Seconds at which the times of requests are parted, from a question answered from memory to a disk that is in trouble."


class Histogram:
    """How often something took how long."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count a time."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str, labels: str) -> list[str]:
        """Return the lines of the text format."""
        lines, total = [], 0
        for bound, count in zip((*BOUNDS, "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
        return [*lines, f"{name}_sum{{{labels}}} {self._sum:.6f}", f"{name}_count{{{labels}}} {total}"]


class Metrics:
    """The numbers of one server."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._seconds: dict[str, Histogram] = {}
        self._gauges: dict[str, Callable[[], float]] = {}
        self.events = 0
        "changes that were pushed to subscribers"
        self.dropped = 0
        "subscribers that were too slow for what was pushed"

    def answered(self, what: str, status: int, seconds: float) -> None:
        """Count a request: ``put``, ``list``, ``one`` and so on, with the status and time of its answer."""
        self._requests[what, status] += 1
        if what not in self._seconds:
            self._seconds[what] = Histogram()
        self._seconds[what].add(seconds)

    def outcome(self, word: str) -> None:
        """Count what became of a put."""
        self._outcomes[word] += 1

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Tell a number that goes up and down, as ``read`` says it."""
        self._gauges[name] = read

    def text(self) -> str:
        """Return everything in the text format."""
        lines = [f"# TYPE {PREFIX}requests_total counter"]
        for (what, status), number in sorted(self._requests.items()):
            lines.append(f'{PREFIX}requests_total{{request="{what}",status="{status}"}} {number}')
        lines.append(f"# TYPE {PREFIX}puts_total counter")
        lines += [
            f'{PREFIX}puts_total{{outcome="{word}"}} {number}'
            for word, number in sorted(self._outcomes.items())
        ]
        lines.append(f"# TYPE {PREFIX}request_seconds histogram")
        for what, histogram in sorted(self._seconds.items()):
            lines += histogram.lines(f"{PREFIX}request_seconds", f'request="{what}"')
        for name, count in (("events_total", self.events), ("dropped_subscriptions_total", self.dropped)):
            lines += [f"# TYPE {PREFIX}{name} counter", f"{PREFIX}{name} {count}"]
        for name, read in sorted(self._gauges.items()):
            lines += [f"# TYPE {PREFIX}{name} gauge", f"{PREFIX}{name} {read()}"]
        return "\n".join(lines) + "\n"
