"""What holds for links over datagrams, whatever seals them, with a relay between that loses, alters, repeats and narrows."""

from __future__ import annotations

import errno
import os
from random import Random
from typing import Any

from tests.bearer.contract import BearerPair
from tests.bearer.fakes import Recorder
from tests.bearer.roughrelay import Fate, RoughRelay
from tests.scale import SEED, scaled

SEEDS = range(SEED, SEED + scaled(2, 20))

HEADERS = 28
"Octets of IPv4 and UDP before what the relay sees."

SIZES = (0, 1, *range(1196, 1227), 1280, 1400, *range(1420, 1446), 1460, 1500, 3000, 9000, 65_600)
"Octets about the most that one datagram carries on either path, over either bearer, and others."

RTP = 1460
"Octets of a large RTP packet, as of video: more than either path carries in one piece."


def bad(seed: int) -> Fate:
    """Return the fate of datagrams on a bad path: 30 % lost, some repeated, some altered, all delayed differently."""
    random = Random(seed)

    def fate(datagram: bytes) -> list[tuple[float, bytes]]:
        copies = 0 if random.random() < 0.3 else 2 if random.random() < 0.1 else 1
        arriving = [(0.01 + 0.03 * random.random(), datagram) for _ in range(copies)]
        if random.random() < 0.2:
            at = random.randrange(len(datagram))
            altered = datagram[:at] + bytes([datagram[at] ^ 1 << random.randrange(8)]) + datagram[at + 1 :]
            arriving.append((0.0, altered))
        return arriving

    return fate


def narrow(mtu: int) -> Fate:
    """Return the fate on a path that carries so many octets, and says nothing of what it does not carry."""
    return lambda datagram: [(0.0, datagram)] if len(datagram) + HEADERS <= mtu else []


class RelayedBearerPair(BearerPair):
    """Two bearers with a relay between."""

    relay: RoughRelay
    clock: Any

    async def turn(self) -> None:
        """Let what is on its way arrive, without time passing."""
        raise NotImplementedError


class LossCases(RelayedBearerPair):
    """A path that loses, repeats, delays and alters datagrams."""

    async def test_everything_once(self) -> None:
        """With 30 % lost both ways from the first datagram on, every frame arrives once and in order."""
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
        await self.until(lambda: not self.alice._parties and not self.bob._parties, step=0.1)

    async def test_media_once(self) -> None:
        """Of media nothing comes twice, altered or from nobody."""
        near, _far, _near_told, far_told = await self.talk()
        self.relay.there = bad(SEED)
        sent = [os.urandom(100) for _ in range(500)]
        for number, datagram in enumerate(sent):
            near.cast(datagram)
            if not number % 20:
                await self.turn()
        for _ in range(20):
            await self.turn()
            self.advance(0.01)
        self.assertIn(len(far_told.datagrams), range(300, 400))
        self.assertEqual(len(set(far_told.datagrams)), len(far_told.datagrams))
        self.assertLessEqual(set(far_told.datagrams), set(sent))
        for what in ("replayed", "forged"):
            self.assertGreater(self.journal.counts[f"{near.name}.{what}"], 0)

    async def test_recorded(self) -> None:
        """Everything that was ever said, said again at once and in the end, changes nothing."""
        near, _far, near_told, far_told = await self.talk()
        self.relay.there = lambda datagram: [(0.0, datagram)] * 3
        self.relay.back = self.relay.there
        for number in range(30):
            near.send(b"frame %d" % number)
            near.cast(b"media %d" % number)
        await self.until(lambda: len(far_told.frames) == len(far_told.datagrams) == 30)
        for datagram in tuple(self.relay.said):
            self.relay.to_target(datagram)
            await self.turn()
        self.assertEqual((len(far_told.frames), len(far_told.datagrams)), (30, 30))
        near.send(b"and on")
        await self.until(lambda: far_told.frames[-1] == b"and on")
        self.assertEqual((near_told.losses, far_told.losses), ([], []))

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

    async def test_full(self) -> None:
        """Somebody who takes nothing cannot fill our memory: the link is ended."""
        near, _far = await self.connect()
        told = Recorder()
        near.start(told)
        for _ in range(80):
            near.send(bytes(60_000))
        await self.until(lambda: told.losses)
        self.assertIn("does not take", told.losses[0])


