"""Tests for p2pship.bearer.udplink, over real sockets and a relay that loses, alters, repeats and moves."""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.carried import Carried
from tests.bearer.fakes import Recorder, device
from tests.bearer.roughlinks import LossCases, SizeCases
from tests.bearer.roughrelay import HOST, RoughRelay, untouched
from tests.bearer.udppair import RelayedPair


class LossTests(RelayedPair, LossCases, TestCase):
    """A path that loses, repeats, delays and alters datagrams."""

    async def test_lost_closing(self) -> None:
        """The last message of the handshake is repeated until the other side has it."""
        lost: list[bytes] = []

        def lose_closings(datagram: bytes) -> list[tuple[float, bytes]]:
            if datagram[:2] == b"\0\4" and len(lost) < 3:
                lost.append(datagram)
                return []
            return [(0.0, datagram)]

        self.relay.there = lose_closings
        near, far = await self.connect()
        self.assertEqual(len(lost), 3)
        told = Recorder()
        far.start(told)
        near.send(b"hello")
        await self.until(lambda: told.frames)

    async def test_never_confirmed(self) -> None:
        """A link whose other side never says anything is lost after 5 s."""
        self.relay.there = lambda datagram: [] if datagram[:2] == b"\0\4" else [(0.0, datagram)]
        links: list[Any] = []
        self.alice.dial(device("bob").key, [self.locator], device("alice")).addCallback(links.append)
        await self.until(lambda: links)
        told = Recorder()
        links[0].start(told)
        await self.until(lambda: told.losses, step=0.1)
        self.assertIn("never said", told.losses[0])
        self.assertEqual((self.alice._parties, self.bob._parties), ({}, {}))

    async def test_stop_in_vain(self) -> None:
        """A bearer stops although nobody hears it."""
        await self.talk()
        self.relay.there = self.relay.back = lambda _datagram: []
        done: list[Any] = []
        self.bob.stop().addBoth(done.append)
        await self.until(lambda: done, step=0.1)
        self.assertEqual((self.bob._parties, self.bob._listeners), ({}, []))


class SizeTests(RelayedPair, SizeCases, TestCase):
    """Datagrams that are larger than the path carries."""


class PathTests(RelayedPair, TestCase):
    """The path under a link changes."""

    async def test_moves(self) -> None:
        """When a router gives the dialler another port, the link goes on there, and the listener's receiver is told."""
        near, far, near_told, far_told = await self.talk()
        before = far.remote
        port = self.relay.move()
        near.cast(b"from elsewhere")
        await self.until(lambda: far_told.paths)
        self.assertEqual((far.remote.port, far_told.paths), (port, [f"udp {HOST}:{port}"]))
        self.assertEqual(far_told.datagrams, [b"from elsewhere"])
        self.assertNotEqual(far.remote, before)
        far.send(b"to there")
        await self.until(lambda: near_told.frames)
        self.assertEqual((near_told.paths, near_told.losses, far_told.losses), ([], [], []))

    async def test_moves_far(self) -> None:
        """So it does where the answer takes longer than the pause between questions, while media comes all the time."""
        near, far, _near_told, far_told = await self.talk()
        self.relay.there = self.relay.back = lambda datagram: [(0.4, datagram)]
        port = self.relay.move()
        for _ in range(100):
            near.cast(b"from elsewhere")
            self.advance(0.02)
            await self.turn()
        self.assertEqual(far.remote.port, port)
        self.assertEqual(len(far_told.paths), 1)

    async def test_old_news(self) -> None:
        """What is late, repeated or forged does not move a link to where it came from."""
        near, far, _near_told, far_told = await self.talk()
        held: list[bytes] = []
        self.relay.there = lambda datagram: held.append(datagram) or []  # type: ignore[func-returns-value]
        near.cast(b"late")
        await self.until(lambda: held)
        self.relay.there = untouched
        near.cast(b"newer")
        await self.until(lambda: far_told.datagrams)
        before = far.remote
        self.relay.move()
        self.relay.to_target(self.relay.said[-1])
        self.relay.to_target(far.own_id + bytes(60))
        self.relay.to_target(held[0])
        await self.until(lambda: len(far_told.datagrams) == 2)
        self.assertEqual(far_told.datagrams, [b"newer", b"late"], "late media may still be of use")
        self.assertEqual((far.remote, far_told.paths), (before, []))

    async def test_misdirected(self) -> None:
        """A peer that writes somebody else's address on what it sends has nothing sent there but a small question."""
        near, far, _near_told, far_told = await self.talk()
        before = far.remote
        victim = RoughRelay(self.clock, self.port)
        self.addCleanup(victim.close)

        def misdirect(datagram: bytes) -> list[tuple[float, bytes]]:
            victim.to_target(datagram)
            return []

        self.relay.there = misdirect
        far.send(bytes(30_000))
        for _ in range(200):
            near.cast(bytes(100))
            far.cast(bytes(1000))
            self.advance(0.01)
            await self.turn()
        self.assertGreater(len(far_told.datagrams), 150)
        self.assertIn(len(victim.answered), range(2, 12))
        self.assertLess(max(map(len, victim.answered)), 40)
        for guess in (b"", bytes(8), os.urandom(8)):
            near._put(Carried.REPLY, guess)
        await self.turn()
        self.assertEqual((far.remote, far_told.paths), (before, []))

    async def test_keep_alive(self) -> None:
        """A watched link says something every 15 s, so that routers on the way do not forget it; others do not."""
        near, _far, _near_told, _far_told = await self.talk()
        self.advance(0.1)
        await self.turn()
        before = len(self.relay.said)
        self.advance(100)
        await self.turn()
        self.assertEqual(len(self.relay.said), before)
        near.watch(True)
        for _ in range(3):
            self.advance(15)
        await self.until(lambda: len(self.relay.said) == before + 3)
        near.watch(False)
        self.advance(100)
        await self.turn()
        self.assertEqual(len(self.relay.said), before + 3)
