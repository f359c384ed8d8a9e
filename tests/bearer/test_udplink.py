"""Tests for p2pship.bearer.udplink, over real sockets and a relay that loses, alters, repeats and moves."""

from __future__ import annotations

import errno
import os
from random import Random
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.carried import Carried
from tests.bearer.fakes import Recorder, device
from tests.bearer.roughrelay import HOST, Fate, RoughRelay, untouched
from tests.bearer.udppair import RelayedPair
from tests.scale import SEED, scaled

SEEDS = range(SEED, SEED + scaled(2, 20))


def bad(seed: int) -> Fate:
    """Return the fate of datagrams on a bad path: 30 % lost, some repeated, all delayed differently."""
    random = Random(seed)

    def fate(datagram: bytes) -> list[tuple[float, bytes]]:
        copies = 0 if random.random() < 0.3 else 2 if random.random() < 0.1 else 1
        return [(0.01 + 0.03 * random.random(), datagram) for _ in range(copies)]

    return fate


class LossTests(RelayedPair, TestCase):
    """A path that loses datagrams."""

    async def test_everything_once(self) -> None:
        """With 30 % lost both ways from the first knock on, every frame arrives once and in order."""
        for seed in SEEDS:
            self.relay.there, self.relay.back = bad(seed), bad(seed + 100)
            await self.exchange_frames(Random(seed))

    async def exchange_frames(self, random: Random) -> None:
        """Make a link, send frames both ways, and close it."""
        near, far, near_told, far_told = await self.talk()
        sent = [b"%d " % number + random.randbytes(random.randrange(4000)) for number in range(60)]
        for frame in sent:
            near.send(frame)
            far.send(frame)
            self.advance(0.01)
        await self.until(lambda: len(near_told.frames) == len(far_told.frames) == len(sent), step=0.02)
        self.assertEqual((near_told.frames, far_told.frames), (sent, sent))
        near.close("enough")
        await self.until(lambda: near_told.losses and far_told.losses, step=0.02)

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

    async def test_given_up(self) -> None:
        """When nothing passes any more, a link with something to say is lost after 30 s, one without is not."""
        near, _far, near_told, far_told = await self.talk()
        self.relay.there = self.relay.back = lambda _datagram: []
        self.advance(100)
        near.send(b"anybody?")
        await self.until(lambda: near_told.losses, step=0.5)
        self.assertIn("30 s", near_told.losses[0])
        self.assertEqual(far_told.losses, [])

    async def test_close_in_vain(self) -> None:
        """A link to somebody who has vanished is closed after 2 s."""
        near, _far, near_told, _far_told = await self.talk()
        self.relay.there = self.relay.back = lambda _datagram: []
        began = self.clock.seconds()
        near.send(b"unheard")
        near.close("enough")
        await self.until(lambda: near_told.losses, step=0.1)
        self.assertEqual(near_told.losses, ["enough"])
        self.assertLess(self.clock.seconds() - began, 2.2)

    async def test_stop_in_vain(self) -> None:
        """A bearer stops although nobody hears it."""
        await self.talk()
        self.relay.there = self.relay.back = lambda _datagram: []
        done: list[Any] = []
        self.bob.stop().addBoth(done.append)
        await self.until(lambda: done, step=0.1)
        self.assertEqual((self.bob._parties, self.bob._listeners), ({}, []))


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
            await self.settle()
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
            await self.settle()
        self.assertGreater(len(far_told.datagrams), 150)
        self.assertIn(len(victim.answered), range(2, 12))
        self.assertLess(max(map(len, victim.answered)), 40)
        for guess in (b"", bytes(8), os.urandom(8)):
            near._put(Carried.REPLY, guess)
        await self.settle()
        self.assertEqual((far.remote, far_told.paths), (before, []))

    async def test_large_media(self) -> None:
        """A datagram that does not fit the path goes in parts; once the path is known better, in one."""
        near, _far, _near_told, far_told = await self.talk()
        sizes = (1223, 1224, 1400, 9000, 65_600)
        for size in sizes:
            near.cast(bytes([size % 251]) * size)
        await self.until(lambda: len(far_told.datagrams) == len(sizes))
        self.assertEqual(sorted(map(len, far_told.datagrams)), sorted(sizes))
        self.assertTrue(all(each == each[:1] * len(each) for each in far_told.datagrams))
        await self.until(lambda: near.largest_datagram == 1443, step=0.1)
        before = len(self.relay.said)
        near.cast(bytes(1400))
        await self.until(lambda: len(far_told.datagrams) == len(sizes) + 1)
        sent = [len(datagram) for datagram in self.relay.said[before:] if len(datagram) > 200]
        self.assertEqual(sent, [1429])

    async def test_narrow_path(self) -> None:
        """On a path that carries 1280 octets, large media arrives in parts, and frames too."""
        narrow: Fate = lambda datagram: [(0.0, datagram)] if len(datagram) + 28 <= 1280 else []  # noqa: E731
        self.relay.there = self.relay.back = narrow
        near, _far, _near_told, far_told = await self.talk()
        for _ in range(20):
            near.cast(bytes(1400))
            near.send(bytes(5000))
            self.advance(0.3)
        await self.until(lambda: len(far_told.frames) == len(far_told.datagrams) == 20, step=0.05)
        self.assertEqual(near.largest_datagram, 1223)

    async def test_narrow_interface(self) -> None:
        """Where this machine's own network carries 1420 octets, the system says so, and 1400 are used."""
        near, _far, _near_told, far_told = await self.talk()
        send = near._way.port.send

        def narrow(datagram: bytes, address: Any) -> int:
            if len(datagram) + 28 > 1420:
                raise OSError(errno.EMSGSIZE, "Message too long")
            return int(send(datagram, address))

        near._way.port.send = narrow
        for _ in range(20):
            near.cast(bytes(1400))
            near.send(bytes(5000))
            self.advance(0.3)
            await self.settle()
        await self.until(lambda: len(far_told.frames) == len(far_told.datagrams) == 20, step=0.05)
        self.assertEqual(near.largest_datagram, 1400 - 57)

    async def test_black_hole(self) -> None:
        """When a path that carried 1500 octets carries 1280 only, media alone shows it within two minutes."""
        near, _far, _near_told, far_told = await self.talk()
        near.cast(bytes(1400))
        await self.until(lambda: near.largest_datagram == 1443, step=0.1)
        self.relay.there = lambda datagram: [(0.0, datagram)] if len(datagram) + 28 <= 1280 else []
        for _ in range(120):
            near.cast(bytes(1400))
            await self.settle()
            self.advance(1)
        await self.until(lambda: near.largest_datagram == 1223, step=1)
        before = len(far_told.datagrams)
        near.cast(bytes(1400))
        await self.until(lambda: len(far_told.datagrams) > before)

    async def test_keep_alive(self) -> None:
        """A watched link says something every 15 s, so that routers on the way do not forget it; others do not."""
        near, _far, _near_told, _far_told = await self.talk()
        self.advance(0.1)
        await self.settle()
        before = len(self.relay.said)
        self.advance(100)
        await self.settle()
        self.assertEqual(len(self.relay.said), before)
        near.watch(True)
        for _ in range(3):
            self.advance(15)
        await self.until(lambda: len(self.relay.said) == before + 3)
        near.watch(False)
        self.advance(100)
        await self.settle()
        self.assertEqual(len(self.relay.said), before + 3)

    async def test_full(self) -> None:
        """Somebody who takes nothing cannot fill our memory: the link is ended."""
        near, _far = await self.connect()
        told = Recorder()
        near.start(told)
        for _ in range(80):
            near.send(bytes(60_000))
        await self.until(lambda: told.losses)
        self.assertIn("does not take", told.losses[0])
