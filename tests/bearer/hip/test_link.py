"""Tests for p2pship.bearer.hip.link, over real sockets and a relay that loses, alters, repeats and narrows."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from random import Random
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.esp import LAST
from p2pship.bearer.hip.inner import ECHO_REPLY, ECHO_REQUEST, ICMPV6, MEDIA_PORT, UDP, InnerUDP, echo
from p2pship.bearer.hip.settings import HIPSettings
from tests.bearer.fakes import FakeNetwork, Recorder, device, has_ipv6
from tests.bearer.hip.pair import HIPPair
from tests.bearer.hip.relayed import RelayedHIPPair, is_data
from tests.bearer.roughrelay import Fate, untouched
from tests.scale import SEED, scaled

SEEDS = range(SEED, SEED + scaled(2, 20))

HEADERS = 28
"Octets of IPv4 and UDP before what the relay sees."

SIZES = (0, 1, *range(1196, 1220), 1280, 1400, *range(1420, 1440), 1460, 1500, 3000, 9000, 65_600)
"Octets about the most that one datagram carries on either path, and others."

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


class LossTests(RelayedHIPPair, TestCase):
    """A path that loses, repeats, delays and alters datagrams."""

    async def test_everything_once(self) -> None:
        """With 30 % lost both ways from the first I1 on, every frame arrives once and in order."""
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
        self.assertGreater(self.journal.counts["hip.replayed"], 0)
        self.assertGreater(self.journal.counts["hip.forged"], 0)

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

    async def test_used_up(self) -> None:
        """A link whose key may seal no more, because nobody answers who would change it, is lost and says why."""
        near, _far, near_told, _far_told = await self.talk()
        near.association.outbound.sequence = LAST
        near.cast(b"one too many")
        await self.until(lambda: near_told.losses)
        self.assertEqual(near_told.losses, ["the keys are used up"])


class SizeTests(RelayedHIPPair, TestCase):
    """Datagrams that are larger than the path carries."""

    def largest(self, said: list[bytes]) -> int:
        """Return the octets of the largest IP packet with data."""
        return max(len(datagram) + HEADERS for datagram in said if is_data(datagram))

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
        media = [each for each in self.relay.said[before:] if len(each) > 600]
        self.assertEqual([len(each) for each in media[:2]], [len(media[0])] * 2)
        self.assertLessEqual(len(media[0]) + HEADERS, 1280)
        await self.until(lambda: near.largest_datagram > 1400)
        before = len(self.relay.said)
        await self.cast_rtp(near, far_told, 50)
        self.assertLessEqual(self.largest(self.relay.said[before:]), 1500)
        near.cast(bytes(1400))
        await self.until(lambda: far_told.datagrams[-1] == bytes(1400))
        self.assertIn(1400, [len(each) - 44 for each in self.relay.said], "it went in one piece")

    async def test_rtp_on_narrow_path(self) -> None:
        """On one of 1280 octets that says nothing of what it loses, none of them is lost, from the first on."""
        self.relay.there = self.relay.back = narrow(1280)
        near, far, near_told, far_told = await self.talk()
        await self.cast_rtp(near, far_told, 100)
        await self.cast_rtp(far, near_told, 100)
        room = near.largest_datagram
        self.assertIn(room, range(1190, 1240))
        self.assertIn(far.largest_datagram, range(1190, 1240))
        near.cast(bytes(room))
        await self.until(lambda: far_told.datagrams[-1] == bytes(room))

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

        def narrow(datagram: bytes, address: Any) -> int:
            if len(datagram) + HEADERS > 1420:
                raise OSError(errno.EMSGSIZE, "Message too long")
            return int(send(datagram, address))

        near._way.port.send = narrow
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


class InsideTests(RelayedHIPPair, TestCase):
    """What may come inside ESP, from somebody who has the keys."""

    async def answers(self, send: Callable[[Any], object]) -> tuple[Any, list[bytes]]:
        """Return the near end, and what the far end says to something."""
        near, _far, _near_told, far_told = await self.talk()
        for _ in range(5):
            self.advance(0.1)
            await self.turn()
        self.relay.answered.clear()
        send(near)
        near.cast(b"after it")
        await self.until(lambda: far_told.datagrams)
        await self.turn()
        self.assertEqual((far_told.frames, far_told.datagrams), ([], [b"after it"]))
        return near, self.relay.answered

    async def test_echo(self) -> None:
        """An ICMPv6 echo request is answered inside ESP, with the same data."""
        rest = b"\0\1\0\2 how far?"
        opened: list[tuple[int, bytes]] = []

        def ask(near: Any) -> None:
            agreement = near.association.agreement
            self.hits = agreement.own.hit, agreement.peer.hit
            (incoming,) = near.incoming.values()
            incoming._other = lambda number, data: opened.append((number, data))
            near._way.send(ICMPV6, echo(ECHO_REQUEST, *self.hits, rest))

        await self.answers(ask)
        await self.until(lambda: opened)
        own, peer = self.hits
        self.assertEqual(opened, [(ICMPV6, echo(ECHO_REPLY, peer, own, rest))])

    async def test_unknown(self) -> None:
        """Everything else is counted and dropped, without a word."""

        def send(near: Any) -> None:
            own, peer = near.association.agreement.own.hit, near.association.agreement.peer.hit
            for protocol in (0, 1, 4, 6, 41, 59, 132, 255):
                near._way.send(protocol, os.urandom(60))
            for port in (0, 53, 5060, MEDIA_PORT + 1):
                near._way.send(UDP, b"x", InnerUDP(own, peer, port).header(b"x"))
            near._way.send(ICMPV6, b"\x80\0\0\0 wrong checksum")
            near._way.send(ICMPV6, echo(ECHO_REPLY, own, peer, b"\0\1\0\2 unasked"))
            near._way.send(ICMPV6, echo(136, own, peer, bytes(20)))

        _, answered = await self.answers(send)
        self.assertEqual((answered, self.journal.counts["hip.unknown"]), ([], 15))

    async def test_nonsense(self) -> None:
        """Frames of no kind, cut segments and parts that fit nothing are counted and dropped; the link lives on."""
        random = Random(SEED)
        near, _far, near_told, far_told = await self.talk()
        for _ in range(scaled(300, 5000)):
            data = bytes([random.choice((16, 17, 17, 18, 18, 19, 21, 22, 99))]) + random.randbytes(
                random.randrange(40)
            )
            near._way.send(UDP, data, near._way._frames(data))
            if not random.randrange(20):
                await self.turn()
        self.relay.back = untouched
        near.send(b"and on")
        await self.until(lambda: far_told.frames, step=0.02)
        self.assertEqual((far_told.frames, near_told.losses, far_told.losses), ([b"and on"], [], []))


class CreditTests(HIPPair, TestCase):
    """What is sent where the other side may be, in the midst of a call."""

    async def test_long_call(self) -> None:
        """After minutes of a call, what is said goes on while a new address is asked: the credit is of late, not of the beginning."""
        near, far, _, hears = await self.talk()
        near.watch(True)
        for _ in range(960):
            far.cast(bytes(100))
            await self.turn()
            self.advance(0.25)
        near.moved(near.association.path, False)
        for _ in range(10):
            near.cast(bytes(160))
        await self.turn()
        self.assertEqual((self.journal.counts["hip.over_credit"], len(hears.datagrams)), (0, 10))


class IPv6Tests(HIPPair, TestCase):
    """A link over IPv6."""

    def setUp(self) -> None:
        if not has_ipv6():
            raise SkipTest("there is no IPv6 here")
        super().setUp()
        self.alice, self.bob = (
            self.bearer_at(HIPSettings(listen=("::1",), port=0), device(name), FakeNetwork("::1"))
            for name in ("alice", "bob")
        )
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))

    async def test_rtp(self) -> None:
        """Large RTP packets go in two parts of at most 1280 octets until more is known to pass; none is lost."""
        near, _far, _near_told, far_told = await self.talk()
        sent: list[int] = []
        send = near._way.port.send

        def watched(datagram: bytes, at: Any) -> int:
            sent.append(len(datagram) + 48)
            return int(send(datagram, at))

        near._way.port.send = watched
        near.cast(bytes(RTP))
        self.assertEqual((sent[0], sent[0] <= 1280), (sent[1], True), sent)
        packets = [os.urandom(RTP) for _ in range(30)]
        for packet in packets:
            near.cast(packet)
            near.cast(packet[: near._way.base_room])
            self.advance(0.02)
            await self.turn()
        await self.until(lambda: len(far_told.datagrams) == 1 + 2 * len(packets))
        self.assertLessEqual(set(packets), set(far_told.datagrams))
        self.assertLessEqual(max(sent), 1500)
        self.assertEqual(near.remote.host, "::1")
