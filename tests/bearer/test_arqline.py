"""Tests for p2pship.bearer.arq on a line that is narrow, and shared: what it leaves to others, and how much of it is used."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.arq import ARQ
from p2pship.bearer.pathmtu import PathMTU
from p2pship.testing.line import Conditions, Line
from tests.bearer.arqpath import OVERHEAD
from tests.scale import SEED

RATE = 256_000
"bits a second: a poor uplink, whose router has a queue of 0.5 s"

PACKET = b"\xff".ljust(200)
"a media packet with all its headers"

PAUSE = 0.02
"seconds between media packets"


class NarrowLine:
    """Flows that always have more to send, over one line there and one back, and perhaps a voice beside them."""

    def __init__(self, flows: int, voice: bool = False) -> None:
        conditions = Conditions(rate=RATE, delay=0.05)
        self.lines = Line(conditions, SEED), Line(conditions, SEED + 1)
        self.ends = [[ARQ(PathMTU(OVERHEAD)) for _ in range(flows)] for _side in range(2)]
        self.arrived = [0] * flows
        "octets of each flow"
        self.spoken = self.heard = 0
        "packets of the voice"
        self.now = 0.0
        self._voice = voice
        for side in range(2):
            for flow in range(flows):
                self.ends[side][flow].release()
                self.flush(side, flow)

    def flush(self, side: int, flow: int) -> None:
        """Put on the line what an end has to say."""
        for segment in self.ends[side][flow].outgoing(self.now):
            self.lines[side].put(bytes([flow]) + segment + bytes(OVERHEAD - 1), self.now)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self.now < until:
            self.feed()
            self.now = max(self.now, self.next_time())
            for side in range(2):
                self.deliver(side)
                self.look_at_timers(side)

    def feed(self) -> None:
        """Give the flows, and the voice, something to send."""
        for flow, end in enumerate(self.ends[0]):
            while end.writable:
                end.send(bytes(16_000))
            self.flush(0, flow)
        if self._voice and self.now >= self.spoken * PAUSE:
            self.lines[0].put(PACKET, self.now)
            self.spoken += 1

    def next_time(self) -> float:
        """Return when something happens next."""
        times = [line.due() for line in self.lines]
        times += [end.due() for side in self.ends for end in side]
        if self._voice:
            times.append(self.spoken * PAUSE)
        return min(time for time in times if time is not None)

    def deliver(self, side: int) -> None:
        """Give what a side sent to the other."""
        for datagram in self.lines[side].take(self.now):
            if datagram == PACKET:
                self.heard += 1
                continue
            flow = datagram[0]
            end = self.ends[1 - side][flow]
            end.received(datagram[1 : 1 - OVERHEAD], self.now)
            self.arrived[flow] += sum(map(len, end.frames()))
            self.flush(1 - side, flow)

    def look_at_timers(self, side: int) -> None:
        """Let the ends of a side do what is due."""
        for flow, end in enumerate(self.ends[side]):
            due = end.due()
            if due is not None and due <= self.now:
                end.timer_fired(self.now)
                self.flush(side, flow)


class NarrowLineTests(TestCase):
    """What becomes of it."""

    def test_alone(self) -> None:
        """A flow that is alone uses nine tenths of the line, and what it sends in vain is little."""
        path = NarrowLine(1)
        path.run(60)
        self.assertGreater(path.arrived[0] * 8, 0.9 * RATE * 60)
        self.assertLess(path.ends[0][0].resent, 60)
        self.assertEqual(path.ends[1][0].repeated, 0)

    def test_two(self) -> None:
        """Two flows share it, and together use as much."""
        path = NarrowLine(2)
        path.run(120)
        self.assertGreater(sum(path.arrived) * 8, 0.9 * RATE * 120)
        self.assertGreater(min(path.arrived), 0.6 * max(path.arrived))

    def test_voice(self) -> None:
        """A voice beside a flow arrives but for a few packets, and the flow has what is left."""
        path = NarrowLine(1, voice=True)
        path.run(60)
        self.assertGreater(path.heard, 0.95 * path.spoken)
        voice = 8 * len(PACKET) / PAUSE
        self.assertGreater(path.arrived[0] * 8, 0.8 * (RATE - voice) * 60)
