"""Tests of keys that change while packets pass (RFC 7402 §6.8 to §6.10)."""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.diffiehellman import KeyPair, new_key_pair
from p2pship.bearer.hip.numbers import DHGroup, ParameterType
from p2pship.bearer.hip.packet import BadPacket, parse
from p2pship.bearer.hip.parameters import DiffieHellman, ESPInfo
from tests.bearer.fakes import Recorder
from tests.bearer.hip.hosts import TwoHosts, host, identity, path
from tests.bearer.hip.pair import HIPPair
from tests.bearer.hip.relayed import RelayedHIPPair
from tests.bearer.hip.simulation import Keys
from tests.scale import SEED, scaled

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
        bearer._house.tired(link.association)

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

    async def test_end_of_keymat(self) -> None:
        """Whoever names octets of KEYMAT that there are not is refused, and the keys can be changed afterwards."""

        def begin(near: Any, far: Any) -> None:
            association = near.association
            wish = ESPInfo(65_000, association.inbound.spi, 0x12345678)
            contents = [(ParameterType.ESP_INFO, wish.encode())]
            association.updates.request(
                contents, (association.path,), self.clock.seconds(), lambda *_: None, lambda: None
            )
            self.clock.callLater(2.0, self.begin, self.alice, near)

        near, far, *_ = await self.streaming(begin)
        self.assertEqual((near.association.rekey.count, far.association.rekey.count), (1, 1))

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


class LateTests(RelayedHIPPair, TestCase):
    """A path on which each packet takes a time of its own."""

    async def test_late(self) -> None:
        """Of 10,000 packets a second, up to 200 ms late each, all are taken once, while the keys change again and again."""
        random = Random(SEED)
        near, _far, _near_told, far_told = await self.talk()
        self.relay.there = lambda datagram: [(random.uniform(0.0, 0.2), datagram)]
        number = scaled(6000, 40_000)  # a change of keys takes up to 0.4 s here
        for first in range(0, number, 50):
            for each in range(first, first + 50):
                near.cast(b"%d" % each)
            if not first % 500:
                self.alice._house.tired(near.association)
            self.advance(0.005)
            await self.turn()
        await self.until(lambda: len(far_told.datagrams) >= number, step=0.005)
        self.assertEqual(sorted(map(int, far_told.datagrams)), list(range(number)))
        self.assertNotEqual(sorted(far_told.datagrams, key=int), far_told.datagrams)
        self.assertGreater(near.association.rekey.count, 1)
        self.assertEqual(self.journal.counts["hip.replayed"], 0)


