"""Tests for p2pship.bearer.udplink: what somebody on the way tries with a link over UDP, and a peer who has its keys."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import TestCase

from p2pship.bearer.arqreceiver import FIRST_WINDOW
from p2pship.bearer.arqwire import data_segment
from p2pship.bearer.carried import Carried
from p2pship.bearer.channel import LAST_COUNTER, DatagramSealer
from p2pship.bearer.udpwire import ID_SIZE
from tests.bearer.fakes import Recorder
from tests.bearer.udppair import RelayedPair


class BetweenTests(RelayedPair, TestCase):
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


class PeerTests(RelayedPair, TestCase):
    """A peer who has the keys of the link, and no manners."""

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

    async def test_ungreeted(self) -> None:
        """Whoever has only dialled, and said no hello, makes us keep what fits the first window, and no media."""
        near, far = await self.connect()
        far.limit = 4096
        far.start(Recorder())
        self.advance(0)
        for number in range(8):
            near._put(Carried.PART, bytes([0, number, 0, 2]) + bytes(1200))
        for number in range(1, 60):
            near._put(Carried.SEGMENT, data_segment(number, 1200 * number, bytes(1000)))
        await self.until(lambda: self.journal.counts["udp.malformed"] > 50)
        self.assertLessEqual(far._arq.kept, FIRST_WINDOW)
        self.assertEqual(far._parts._unfinished, {})

    async def test_greeted(self) -> None:
        """When the limit is raised, as after a hello, everything that waited for that comes."""
        near, far = await self.connect()
        near_told, far_told = Recorder(), Recorder()
        far.limit = 4096
        near.start(near_told)
        far.start(far_told)
        for _ in range(10):
            near.send(bytes(4000))
        await self.until(lambda: far_told.frames)
        self.advance(1)
        await self.turn()
        self.assertEqual(len(far_told.frames), FIRST_WINDOW // 4004)
        far.limit = 65_600
        near.send(bytes(65_600))
        await self.until(lambda: len(far_told.frames) == 11, step=0.01)
        near.cast(bytes(3000))
        await self.until(lambda: far_told.datagrams)

    async def test_worn_out(self) -> None:
        """When the counters of its key are used up a link ends, rather than use one twice."""
        near, _far, near_told, _far_told = await self.talk()
        near._way.seal = DatagramSealer(bytes(16), LAST_COUNTER).seal
        near.cast(b"last")
        near.cast(b"one more")
        await self.until(lambda: near_told.losses)
        self.assertIn("used up", near_told.losses[0])
