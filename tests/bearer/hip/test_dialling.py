"""Tests for p2pship.bearer.hip.dialling: what is sent when, in a time of its own (RFC 7401 §6.6, §6.8)."""

from __future__ import annotations

import itertools
import os

from p2pship.bearer.hip.association import Ended, State, notify_packet
from p2pship.bearer.hip.dialling import (
    LATER_R2,
    MOST_I2S,
    MOST_NOTICES,
    PATIENCE,
    STAGGER,
    Failed,
    Solve,
)
from p2pship.bearer.hip.exchanges import NULL_HIT
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, parse
from p2pship.bearer.hip.path import Send
from p2pship.bearer.hip.timing import LONGEST
from p2pship.errors import LocalError
from tests.bearer.hip.diallingcase import DiallingCase
from tests.bearer.hip.hosts import TwoHosts, host, identity, path
from tests.bearer.hip.respondercase import away
from tests.bearer.hip.test_states import spoiled


class DiallingTests(DiallingCase):
    """One base exchange, of which as much arrives as the test wants."""

    def test_one_path(self) -> None:
        """An I1 that is not answered is sent again, ever more slowly, and then it is over."""
        self.dial()
        self.pass_time(LONGEST + 1)
        self.assertEqual(self.times(PacketType.I1), [0, 0.25, 0.6, 1.09, 1.776, 2.736, 4.081, 5.963, 8.599])
        self.assertEqual(self.failed, [Failed(self.one.own.hit, self.other.own.hit, "no answer")])
        self.assertEqual(self.one.state(self.other.own.hit), State.UNASSOCIATED)

    def test_many_paths(self) -> None:
        """Several paths are tried one after the other, never two at a time, and all of them again."""
        paths = [away(number) for number in range(6)]
        self.dial(*paths)
        self.pass_time(LONGEST + 1)
        times = self.times(PacketType.I1)
        gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
        self.assertGreaterEqual(min(gaps), STAGGER - 0.001)
        self.assertEqual([where for _, _, where in self.sent[:12]], 2 * paths)

    def test_further_paths(self) -> None:
        """Paths that are learnt later are tried as well, each once in its turn."""
        self.dial(away(0))
        self.pass_time(0.1)
        self.dial(away(0), away(1))
        self.pass_time(3)
        self.assertEqual({where for _, _, where in self.sent}, {away(0), away(1)})

    def test_i2_again(self) -> None:
        """An I2 is sent again a few times; then another R1 is asked for, as the first one may have been false."""
        self.begin()
        self.assertEqual(self.one.state(self.other.own.hit), State.I2_SENT)
        self.pass_time(3.4)
        self.assertEqual(self.times(PacketType.I2), [0.25, 0.6, 1.09])
        self.assertEqual(len(self.times(PacketType.I2)), MOST_I2S - 1)  # the first one was taken before
        self.assertEqual(self.times(PacketType.I1), [1.776, 2.126, 2.616, 3.302])
        self.assertEqual(self.one.state(self.other.own.hit), State.I1_SENT)

    def test_round_trip(self) -> None:
        """How long a way there and back takes is known at the end, although the I1 or the I2 was lost."""
        for lost in (PacketType.I1, PacketType.I2):
            self.setUp()
            self.dial()
            for asked in (PacketType.I1, PacketType.I2):
                (packet,) = self.two.work(0)
                if asked is lost:
                    (packet,) = self.wait_for_another()
                self.two.now += 0.02
                self.two.deliver(1, packet)
                self.two.deliver(0, self.two.work(1)[0])
            self.two.work(0)
            self.assertAlmostEqual(self.two.associations()[0].round_trip, 0.02, 4, lost.name)

    def wait_for_another(self) -> list[bytes]:
        """Return what the first one sends when nothing is answered."""
        packets: list[bytes] = []
        while not packets:
            self.two.now += 0.01
            self.one.timer_fired(self.two.now)
            packets = self.two.work(0)
        return packets

    def exchanged(self, number: int, octets: bytes) -> bytes:
        """Give one of the two a packet, and return what it sends."""
        self.two.deliver(number, octets)
        (sent,) = self.two.work(number)
        return sent

    def test_later_i2(self) -> None:
        """If the other side has taken two I2s, the later counts, also if its R2 comes later; if only the first, that one does after a while."""
        for are_both_taken in (True, False):
            self.setUp()
            self.dial()
            (i1,) = self.two.work(0)
            r2 = self.exchanged(1, self.exchanged(0, self.exchanged(1, i1)))
            second = self.exchanged(0, self.exchanged(1, i1))
            for _ in range(2):
                self.two.deliver(0, r2)
                self.assertEqual(self.one.state(self.other.own.hit), State.I2_SENT)
                self.two.now += LATER_R2 / 2
            if are_both_taken:
                self.two.deliver(0, self.exchanged(1, second))
            else:
                self.one.timer_fired(self.two.now)
            self.two.work(0)
            one, other = self.two.associations()
            spis = other.outbound.spi, other.inbound.spi
            self.assertEqual((one.inbound.spi, one.outbound.spi), spis, are_both_taken)

    def test_busy(self) -> None:
        """Who hears that the other side is busy does not send the same solution again, but asks for another puzzle."""
        self.begin()
        for kind in (NotifyType.BLOCKED_BY_POLICY, NotifyType.RESPONDER_BUSY_PLEASE_RETRY):
            self.two.deliver(0, notify_packet(self.other.own, self.one.own.hit, kind))
        self.pass_time(0.5)
        self.assertEqual([sent for _, sent, _ in self.sent], [PacketType.I1])

    def test_notified_by_another(self) -> None:
        """A NOTIFY of somebody else is refused, and few of them are looked at."""
        self.begin()
        forged = notify_packet(
            identity("P-256", "third"), self.one.own.hit, NotifyType.RESPONDER_BUSY_PLEASE_RETRY
        )
        forged = forged[:8] + self.other.own.hit + forged[24:]
        for _ in range(MOST_NOTICES):
            self.assertRaises(BadPacket, self.two.deliver, 0, forged)
        self.two.deliver(0, forged)
        self.pass_time(0.5)
        self.assertEqual([sent for _, sent, _ in self.sent], [PacketType.I2])

    def test_responder_begun_anew(self) -> None:
        """A Responder that forgets everything between R1 and I2 is reached all the same."""
        self.begin()
        again = TwoHosts(self.one, host(self.other.own, os.urandom))
        again.now = self.two.now
        for _ in range(30):
            again.now += 0.2
            self.one.timer_fired(again.now)
            for octets in again.work(0):
                try:
                    again.deliver(1, octets)
                except BadPacket:
                    continue
                for answer in again.work(1):
                    again.deliver(0, answer)
        self.assertIs(self.one.state(self.other.own.hit), State.ESTABLISHED)

    def test_false_puzzle(self) -> None:
        """Whoever sends the Initiator somebody else's R1 first, with another #I, delays it and no more."""
        self.dial()
        (_i1,) = self.two.work(0)
        other = host(identity("P-256", "third"), os.urandom)
        other.dial(self.other.own.hit, [path(1)], self.two.now)
        foreign = TwoHosts(other, self.other)
        foreign.deliver(1, foreign.work(0)[0])
        (r1,) = foreign.work(1)
        self.two.deliver(0, r1[:24] + self.one.own.hit + r1[40:])
        for _ in range(30):
            for octets in self.two.work(0):
                try:
                    self.two.deliver(1, octets)
                except BadPacket:
                    continue
                for answer in self.two.work(1):
                    self.two.deliver(0, answer)
            self.two.now += 0.2
            self.one.timer_fired(self.two.now)
        self.assertIs(self.one.state(self.other.own.hit), State.ESTABLISHED)

    def test_same_r1(self) -> None:
        """An R1 that is no newer than the one that was answered is not answered."""
        r1 = self.begin()
        self.two.deliver(0, r1)
        self.assertEqual(self.two.work(0), [])

    def test_many_wrong_r1s(self) -> None:
        """R1s with wrong signatures are looked at for a while only, and a right one among them is taken."""
        self.dial()
        self.two.deliver(1, self.two.work(0)[0])
        (r1,) = self.two.work(1)
        wrong = spoiled(r1, ParameterType.HIP_SIGNATURE_2)
        for number in range(20):
            self.assertRaises(BadPacket, self.two.deliver, 0, wrong[:-8] + number.to_bytes(8, "big"))
        self.two.deliver(0, r1)
        self.assertEqual([parse(octets).type for octets in self.two.work(0)], [PacketType.I2])

    def test_glare_one_way(self) -> None:
        """The greater HIT's I1 is left alone at first; if ours does not get there, it is answered after all."""
        other = TwoHosts(self.other, self.one)
        self.dial()
        self.two.work(0)
        other.dial()
        (i1,) = other.work(0)
        self.two.deliver(0, i1)
        self.assertEqual(self.two.work(0), [])
        self.two.now += PATIENCE
        self.two.deliver(0, i1)
        self.assertEqual([parse(octets).type for octets in self.two.work(0)], [PacketType.R1])

    def test_given_up(self) -> None:
        """Who does not want it any longer hears so, and an answer that comes then is dropped."""
        self.dial()
        self.two.deliver(1, self.two.work(0)[0])
        self.one.give_up(self.other.own.hit, "not wanted")
        self.two.deliver(0, self.two.work(1)[0])
        self.pass_time(1)
        failed = Failed(self.one.own.hit, self.other.own.hit, "not wanted")
        self.assertEqual((self.failed, self.sent), ([failed], []))
        self.assertIsNone(self.one.due())

    def test_closed_before_r2(self) -> None:
        """When the R2 is lost and the other side closes, the dial ends with that (RFC 7401 §4.4.3, Table 4)."""
        self.begin()
        i2 = next(octets for number, octets in self.two.said if parse(octets).type == PacketType.I2)
        self.two.deliver(1, i2)
        self.two.work(1)
        association = self.other.association(self.one.own.hit)
        assert association is not None
        self.other.close(association, self.two.now, "nobody came")
        (close,) = self.two.work(1)
        self.assertRaises(BadPacket, self.two.deliver, 0, spoiled(close, ParameterType.HIP_SIGNATURE))
        self.assertEqual(self.one.state(self.other.own.hit), State.I2_SENT)
        self.assertEqual(list(self.one.associations()), [])
        self.two.deliver(0, close)
        things = self.one.take()
        self.assertIn(Failed(self.one.own.hit, self.other.own.hit, "the other side has closed it"), things)
        self.assertEqual([thing for thing in things if isinstance(thing, Ended)], [])
        (ack,) = (thing.octets for thing in things if isinstance(thing, Send))
        self.two.deliver(1, ack)
        self.assertEqual(self.other.state(self.one.own.hit), State.UNASSOCIATED)
        self.two.deliver(0, close)
        self.assertEqual([parse(octets).type for octets in self.two.work(0)], [PacketType.CLOSE_ACK])
        self.pass_time(10)
        self.assertEqual(self.one.state(self.other.own.hit), State.UNASSOCIATED)

    def test_puzzle_given_up(self) -> None:
        """Nobody works on the puzzle of a dial that was given up."""
        self.dial()
        self.two.deliver(1, self.two.work(0)[0])
        self.two.deliver(0, self.two.work(1)[0])
        (solve,) = (thing for thing in self.one.take() if isinstance(thing, Solve))
        self.assertIsNotNone(solve.dialling.solver)
        self.one.give_up(self.other.own.hit, "not wanted")
        self.assertIsNone(solve.dialling.solver)

    def test_other_addresses(self) -> None:
        """When our address changes, I1s leave at once from the one that we have then, to where they went before."""
        after = path(1)._replace(carrier="another socket", own_host="192.0.2.9")
        self.one._reach = lambda host, port: [after]
        self.dial()
        self.pass_time(0.5)
        self.one.own_changed(["192.0.2.9"], self.two.now)
        self.pass_time(0.5)
        self.assertEqual([where for _, _, where in self.sent], [path(1), path(1), after, after])
        self.assertEqual(self.times(PacketType.I1), [0, 0.25, 0.5, 0.75])

    def test_other_addresses_after_i2(self) -> None:
        """When the address is gone that the other side would answer, the exchange begins anew from another."""
        self.begin()
        after = path(1)._replace(carrier="another socket", own_host="192.0.2.9")
        self.one._reach = lambda host, port: [after]
        self.one.own_changed(["192.0.2.9"], self.two.now)
        self.assertEqual(self.one.state(self.other.own.hit), State.I1_SENT)
        (i1,) = (thing for thing in self.one.take() if isinstance(thing, Send))
        self.assertEqual(i1.path, after)
        self.two.deliver(
            1, next(octets for _, octets in self.two.said if parse(octets).type == PacketType.I2)
        )
        for late in self.two.work(1):
            self.two.deliver(0, late)
        self.assertEqual(self.one.state(self.other.own.hit), State.I1_SENT)
        self.two.deliver(1, i1.octets)
        self.two.talk()
        self.assertIs(self.one.state(self.other.own.hit), State.ESTABLISHED)

    def test_other_addresses_after_r2(self) -> None:
        """An R2 that counts if no later one comes does not count when the address is gone at which it came."""
        self.begin()
        (dialling,) = self.one._exchanges.all.values()
        dialling._i2s_sent[0] = self.two.now, 1 << 63, path(1)  # to a newer R1
        (i2,) = (octets for _, octets in self.two.said if parse(octets).type == PacketType.I2)
        self.two.deliver(1, i2)
        for r2 in self.two.work(1):
            self.two.deliver(0, r2)
        self.assertIsNotNone(dialling.agreed)
        self.one._reach = lambda host, port: [
            path(1)._replace(carrier="another socket", own_host="192.0.2.9")
        ]
        self.one.own_changed(["192.0.2.9"], self.two.now)
        self.pass_time(2 * LATER_R2)
        self.assertEqual(self.one.state(self.other.own.hit), State.I1_SENT)

    def test_no_address(self) -> None:
        """While we have no address, it is remembered whither to go on; while it stays, nothing changes."""
        self.begin()
        self.one.own_changed([path(1).own_host], self.two.now)
        self.assertEqual(self.one.state(self.other.own.hit), State.I2_SENT)
        ways, self.one._reach = self.one._reach, lambda host, port: []
        self.one.own_changed([], self.two.now)
        self.one._reach = ways
        self.one.own_changed([path(1).own_host], self.two.now)
        self.two.talk()
        self.assertIs(self.one.state(self.other.own.hit), State.ESTABLISHED)

    def test_nobody_in_particular(self) -> None:
        """Dialling nobody in particular, or oneself, is refused where it is not switched on."""
        for peer in (NULL_HIT, self.one.own.hit):
            self.assertRaises(LocalError, self.one.dial, peer, [path(1)], self.two.now)

    def test_opportunistic(self) -> None:
        """Where it is, whoever is there and answers is taken; an answer from elsewhere is not, nor one whose signature is wrong."""
        for each in (self.one, self.other):
            each._opportunistic = True
        self.one.dial(NULL_HIT, [path(1)], self.two.now)
        self.two.deliver(1, self.two.work(0)[0])
        (r1,) = self.two.work(1)
        self.one.received(parse(r1), away(7), self.two.now)
        self.assertEqual(self.two.work(0), [])
        forged = r1[:8] + self.one.own.hit[:-1] + b"?" + r1[24:]
        self.assertRaises(BadPacket, self.two.deliver, 0, forged)
        self.two.deliver(0, r1)
        self.two.talk()
        self.assertIs(self.one.state(self.other.own.hit), State.ESTABLISHED)

    def test_many_at_once(self) -> None:
        """A thousand dials that fail leave nothing."""
        one: Host = self.one
        for number in range(1000):
            one.dial(bytes.fromhex("20010022") + number.to_bytes(12, "big"), [away(number)], self.two.now)
        self.pass_time(LONGEST + 1)
        self.assertEqual(len(self.failed), 1000)
        self.assertEqual((one._exchanges.all, one.due()), ({}, None))
