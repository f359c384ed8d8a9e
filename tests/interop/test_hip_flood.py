"""Forged I1s and bad I2s at a high rate against a host that carries media: links over real sockets, the flood in its own process."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import TestCase

from p2pship.identity.hit import hit_of
from p2pship.testing.programs import Program
from tests.bearer.fakes import Recorder, device
from tests.bearer.hip.pair import HIPPair
from tests.interop.hip_flood import BEGUN
from tests.scale import ALONE, SCALE, scaled

FLOOD = Path(__file__).parent / "hip_flood.py"

RATE = 10_000 if SCALE else 3_000
"Packets a second."

WITHIN = 2.0 if ALONE else 5.0
"Seconds for an honest base exchange meanwhile. Where we are not alone, others use the same processors."

SECONDS = scaled(2, 20)
"How long the flood goes on."

CALLS = 10
"Streams of 50 packets a second."

SPARE = 0.03
"Seconds that 99 per cent of the packets may take longer than without a flood."

_TIME = struct.Struct(">d")


class Listener(Recorder):
    """Notes how long each datagram took."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[float] = []

    def datagram_received(self, datagram: bytes) -> None:
        self.delays.append(reactor.seconds() - _TIME.unpack_from(datagram)[0])

    def p99(self) -> float:
        """Return what 99 per cent of the packets have not exceeded."""
        return sorted(self.delays)[len(self.delays) * 99 // 100]


class FloodTests(HIPPair, TestCase):
    """Alice sends media to Bob, whom somebody floods; all in real time."""

    timeout = SECONDS * 3 + 60

    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = reactor
        for bearer in (self.alice, self.bob):
            self.bearers.remove(bearer)
        self.successResultOf(self.bob.stop())
        self.alice, self.bob, self.carol = (
            self.bearer(owner) for owner in (device("alice"), device("bob"), device("carol"))
        )
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))

    async def until(self, condition: Any, step: float = 0.0) -> None:
        while not condition():
            await deferLater(reactor, 0.005, lambda: None)

    def rage(self, kind: str) -> Program:
        """Let the flood begin."""
        hit = hit_of(device("bob").key).hex()
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        to = ["127.0.0.1", str(self.bob.locators()[0].port), hit, str(RATE), str(SECONDS), kind]
        mad = Program(reactor, [sys.executable, str(FLOOD), *to], folder, "flood")
        self.addCleanup(mad.stop)
        return mad

    async def media(self, seconds: float) -> tuple[int, Listener]:
        """Send media for a while, and return how many packets were sent, and who heard them."""
        near, far, _, _ = await self.talk()
        await self.turn()  # what comes before a link has begun is not for anybody
        heard = Listener()
        far._receiver = heard
        sent = 0

        def send() -> None:
            nonlocal sent
            for _ in range(CALLS):
                near.cast(_TIME.pack(reactor.seconds()) + bytes(164))
                sent += 1

        for link in (near, far):
            link.limit = 65_536
        sending = LoopingCall(send)
        sending.start(0.02)
        await deferLater(reactor, seconds, lambda: None)
        sending.stop()
        await deferLater(reactor, 0.2, lambda: None)
        near.close("enough")
        await self.until(lambda: not self.alice._links)
        return sent, heard

    async def check(self, kind: str) -> None:
        """Check that media and an honest base exchange do well during a flood."""
        _, before = await self.media(1.0)
        mad = self.rage(kind)
        await self.until(lambda: BEGUN in mad.tail() or mad.exit_code is not None)
        playing = Deferred.fromCoroutine(self.media(SECONDS))
        await deferLater(reactor, SECONDS / 2, lambda: None)
        self.hardest = self.difficulty()
        began = reactor.seconds()
        dial = self.carol.dial(device("bob").key, self.bob.locators(), device("carol"))
        link = await dial
        took = reactor.seconds() - began
        self.hardest = max(self.hardest, self.difficulty())
        link.close("it was shown")
        sent, during = await playing
        self.assertEqual(await mad.when_ended(30), 0, mad.tail())
        flooded = int(mad.tail().removeprefix(BEGUN))
        self.figures = (
            f"{kind}: {flooded} sent; lost {sent - len(during.delays)} of {sent}; p99 {before.p99() * 1000:.1f} -> "
            f"{during.p99() * 1000:.1f} ms; base exchange {took * 1000:.0f} ms, difficulty then {self.hardest}"
        )
        self.assertLess(sent - len(during.delays), 0.01 * sent, self.figures)
        self.assertLess(took, WITHIN, self.figures)
        self.assertGreater(flooded, 0.5 * RATE * SECONDS, self.figures)
        if ALONE:
            self.assertLess(during.p99(), before.p99() + SPARE, self.figures)
            print(self.figures)

    def difficulty(self) -> int:
        """Return how difficult Bob's puzzles are."""
        return int(self.bob._hosts.device._reception._load.difficulty(reactor.seconds()))

    async def test_i1(self) -> None:
        """Forged I1s: puzzles become harder, and easier when they stop."""
        await self.check("i1")
        honest = {device(name).hit for name in ("alice", "carol")}
        self.assertEqual(self.bob._hosts.device._associations.keys() - honest, set())
        self.assertGreater(self.hardest, 8)
        await self.until(lambda: self.difficulty() == 8)

    async def test_i2(self) -> None:
        """I2s with solved puzzles: each solution is looked at a few times only, and no association comes of it."""
        await self.check("i2")
