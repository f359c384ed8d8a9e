"""Tests for p2pship.bearer.hip.updates: each is sent until it is acknowledged, and taken once (RFC 7401 §6.11, §6.12)."""

from __future__ import annotations

import os
import random

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import Packet, parse
from p2pship.bearer.hip.parameters import decode_list, decode_seq
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.updates import MOST_AHEAD, MOST_REPEATED, WINDOW, Updates
from tests.bearer.hip.hosts import BEGIN, TwoHosts, host, identity, path
from tests.bearer.hip.respondercase import away
from tests.scale import SEED, scaled

P = ParameterType


class UpdatesTests(TestCase):
    """The UPDATEs of one association, without anything that they are for."""

    def setUp(self) -> None:
        two = TwoHosts(
            host(identity("P-256", "one"), os.urandom), host(identity("P-256", "other"), os.urandom)
        )
        two.dial()
        two.talk()
        self.out: tuple[list[Send], list[Send]] = [], []
        self.near, self.far = (
            Updates(association.agreement, self.out[number].append)
            for number, association in enumerate(two.associations())
        )
        self.now = BEGIN
        self.acknowledged: list[int] = []
        self.given_up: list[int] = []

    def request(self, *paths: Path, vital: bool = True) -> int:
        numbers: list[int] = []

        def heard(packet: Packet, _by: Path, _now: float) -> None:
            self.acknowledged.append(numbers[0])

        numbers.append(
            self.near.request(
                [],
                paths or (path(1),),
                self.now,
                heard,
                lambda: self.given_up.append(numbers[0]),
                is_vital=vital,
            )
        )
        return numbers[0]

    def said(self, number: int = 0) -> list[Packet]:
        """Return what one has sent since it was asked last."""
        packets = [parse(send.octets) for send in self.out[number]]
        self.out[number].clear()
        return packets

    def take(self, packet: Packet) -> int | None:
        """Have the far one take a packet, and acknowledge it."""
        number = self.far.received(packet, path(0), self.now)
        if number is not None:
            self.far.answer(number, (), path(0))
        return number

    def test_acknowledged(self) -> None:
        """Each has the next number, from zero on, and is acknowledged by it."""
        for number in range(3):
            self.assertEqual(self.request(), number)
            (packet,) = self.said()
            self.assertEqual(decode_seq(packet.need(P.SEQ)), number)
            self.assertEqual(self.take(packet), number)
            (answer,) = self.said(1)
            self.assertEqual(decode_list(P.ACK, answer.need(P.ACK)), (number,))
            self.assertIsNone(self.near.received(answer, path(1), self.now))
        self.assertEqual((self.acknowledged, self.near.due()), ([0, 1, 2], None))

    def test_again(self) -> None:
        """It is sent again after twice a round trip, ever more slowly but not too slowly, and given up in the end."""
        self.request()
        times = []
        while (due := self.near.due()) is not None:
            times.append(due - BEGIN)
            self.near.timer_fired(due)
        self.assertEqual(times, [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5])
        self.assertEqual(len({packet.raw for packet in self.said()}), 1)
        self.assertEqual((self.given_up, self.near.is_broken), ([0], True))

    def test_not_vital(self) -> None:
        """One that may fail does not break anything."""
        self.request(vital=False)
        while (due := self.near.due()) is not None:
            self.near.timer_fired(due)
        self.assertEqual((self.given_up, self.near.is_broken), ([0], False))

    def test_round_trip(self) -> None:
        """The time until it is sent again follows the way, and what was sent twice says nothing of it."""
        self.request()
        (packet,) = self.said()
        self.take(packet)
        self.now += 0.2
        self.near.received(self.said(1)[0], path(1), self.now)
        self.assertAlmostEqual(self.near.round_trip, 0.2, places=5)
        self.request()
        due = self.near.due()
        assert due is not None
        self.assertAlmostEqual(due - self.now, 0.4, places=5)
        self.near.timer_fired(due)
        self.take(self.said()[0])
        self.now += 5
        self.near.received(self.said(1)[0], path(1), self.now)
        self.assertAlmostEqual(self.near.round_trip, 0.2, places=5)

    def test_taken_once(self) -> None:
        """What comes again is acknowledged again, with the same octets, so often and not for ever."""
        self.request()
        (packet,) = self.said()
        self.assertEqual(self.take(packet), 0)
        for _ in range(3 * MOST_REPEATED):
            self.assertIsNone(self.take(packet))
        answers = [answer.raw for answer in self.said(1)]
        self.assertEqual((len(answers), len(set(answers))), (1 + MOST_REPEATED, 1))

    def test_answer_goes_back(self) -> None:
        """It is acknowledged to where it came from."""
        self.request()
        (packet,) = self.said()
        self.take(packet)
        self.far.received(packet, away(3), self.now)
        self.assertEqual([send.path for send in self.out[1]], [path(0), away(3)])

    def test_many_missing(self) -> None:
        """However many are given up, the next one is taken; an old one that comes late is taken once, a very old one never."""
        packets = []
        for number in range(3 * WINDOW):
            self.request()
            packets += self.said()
            self.near.cancel(number)
        self.assertEqual(self.take(packets[-1]), 3 * WINDOW - 1)
        self.assertEqual(self.take(packets[-3]), 3 * WINDOW - 3)
        self.assertIsNone(self.take(packets[-3]))
        self.assertIsNone(self.take(packets[0]))
        self.assertLessEqual(len(self.far._answers), WINDOW + 2)

    def test_any_first(self) -> None:
        """The first is taken whatever its number, as are those just before it; then none far ahead."""
        self.near._next = 0x9000_0000
        self.request()
        self.request()
        one, other = self.said()
        self.assertEqual((self.take(other), self.take(one)), (0x9000_0001, 0x9000_0000))
        self.near._next += MOST_AHEAD
        self.request()
        self.assertIsNone(self.take(self.said()[0]))

    def test_circle(self) -> None:
        """After the highest number comes zero."""
        self.near._next = self.far._expected = (1 << 32) - 2
        numbers = []
        for _ in range(4):
            self.request()
            numbers.append(self.take(self.said()[0]))
        self.assertEqual(numbers, [(1 << 32) - 2, (1 << 32) - 1, 0, 1])

    def test_any_order(self) -> None:
        """In any order, and any number of times: each is acted on once if it is not too old, and the memory stays small."""
        chosen = random.Random(SEED)
        acted: list[int] = []
        waiting: list[Packet] = []
        for _ in range(scaled(300, 10_000)):
            self.request(vital=False)
            waiting += self.said()
            for _ in range(chosen.randrange(3)):
                packet = waiting[chosen.randrange(max(0, len(waiting) - 20), len(waiting))]
                number = self.take(packet)
                if number is not None:
                    acted.append(number)
            for answer in self.said(1):
                self.assertEqual(answer.type, PacketType.UPDATE)
                self.near.received(answer, path(1), self.now)
        self.assertEqual(len(acted), len(set(acted)))
        self.assertLessEqual(len(self.far._answers), WINDOW + 2)
        self.assertEqual(sorted(self.acknowledged), sorted(acted))
