"""Tests for p2pship.testing.bearer: the contract of all bearers, and the breaks that can be made."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.errors import NotReached
from p2pship.interfaces import ILink
from p2pship.testing.bearer import MemoryBearer, MemoryLink, MemoryNetwork
from tests.bearer.contract import BearerContract, BearerPair
from tests.bearer.fakes import Recorder, device


class MemoryPair(BearerPair):
    """Two memory bearers, and a clock that moves when something is waited for."""

    latency = 0.0

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.latency)
        self.accepted: list[ILink] = []
        self.alice = MemoryBearer(self.clock, self.network, device("alice"))
        self.bob = MemoryBearer(self.clock, self.network, device("bob"))
        self.bob.listen(self.accepted.append, lambda: None)

    async def until(self, condition: Callable[[], object], step: float = 0.0) -> None:
        for _ in range(1000):
            if condition():
                return
            self.clock.advance(max(step, 0.001))
        raise AssertionError("it never happened")

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)


class MemoryBearerTests(MemoryPair, BearerContract, TestCase):
    """The contract without latency."""


class SlowMemoryBearerTests(MemoryPair, BearerContract, TestCase):
    """The contract over 10 ms."""

    latency = 0.01


class BreakTests(MemoryPair, TestCase):
    """What a test can do to a link."""

    async def cut_pair(self) -> tuple[MemoryLink, MemoryLink, Recorder, Recorder]:
        near, far, near_told, far_told = await self.talk()
        self.clock.advance(0)
        near.cut()
        return near, far, near_told, far_told

    async def test_cut_and_mend(self) -> None:
        """A link that is cut is silent, not lost; frames wait until it is mended, datagrams do not."""
        near, _far, near_told, far_told = await self.cut_pair()
        near.send(b"first")
        near.cast(b"never")
        near.send(b"second")
        self.clock.advance(60)
        self.assertEqual((far_told.frames, near_told.losses, far_told.losses), ([], [], []))
        near.mend()
        self.clock.advance(0)
        self.assertEqual((far_told.frames, far_told.datagrams), ([b"first", b"second"], []))

    async def test_cut_stalls(self) -> None:
        """A watched link that is cut stalls."""
        near, _far, near_told, _far_told = await self.cut_pair()
        near.watch(True)
        self.clock.advance(5)
        self.assertEqual(near_told.stalls, 1)

    async def test_close_while_cut(self) -> None:
        """Closing a link that is cut takes 2 s at one end; the other hears of it when it is mended."""
        near, far, near_told, far_told = await self.cut_pair()
        near.close("enough")
        self.clock.advance(1.9)
        self.assertEqual(near_told.losses, [])
        self.clock.advance(0.1)
        self.assertEqual(near_told.losses, ["enough"])
        self.clock.advance(60)
        self.assertEqual(far_told.losses, [])
        far.mend()
        self.clock.advance(0)
        self.assertEqual(len(far_told.losses), 1)
        self.assertEqual(self.network.links, [])

    async def test_lose(self) -> None:
        """A link that is lost tells both ends, once."""
        near, _far, near_told, far_told = await self.talk()
        near.lose("pulled the plug")
        near.lose()
        self.clock.advance(0)
        self.assertEqual((near_told.losses, far_told.losses), (["pulled the plug"],) * 2)

    async def test_partition(self) -> None:
        """Parted bearers cannot dial each other, and their links fall silent, until all is healed."""
        near, _far, _near_told, far_told = await self.talk()
        self.network.partition([self.alice], [self.bob])
        near.send(b"waits")
        dial = self.alice.dial(device("bob").key, self.bob.locators(), device("alice"))
        self.clock.advance(5)
        self.failureResultOf(dial, NotReached)
        self.assertEqual(far_told.frames, [])
        self.network.heal()
        self.clock.advance(0)
        self.assertEqual(far_told.frames, [b"waits"])
        await self.connect()

    async def test_cancel(self) -> None:
        """A dial can be cancelled, and then makes no link."""
        self.network.latency = 0.1
        dial = self.alice.dial(device("bob").key, self.bob.locators(), device("alice"))
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        self.clock.advance(1)
        self.assertEqual((self.accepted, self.clock.getDelayedCalls()), ([], []))

    async def test_loss(self) -> None:
        """Datagrams are lost as the network's rule says, frames never."""
        near, _far, _near_told, far_told = await self.talk()
        self.network.loses = lambda datagram: datagram == b"2"
        for number in (b"1", b"2", b"3"):
            near.cast(number)
            near.send(number)
        self.clock.advance(0)
        self.assertEqual((far_told.datagrams, far_told.frames), ([b"1", b"3"], [b"1", b"2", b"3"]))

    async def test_latency(self) -> None:
        """What is sent arrives after the latency, and never overtakes when that becomes shorter."""
        near, _far, _near_told, far_told = await self.talk()
        self.network.latency = 0.5
        near.send(b"slow")
        self.network.latency = 0.1
        near.send(b"fast")
        self.clock.advance(0.4)
        self.assertEqual(far_told.frames, [])
        self.clock.advance(0.1)
        self.assertEqual(far_told.frames, [b"slow", b"fast"])

    def test_move(self) -> None:
        """A bearer that moves says so, and has another locator."""
        told: list[str] = []
        before = self.alice.locators()
        self.alice.listen(self.accepted.append, lambda: told.append("changed"))
        first = self.alice.locators()
        self.alice.move()
        self.assertEqual((before, told), ([], ["changed"]))
        self.assertNotEqual(self.alice.locators(), first)
        self.assertEqual(str(first[0]).partition("1:")[0], "memory:127.0.0.")
