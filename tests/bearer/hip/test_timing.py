"""Tests for p2pship.bearer.hip.timing: other programs take their time."""

from __future__ import annotations

from p2pship.bearer.hip.association import State
from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.timing import STRANGERS
from tests.bearer.hip.diallingcase import DiallingCase
from tests.bearer.hip.hosts import path
from tests.bearer.hip.test_contest import changed


class TimingTests(DiallingCase):
    """A base exchange with a slow program."""

    def test_strangers(self) -> None:
        """To another program all is sent again later, I1 and I2: it may need half a second for its answer, and take two I2s as two exchanges."""
        self.one.dial(self.other.own.hit, [path(1)], self.two.now, STRANGERS)
        self.begin()
        self.pass_time(9)
        self.assertEqual(self.times(PacketType.I2), [2.0, 4.8, 8.72])

    def test_slow_stranger(self) -> None:
        """One that takes 3 s for each I1, and makes another R1 for each, gets no more of them, no I2 again soon, and time for that as well."""
        self.one.dial(self.other.own.hit, [path(1)], self.two.now, STRANGERS)
        self.pass_time(3)
        self.assertEqual(self.times(PacketType.I1), [0, 2.0])
        i1 = self.one._exchanges.all[self.other.own.hit].initiator.i1()
        self.two.deliver(1, i1)
        (r1,) = self.two.work(1)
        self.two.deliver(0, r1)
        (i2,) = self.two.work(0)
        self.pass_time(3)
        self.two.deliver(0, changed(r1, ParameterType.PUZZLE, 4, bytes(16)))
        self.pass_time(5.5)
        self.assertEqual([sent for time, sent, _ in self.sent if time > 2], [PacketType.I2])
        self.assertEqual(self.times(PacketType.I2), [9.0])
        self.two.hosts[1].received(parse(i2), path(0), self.two.now)
        (r2,) = self.two.work(1)
        self.two.deliver(0, r2)
        self.assertIs(self.one.state(self.other.own.hit), State.ESTABLISHED)
