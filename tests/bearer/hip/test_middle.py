"""Somebody on the way between two HIP bearers on real sockets, who alters one octet, or says again all that was ever said."""

from __future__ import annotations

import random
import socket
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.numbers import PacketType
from p2pship.bearer.hip.signalling import MARKER
from tests.bearer.fakes import device
from tests.bearer.hip.pair import HOST
from tests.bearer.hip.relayed import RelayedHIPPair
from tests.bearer.roughrelay import Fate, untouched
from tests.scale import SCALE, SEED

EXCHANGE = (PacketType.I1, PacketType.R1, PacketType.I2, PacketType.R2)

STRIDE = 1 if SCALE else 12
"Of so many octets one is altered."

TRIES = 3
"Dials that are made at most until a link stands."


class MiddleCase(RelayedHIPPair, TestCase):
    """The one in the middle is :attr:`relay`."""

    def fates(self, fate: Fate) -> None:
        self.relay.there = self.relay.back = fate

    async def made(self, tries: int = TRIES) -> tuple[Any, Any] | None:
        """Dial, and return both ends; None if nothing came of it."""
        for _ in range(tries):
            self.accepted.clear()
            near = await self.dialled()
            if near is not None:
                await self.until(lambda: self.accepted)
                return near, self.accepted.pop()
        return None

    def assert_agreed(self, near: Any, far: Any) -> None:
        """Assert that both have the same keys, and the same idea of what they are for."""
        one, other = near.association.agreement, far.association.agreement
        self.assertEqual((one.own_keys, one.peer_keys), (other.peer_keys, other.own_keys))
        self.assertEqual(
            (one.cipher, one.suite, one.group, one.own_spi, one.peer_spi),
            (other.cipher, other.suite, other.group, other.peer_spi, other.own_spi),
        )

    async def over(self, near: Any) -> None:
        """End a link, and wait until nothing is left of it."""
        near.abort("it was looked at")
        await self.until(lambda: not self.alice._links and not self.bob._links, step=0.05)


class AlteredTests(MiddleCase):
    """One octet of the base exchange is another one."""

    def altering(self, type_: int, at: int, always: bool) -> Fate:
        """Alter one octet of a packet of a type, once or each time."""
        bit = 1 << self.chosen.randrange(8)
        left = [1]

        def fate(datagram: bytes) -> list[tuple[float, bytes]]:
            if datagram[:4] != MARKER or datagram[6] & 0x7F != type_ or not left:
                return untouched(datagram)
            if not always:
                left.clear()
            return untouched(datagram[:at] + bytes((datagram[at] ^ bit,)) + datagram[at + 1 :])

        return fate

    async def sizes(self) -> dict[int, int]:
        """Return how long the datagrams of a base exchange are."""
        self.chosen = random.Random(SEED)
        both = await self.made()
        assert both is not None
        await self.over(both[0])
        said = [each for each in self.relay.said + self.relay.answered if each[:4] == MARKER]
        return {each[6] & 0x7F: len(each) for each in said}

    async def test_once(self) -> None:
        """Attack: an octet of I1, R1, I2 or R2 is altered once: both agree all the same, a moment later."""
        sizes = await self.sizes()
        for type_ in EXCHANGE:
            for at in range(self.chosen.randrange(STRIDE), sizes[type_], STRIDE):
                self.fates(self.altering(type_, at, always=False))
                both = await self.made()
                assert both is not None, (type_, at)
                self.assert_agreed(*both)
                await self.over(both[0])

    async def test_always(self) -> None:
        """Attack: it is altered each time: there is no link, or both agree; and as soon as it ends, they do."""
        sizes = await self.sizes()
        for type_ in EXCHANGE:
            for at in range(4 + self.chosen.randrange(4 * STRIDE), sizes[type_], 4 * STRIDE):
                self.fates(self.altering(type_, at, always=True))
                both = await self.made(tries=1)
                self.fates(untouched)
                both = both or await self.made(tries=1)
                assert both is not None, (type_, at)
                self.assert_agreed(*both)
                await self.over(both[0])


class RepeatedTests(MiddleCase):
    """All of a session, with new keys and CLOSE, is said again."""

    async def test_everywhere(self) -> None:
        """Attack: to both ends, to a third node, from here and elsewhere, then, later, after a restart: nothing comes of it."""
        near, far, near_told, far_told = await self.talk()
        near.send(b"frame")
        far.cast(b"media")
        self.alice._house.tired(near.association)
        await self.until(lambda: far.association.rekey.count and near.association.rekey.count)
        near.cast(b"more")
        await self.until(lambda: far_told.datagrams and near_told.datagrams and far_told.frames)
        await self.again(near.association.path.carrier.number)
        heard = [(told.frames, told.datagrams, told.losses) for told in (near_told, far_told)]
        self.assertEqual(heard, [([], [b"media"], []), ([b"frame"], [b"more"], [])])
        dialled_from = near.association.path.carrier.number
        near.close("that is all")
        await self.until(lambda: not self.alice._links and not self.bob._links, step=0.1)
        await self.again(dialled_from)
        for name in ("carol", "bob"):
            other = self.bearer(device(name))
            self.successResultOf(other.listen(self.accepted.append, lambda: None))
            await self.again(other._sockets.number)
        self.assertEqual(self.accepted, [])
        self.assertEqual([each._links for each in self.bearers], [{}] * len(self.bearers))

    async def again(self, *numbers: int) -> None:
        """Say all again, from another address and by the relay, and let time pass."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as eve:
            eve.bind(("127.0.0.7", 0))
            for datagram in (*self.relay.said, *self.relay.answered):
                for number in (*numbers, self.bob._sockets.number):
                    eve.sendto(datagram, (HOST, number))
                self.relay.to_target(datagram)
                self.relay.to_client(datagram)
                await self.turn()
        for _ in range(20):
            self.advance(0.25)
            await self.turn()
