"""Tests that the time of a refusal tells nothing about its cause, on the real clock."""

from __future__ import annotations

import statistics
from itertools import combinations
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.trial.unittest import TestCase

from p2pship.interfaces import ILink
from p2pship.overlay.greeting import REFUSAL_DELAY
from p2pship.overlay.hello import HelloBody
from p2pship.overlay.wire import Hello, encode
from p2pship.testing.bearer import MemoryNetwork
from tests.overlay.nodes import BOB, DeafReceiver, Directory, Node, OverlayCase, StartedClock

ROUNDS = 50
MALLORY = "mallory@example.com"
ELSEWHERE = "bob@work.example"
"Another identity of Bob's node, which has a device of its own."


class Stopwatch(DeafReceiver):
    """Says a hello, and measures the time to the first frame that comes."""

    def __init__(self, clock: Any, link: ILink, hello: bytes) -> None:
        self._clock = clock
        self._link = link
        self._hello = hello
        self._began = 0.0
        self.took: Deferred[float] = Deferred()

    def run(self) -> Deferred[float]:
        """Begin."""
        self._link.start(self)
        self._began = self._clock.seconds()
        self._link.send(encode(Hello(self._hello), 1))
        return self.took

    def frame_received(self, frame: bytes) -> None:
        """Measure."""
        if not self.took.called:
            self.took.callback(self._clock.seconds() - self._began)


class RefusalTimeTests(TestCase):
    """The causes take turns, so that whatever else the machine does falls on each alike."""

    def setUp(self) -> None:
        self.clock = cast(StartedClock, reactor)
        self.network = MemoryNetwork()
        self.directory = Directory(self.clock)
        case = cast(OverlayCase, self)
        self.bob = Node(case, BOB, admit=lambda *_: False)
        self.bob.keyring.create(ELSEWHERE, separate=True)
        self.mallory = Node(case, MALLORY)
        causes = ("blocked", "not here", "forged", "another device")
        self.times: dict[str, list[float]] = {cause: [] for cause in causes}
        for node in (self.bob, self.mallory):
            self.addCleanup(node.bearer.stop)
            self.addCleanup(node.overlay.stop)

    def hello(self, cause: str) -> bytes:
        """Return a hello that is refused for this cause."""
        identity = self.mallory.own
        record = self.mallory.keyring.record_for(identity, (), self.clock.seconds())
        called = {"not here": "nobody@example.com", "another device": ELSEWHERE}.get(cause, BOB)
        if cause == "forged":
            record = record[:-1] + bytes([record[-1] ^ 1])
        return HelloBody(called, identity.statement, record, 7, 0, 0, ("sip",)).encode()

    async def measure(self, causes: list[str]) -> None:
        """Measure a refusal for each of these causes, all at the same time."""
        key, locators = self.bob.keyring.device.key, self.bob.locators()
        links = await gatherResults(
            [self.mallory.bearer.dial(key, locators, self.mallory.keyring.device) for _ in causes]
        )
        watches = [
            Stopwatch(self.clock, link, self.hello(cause)) for link, cause in zip(links, causes, strict=True)
        ]
        results = await DeferredList([watch.run() for watch in watches], fireOnOneErrback=True)
        for cause, (_, took) in zip(causes, results, strict=True):
            self.times[cause].append(took)

    async def test_medians(self) -> None:
        """Refusals for four causes differ, in the median of 50, by less than a millisecond.

        Those made at the same time are compared, so that a busy machine does not count.
        """
        causes = list(self.times)
        for _ in range(ROUNDS):
            await self.measure(causes)
            causes.append(causes.pop(0))
        self.assertGreater(min(map(statistics.median, self.times.values())), REFUSAL_DELAY)
        for one, other in combinations(self.times.values(), 2):
            differences = [a - b for a, b in zip(one, other, strict=True)]
            self.assertLess(abs(statistics.median(differences)), 0.001)