class ExchangeTests(TestCase):
    """New keys by the machine alone, step by step."""

    def setUp(self) -> None:
        self.keys = Keys()
        self.keys.watch(self)
        self.two = TwoHosts(
            host(identity("P-256", "one"), os.urandom), host(identity("P-256", "other"), os.urandom)
        )
        self.two.dial()
        self.two.talk()
        self.near, self.far = self.two.associations()

    def assert_agreed(self, count: int) -> None:
        """Assert that both have the same keys, the so-and-so-manieth, which have nothing in common with any before."""
        for one, other in ((self.near, self.far), (self.far, self.near)):
            self.assertEqual(one.rekey.count, count)
            packet = one.outbound.seal(59, b"word")
            self.assertEqual(packet[:4], other.inbound.spi.to_bytes(4, "big"))
            self.assertEqual(other.inbound.open(packet), (59, b"word"))
        self.assertEqual(self.keys.repeated, [])
        self.assertEqual(self.keys.count, 4 * (count + 1))

    def begin(self, association: Any, pair: KeyPair | None) -> None:
        """Have one side begin, with a new Diffie-Hellman value or, as other programs may, without one."""
        association.rekey._ask(association.path, self.two.now, pair)

    def test_new_values(self) -> None:
        """Again and again, from either side."""
        for count in range(1, 6):
            self.two.hosts[count % 2].rekey((self.near, self.far)[count % 2], self.two.now)
            self.two.talk()
            self.two.now += 0.5
            self.assert_agreed(count)

    def test_same_keymat(self) -> None:
        """Without new values keys come from behind those before, until KEYMAT ends; then it is refused."""
        count = 0
        while True:
            self.begin(self.near, None)
            try:
                self.two.talk()
            except BadPacket:
                break
            count += 1
            self.two.now += 0.1
            self.assert_agreed(count)
        self.assertGreater(count, 100)
        self.assertEqual(self.keys.repeated, [])

    def test_mixed(self) -> None:
        """One after the other, with and without."""
        for count in range(1, 8):
            side = (self.near, self.far)[count // 2 % 2]
            self.begin(side, new_key_pair(DHGroup.P256) if count % 3 else None)
            self.two.talk()
            self.two.now += 0.5
            self.assert_agreed(count)

    def test_both(self) -> None:
        """Both at once."""
        for count in range(1, 4):
            for number, association in enumerate((self.near, self.far)):
                self.two.hosts[number].rekey(association, self.two.now)
            self.two.talk()
            self.assert_agreed(count)

    def test_used_octets(self) -> None:
        """Octets of KEYMAT that were used are not used again, whoever wants it."""
        for index in (0, 1, 128, self.far.rekey._index - 1):
            self.near.rekey._index = index
            self.begin(self.near, None)
            self.assertRaises(BadPacket, self.two.talk)
            self.near.rekey._own = None
        self.assertEqual((self.far.rekey.count, self.keys.count), (0, 4))

    def test_later_octets(self) -> None:
        """The place in KEYMAT that the other side asks for is the one that is said in the answer, as RFC 7402 §6.9.1 recommends."""
        self.near.rekey._index += 40
        wanted = self.near.rekey._index
        self.begin(self.near, None)
        self.two.deliver(1, self.two.work(0)[0])
        (answer,) = self.two.work(1)
        said = ESPInfo.decode(parse(answer).need(ParameterType.ESP_INFO))
        self.assertEqual(said.keymat_index, wanted)
        self.two.deliver(0, answer)
        self.two.talk()
        self.assert_agreed(1)

    def test_index_with_value(self) -> None:
        """A new KEYMAT begins at its beginning."""
        info = ESPInfo(40, self.near.inbound.spi, 5000)
        pair = new_key_pair(DHGroup.P256)
        contents = [
            (ParameterType.ESP_INFO, info.encode()),
            (ParameterType.DIFFIE_HELLMAN, DiffieHellman(pair.group, pair.public).encode()),
        ]
        self.near.updates.request(contents, [path(1)], self.two.now, lambda *_: None, lambda: None)
        self.assertRaises(BadPacket, self.two.talk)

    def test_other_group(self) -> None:
        """The group stays the one of the base exchange."""
        self.begin(self.near, new_key_pair(DHGroup.P384))
        self.assertRaises(BadPacket, self.two.talk)

    def test_acknowledged_only(self) -> None:
        """Who gets an acknowledgement and nothing else does not wait for ever, and may begin again."""
        self.two.hosts[0].rekey(self.near, self.two.now)
        (_octets,) = self.two.work(0)
        self.far.updates.answer(0, (), path(0))
        self.two.deliver(0, self.two.work(1)[0])
        self.assertTrue(self.near.rekey.is_under_way)
        while self.near.rekey.is_under_way:
            due = self.two.hosts[0].due()
            assert due is not None
            self.assertLess(due, self.two.now + 120)
            self.two.hosts[0].timer_fired(due)
        self.assertTrue(self.near.stands)
        self.assertEqual(self.near.rekey.count, 0)

    def test_at_once_again(self) -> None:
        """The next change may begin before the acknowledgement of the one before has come."""
        self.two.hosts[0].rekey(self.near, self.two.now)
        self.two.deliver(1, self.two.work(0)[0])
        self.two.deliver(0, self.two.work(1)[0])
        (late,) = self.two.work(0)
        self.two.hosts[0].rekey(self.near, self.two.now)
        self.two.talk()
        self.two.deliver(1, late)
        self.two.talk()
        self.assert_agreed(2)