class SizeCases(RelayedBearerPair):
    """Datagrams that are larger than the path carries."""

    def largest(self, before: int) -> int:
        """Return the octets of the largest IP packet of those after the first so-and-so-many."""
        return max(len(datagram) + HEADERS for datagram in self.relay.said[before:])

    async def cast_rtp(self, near: Any, far_told: Recorder, number: int) -> None:
        """Cast large RTP packets, one every 20 ms, and assert that all of them arrive as they were."""
        sent = [os.urandom(RTP) for _ in range(number)]
        before = len(far_told.datagrams)
        for packet in sent:
            near.cast(packet)
            self.advance(0.02)
            await self.turn()
        await self.until(lambda: len(far_told.datagrams) == before + number)
        self.assertEqual(far_told.datagrams[before:], sent)

    async def test_rtp_on_ethernet(self) -> None:
        """On a path of 1500 octets they go in two parts, of at most 1280 octets until more is known to pass, and at most 1500 then."""
        self.relay.there = self.relay.back = narrow(1500)
        near, _far, _near_told, far_told = await self.talk()
        before = len(self.relay.said)
        near.cast(bytes(RTP))
        await self.until(lambda: far_told.datagrams)
        media = [len(each) for each in self.relay.said[before:] if len(each) > 600]
        self.assertEqual(media[:2], [media[0]] * 2)
        self.assertLessEqual(media[0] + HEADERS, 1280)
        await self.until(lambda: near.largest_datagram == near._way.base_room + 220, step=0.1)
        before = len(self.relay.said)
        await self.cast_rtp(near, far_told, 50)
        self.assertLessEqual(self.largest(before), 1500)
        before = len(self.relay.said)
        near.cast(bytes(1400))
        await self.until(lambda: far_told.datagrams[-1] == bytes(1400))
        self.assertIn(self.largest(before), range(1400 + HEADERS, 1501), "it went in one piece")

    async def test_rtp_on_narrow_path(self) -> None:
        """On one of 1280 octets that says nothing of what it loses, none of them is lost, from the first on."""
        self.relay.there = self.relay.back = narrow(1280)
        near, far, near_told, far_told = await self.talk()
        await self.cast_rtp(near, far_told, 100)
        await self.cast_rtp(far, near_told, 100)
        for link, told in ((near, far_told), (far, near_told)):
            self.assertEqual(link.largest_datagram, link._way.base_room)
            link.cast(bytes(link._way.base_room))
            await self.until(lambda told=told: len(told.datagrams) == 101)  # type: ignore[misc]

    async def test_every_size(self) -> None:
        """Datagrams and frames of all kinds of sizes arrive, whether the path carries 1500 octets or 1280."""
        for mtu in (1500, 1280):
            self.relay.there = self.relay.back = narrow(mtu)
            await self.pass_every_size()
            self.advance(60)

    async def pass_every_size(self) -> None:
        """Make a link, send a datagram and a frame of each size, and close it."""
        near, _far, _near_told, far_told = await self.talk()
        wanted = [bytes([size % 251]) * size for size in SIZES]
        for each in wanted:
            near.cast(each)
            near.send(each)
            self.advance(0.3)
            await self.turn()
        await self.until(lambda: len(far_told.frames) == len(far_told.datagrams) == len(SIZES), step=0.05)
        self.assertEqual((sorted(far_told.datagrams), far_told.frames), (sorted(wanted), wanted))
        near.close("the next one")
        await self.until(lambda: far_told.losses, step=0.05)

    async def test_narrow_interface(self) -> None:
        """Where this machine's own network carries 1420 octets, the system says so, and 1400 are used."""
        near, _far, _near_told, far_told = await self.talk()
        send = near._way.port.send

        def refusing(datagram: bytes, address: Any) -> int:
            if len(datagram) + HEADERS > 1420:
                raise OSError(errno.EMSGSIZE, "Message too long")
            return int(send(datagram, address))

        near._way.port.send = refusing
        for _ in range(20):
            near.cast(bytes(1400))
            near.send(bytes(5000))
            self.advance(0.3)
            await self.turn()
        await self.until(lambda: len(far_told.frames) == len(far_told.datagrams) == 20, step=0.05)
        self.assertEqual(near.largest_datagram, near._way.base_room + 120)

    async def test_black_hole(self) -> None:
        """When a path that carried 1500 octets carries 1280 only, media alone shows it within two minutes."""
        near, _far, _near_told, far_told = await self.talk()
        near.cast(bytes(1400))
        await self.until(lambda: near.largest_datagram > 1400, step=0.1)
        self.relay.there = narrow(1280)
        for _ in range(120):
            near.cast(bytes(1400))
            await self.turn()
            self.advance(1)
        await self.until(lambda: near.largest_datagram == near._way.base_room, step=1)
        before = len(far_told.datagrams)
        near.cast(bytes(1400))
        await self.until(lambda: len(far_told.datagrams) > before)
