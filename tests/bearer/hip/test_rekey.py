"""Tests of keys that change while packets pass (RFC 7402 §6.8 to §6.10)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.bearer.fakes import Recorder
from tests.bearer.hip.pair import HIPPair

PACKETS = 400


class RekeyTests(HIPPair, TestCase):
    """Two nodes that talk all the time."""

    async def streaming(self, begin: Any) -> tuple[Any, Any, Recorder, Recorder]:
        """Cast packets in both directions, with ``begin`` called with both ends after a while, and return both ends."""
        near, far, near_told, far_told = await self.talk()
        for number in range(PACKETS):
            near.cast(b"%d" % number)
            far.cast(b"%d" % number)
            if number == PACKETS // 4:
                begin(near, far)
            self.advance(0.02)
            if number % 3 == 0:
                await self.turn()
        wanted = [b"%d" % number for number in range(PACKETS)]
        await self.until(lambda: len(near_told.datagrams) + len(far_told.datagrams) >= 2 * PACKETS)
        self.assertEqual((near_told.datagrams, far_told.datagrams), (wanted, wanted))
        return near, far, near_told, far_told

    def begin(self, bearer: Any, link: Any) -> None:
        """Have a link's keys changed."""
        bearer._tired(link.association)

    def assert_changed(self, near: Any, far: Any, spis: set[int]) -> None:
        """Assert that both ends have other keys than at first, and that the old ones are forgotten."""
        for one, other in ((near, far), (far, near)):
            self.assertNotIn(one.association.inbound.spi, spis)
            self.assertEqual(one.association.inbound.spi, other.association.outbound.spi)
            self.assertEqual(one.association.rekey.count, 1)
        self.advance(11)
        self.assertEqual([len(link.incoming) for link in (near, far)], [1, 1])
        self.assertEqual([len(bearer._parties) for bearer in (self.alice, self.bob)], [1, 1])

    async def test_one_side(self) -> None:
        """One side changes the keys: no packet is lost, in neither direction."""
        spis: set[int] = set()

        def begin(near: Any, far: Any) -> None:
            spis.update(link.association.inbound.spi for link in (near, far))
            self.begin(self.alice, near)

        near, far, *_ = await self.streaming(begin)
        self.assert_changed(near, far, spis)

    async def test_both_sides(self) -> None:
        """Both sides begin at the same moment, which comes to the same."""
        spis: set[int] = set()

        def begin(near: Any, far: Any) -> None:
            spis.update(link.association.inbound.spi for link in (near, far))
            self.begin(self.alice, near)
            self.begin(self.bob, far)

        near, far, *_ = await self.streaming(begin)
        self.assert_changed(near, far, spis)

    async def test_by_itself(self) -> None:
        """A key that has sealed as many packets as it should is changed by itself."""

        def begin(near: Any, _far: Any) -> None:
            near.association.outbound._limit = near.association.outbound.sequence + 10

        near, far, *_ = await self.streaming(begin)
        self.assertEqual((near.association.rekey.count, far.association.rekey.count), (1, 1))
