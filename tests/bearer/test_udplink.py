"""Tests for p2pship.bearer.udplink, over real sockets and a relay that loses, alters, repeats and moves."""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.bearer.udpwire import ID_SIZE, Carried
from p2pship.interfaces import ILink
from tests.bearer.fakes import Recorder, device
from tests.bearer.roughrelay import HOST, Fate, RoughRelay, untouched
from tests.bearer.udppair import UDPPair

SEEDS = range(20 if os.environ.get("P2PSHIP_SLOW") else 2)


class RelayedPair(UDPPair):
    """Two bearers with a relay between."""

    def setUp(self) -> None:
        super().setUp()
        self.relay = RoughRelay(self.clock, self.port)
        self.addCleanup(self.relay.close)
        self.locator = Locator("udp", HOST, self.relay.port)

    async def connect(self) -> tuple[Any, Any]:
        """Return the two ends of a link over the relay; dials again if that fails, as the overlay does."""
        while True:
            near = await self.dialled()
            if near is not None and near.confirmed:
                ends = {link._their_id: link for link in self.accepted}
                return near, ends[near.own_id]

    async def dialled(self) -> Any:
        """Return what one dial makes: a link that is confirmed, or given up, or None."""
        done: list[Any] = []
        self.alice.dial(device("bob").key, [self.locator]).addBoth(done.append)
        await self.until(lambda: done)
        if not ILink.providedBy(done[0]):
            return None
        await self.until(lambda: done[0].confirmed or done[0]._over)
        return done[0]


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
        self.alice.dial(device("bob").key, [self.locator]).addCallback(links.append)
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


class AttackTests(RelayedPair, TestCase):
    """Somebody on the way who alters, makes up and repeats."""

    async def test_altered(self) -> None:
        """A datagram that was altered, anywhere, is counted and changes nothing."""
        near, far, near_told, far_told = await self.talk()
        random = Random(1)

        def altered(datagram: bytes) -> list[tuple[float, bytes]]:
            at = random.randrange(ID_SIZE, len(datagram))
            changed = datagram[:at] + bytes([datagram[at] ^ 1 << random.randrange(8)]) + datagram[at + 1 :]
            return [(0.0, changed), (0.0, datagram[: random.randrange(len(datagram))]), (0.0, datagram)]

        self.relay.there = self.relay.back = altered
        for number in range(100):
            near.send(b"frame %d" % number)
            far.cast(b"media %d" % number)
        await self.until(lambda: len(far_told.frames) == len(near_told.datagrams) == 100)
        self.assertEqual(far_told.frames, [b"frame %d" % number for number in range(100)])
        self.assertEqual(near_told.datagrams, [b"media %d" % number for number in range(100)])
        self.assertGreater(self.journal.counts["udp.forged"] + self.journal.counts["udp.stray"], 350)
        self.assertEqual((near_told.frames, far_told.datagrams), ([], []))
        self.assertEqual((near_told.losses, far_told.losses), ([], []))

    async def test_replayed(self) -> None:
        """What is repeated, at once or later, is delivered once."""
        near, far, _near_told, far_told = await self.talk()
        self.relay.there = lambda datagram: [(0.0, datagram), (0.0, datagram), (0.5, datagram)]
        for number in range(50):
            near.send(b"frame %d" % number)
            near.cast(b"media %d" % number)
        await self.until(lambda: len(far_told.frames) == 50 and len(far_told.datagrams) >= 50)
        self.advance(1)
        for datagram in tuple(self.relay.said):
            self.relay.to_target(datagram)
        far.cast(b"x")
        near.cast(b"last")
        await self.until(lambda: b"last" in far_told.datagrams)
        self.assertEqual(len(far_told.frames), 50)
        self.assertEqual(far_told.datagrams, [*(b"media %d" % number for number in range(50)), b"last"])
        self.assertGreater(self.journal.counts["udp.replayed"], 200)
        self.assertEqual(self.journal.counts["udp.forged"], 0)

    async def test_reflected(self) -> None:
        """What one end sent is not taken when it comes back to it."""
        near, far, near_told, _far_told = await self.talk()
        near.cast(b"media")
        await self.until(lambda: any(b"media" in each for each in self.relay.said))
        for datagram in tuple(self.relay.said):
            self.relay.to_client(near.own_id + datagram[ID_SIZE:])
        far.cast(b"end")
        await self.until(lambda: near_told.datagrams)
        self.assertEqual(near_told.datagrams, [b"end"])

    async def test_made_up_goodbye(self) -> None:
        """Nobody else can end a link: whatever is sent to its connection ids is only counted."""
        near, far, near_told, far_told = await self.talk()
        random = Random(3)
        for kind in range(256):
            body = bytes([kind]) + random.randbytes(8 + random.randrange(60))
            self.relay.to_target(far.own_id + body)
            self.relay.to_client(near.own_id + body)
        for kind in range(8):
            self.relay.to_target(bytes([0, kind]) + far.own_id + random.randbytes(180))
            self.relay.to_client(bytes([0, kind]) + near.own_id + random.randbytes(16))
        near.send(b"still here")
        await self.until(lambda: far_told.frames)
        self.assertEqual((near_told.losses, far_told.losses), ([], []))
        self.assertGreater(self.journal.counts["udp.forged"], 400)

    async def test_hostile_peer(self) -> None:
        """A peer with the keys that sends nonsense of every kind is counted, and the link goes on."""
        near, _far, _near_told, far_told = await self.talk()
        random = Random(4)
        for kind in (17, 18, 19, 21, 255):
            for size in range(60):
                near._put(kind, bytes([random.randrange(6)]) + random.randbytes(size))
        near.send(b"still here")
        await self.until(lambda: far_told.frames, step=0.05)
        self.assertEqual((far_told.frames, far_told.losses), ([b"still here"], []))
        self.assertGreater(self.journal.counts["udp.malformed"], 100)


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
