"""Tests for p2pship.bearer.hip.link, over real sockets and a relay that loses, alters, repeats and narrows."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.esp import LAST
from p2pship.bearer.hip.inner import ECHO_REPLY, ECHO_REQUEST, ICMPV6, MEDIA_PORT, UDP, InnerUDP, echo
from p2pship.bearer.hip.settings import HIPSettings
from tests.bearer.fakes import FakeNetwork, device, has_ipv6
from tests.bearer.hip.pair import HIPPair
from tests.bearer.hip.relayed import RelayedHIPPair
from tests.bearer.roughlinks import RTP, LossCases, SizeCases
from tests.bearer.roughrelay import untouched
from tests.scale import SEED, scaled


class LossTests(RelayedHIPPair, LossCases, TestCase):
    """A path that loses, repeats, delays and alters datagrams."""

    async def test_used_up(self) -> None:
        """A link whose key may seal no more, because nobody answers who would change it, is lost and says why."""
        near, _far, near_told, _far_told = await self.talk()
        near.association.outbound.sequence = LAST
        near.cast(b"one too many")
        await self.until(lambda: near_told.losses)
        self.assertEqual(near_told.losses, ["the keys are used up"])


class SizeTests(RelayedHIPPair, SizeCases, TestCase):
    """Datagrams that are larger than the path carries."""


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
