"""Tests for p2pship.bearer.hip.contest and generations: R1s that carry the Responder's own address and are not its, by the thousand.

Each flood is of 2,000 R1s a second, the round trip is 40 ms, and the dial should succeed within two seconds.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle

from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.hip import initiator
from p2pship.bearer.hip.association import State
from p2pship.bearer.hip.authentication import check_signature_2
from p2pship.bearer.hip.contest import MOST_AGAIN, MOST_NEW, MOST_NOTED, ROUNDS, Contest
from p2pship.bearer.hip.diffiehellman import OFFERED_GROUPS
from p2pship.bearer.hip.generations import FEW, MOST, Generations
from p2pship.bearer.hip.numbers import DHGroup, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Packet, parse
from p2pship.bearer.hip.parameters import encode_counter
from tests.bearer.hip.hosts import TwoHosts, host, identity

STEP = 0.0005
"Seconds between two forged R1s: 2,000 a second."

WAY = 0.02
"Seconds that an honest packet is under way."

SOON = 2.0
"Seconds that a dial may take, whoever floods it."


def changed(r1: bytes, type_: ParameterType, at: int, octets: bytes) -> bytes:
    """Return an R1 with other octets in a parameter, from a place in its contents on."""
    parameter = parse(r1).parameter(type_)
    assert parameter is not None
    start = parameter.start + 4 + at
    return r1[:start] + octets + r1[start + len(octets) :]


def unsigned(r1: bytes, number: int) -> bytes:
    """Return an R1 with a high counter and a wrong signature, another one for each number."""
    counted = changed(r1, ParameterType.R1_COUNTER, 0, encode_counter((1 << 63) + number))
    return changed(counted, ParameterType.HIP_SIGNATURE_2, 20, (number & 0xFFFF_FFFF).to_bytes(4, "big"))


def other_puzzle(r1: bytes, number: int) -> bytes:
    """Return an R1 with another #I, whose signature is right."""
    return changed(r1, ParameterType.PUZZLE, 4, number.to_bytes(16, "big"))


class FloodTests(SynchronousTestCase):
    """One dials another, and somebody sends R1s in the other's name."""

    def setUp(self) -> None:
        one, other = (host(identity("P-256", name), os.urandom) for name in ("one", "other"))
        self.two = TwoHosts(one, other)
        self.queue: list[tuple[float, int, int, bytes]] = []
        self.order = count()
        self.verified = 0

        def verified(packet: Packet, peer: object) -> None:
            self.verified += 1
            check_signature_2(packet, peer)  # type: ignore[arg-type]

        self.patch(initiator, "check_signature_2", verified)

    def r1(self, groups: Sequence[DHGroup] = OFFERED_GROUPS) -> bytes:
        """Return the Responder's R1 as the attacker gets one; the Initiator's HIT in it is put right by the attacker."""
        attacker = host(identity("P-256", "third"), os.urandom, groups)
        third = TwoHosts(attacker, self.two.hosts[1], self.two.now)
        third.dial()
        third.deliver(1, third.work(0)[0])
        (octets,) = third.work(1)
        return octets[:24] + self.two.hosts[0].own.hit + octets[40:]

    def carry(self) -> None:
        """Put what the two say on its way."""
        for number in (0, 1):
            for octets in self.two.work(number):
                heapq.heappush(self.queue, (self.two.now + WAY, next(self.order), 1 - number, octets))

    def step(self, forged: Iterator[bytes]) -> None:
        self.carry()
        with contextlib.suppress(BadPacket):
            self.two.deliver(0, next(forged))
        while self.queue and self.queue[0][0] <= self.two.now:
            _, _, number, octets = heapq.heappop(self.queue)
            with contextlib.suppress(BadPacket):
                self.two.deliver(number, octets)
        for each in self.two.hosts:
            due = each.due()
            if due is not None and due <= self.two.now:
                each.timer_fired(self.two.now)
        self.carry()
        self.two.now += STEP

    def assert_made(self, forged: Iterator[bytes]) -> None:
        """Assert that a dial succeeds soon, on both sides, whatever comes meanwhile."""
        began = self.two.now
        self.two.dial()
        while self.state() is not State.ESTABLISHED and self.two.now < began + SOON:
            self.step(forged)
        self.assertIs(self.state(), State.ESTABLISHED)
        one, other = self.two.associations()
        self.assertEqual(
            (one.inbound.spi, one.outbound.spi), (other.outbound.spi, other.inbound.spi), "they differ"
        )
        self.assertLessEqual(self.verified, (SOON + 1) * (MOST_NEW + MOST_AGAIN))

    def state(self) -> State:
        return self.two.hosts[0].state(self.two.hosts[1].own.hit)

    def forge(self, make: Callable[[bytes, int], bytes], numbers: Iterator[int]) -> Iterator[bytes]:
        r1 = self.r1()
        return (make(r1, number) for number in numbers)

    def test_unsigned(self) -> None:
        """Attack: R1s with high counters and wrong signatures, all of them different."""
        self.assert_made(self.forge(unsigned, count()))

    def test_unsigned_same(self) -> None:
        """Attack: one such R1 again and again; it is verified once for each attempt."""
        self.assert_made(self.forge(unsigned, cycle([1])))
        self.assertLessEqual(self.verified, 4)

    def test_unsigned_again(self) -> None:
        """Attack: so many different ones that each comes in every round."""
        self.assert_made(self.forge(unsigned, cycle(range(200))))

    def test_unsigned_twice(self) -> None:
        """Attack: each comes in two rounds, so that it looks as honest as it can."""
        twice = (number for at in count(0, 200) for _ in range(2) for number in range(at, at + 200))
        self.assert_made(self.forge(unsigned, twice))

    def test_other_puzzles(self) -> None:
        """Attack: the Responder's own R1 with ever another #I, which its signature does not cover."""
        self.assert_made(self.forge(other_puzzle, count()))

    def test_other_puzzle(self) -> None:
        """Attack: the same with one other #I."""
        self.assert_made(self.forge(other_puzzle, cycle([1])))

    def test_one_other_puzzle(self) -> None:
        """Attack: just one, just before the Responder's own, which is not more than there were I1s, as one of these was lost."""
        self.two.dial()
        self.two.work(0)
        forged, began = other_puzzle(self.r1(), 1), self.two.now
        self.assert_made(forged if number == round(0.26 / STEP) else b"" for number in count())
        self.assertLess(self.two.now, began + 1)

    def test_few_other_puzzles(self) -> None:
        """Attack: the same with a few that come in every round."""
        self.assert_made(self.forge(other_puzzle, cycle(range(12))))

    def test_older(self) -> None:
        """Attack: an R1 of a generation that is long gone, with ever another #I; once before the dial, once after another one."""
        old = self.r1()
        self.restart(3600)
        self.assert_made(other_puzzle(old, number) for number in count())
        self.close()
        self.verified = 0
        self.assert_made(cycle([old]))
        self.assertEqual(self.verified, 1)

    def test_newest(self) -> None:
        """Attack: R1s with a higher counter than those that the dial gets, as there is one for each group."""
        self.r1((DHGroup.P256,))
        newest = self.r1((DHGroup.P384,))
        self.two.hosts[0]._exchanges._groups = (DHGroup.P256, DHGroup.P384)
        self.assert_made(other_puzzle(newest, number) for number in cycle(range(3)))

    def restart(self, seconds: float) -> None:
        """Start the Responder anew some time later, or earlier if its clock has been set back."""
        own = self.two.hosts[1].own
        other = host(own, os.urandom, now=self.two.now + seconds)
        self.two.hosts = (self.two.hosts[0], other)

    def close(self) -> None:
        """Close what they have."""
        one, _ = self.two.associations()
        self.two.hosts[0].close(one, self.two.now, "enough")
        self.two.talk()

    def test_lost_count(self) -> None:
        """A Responder whose clock was set back, and so counts from lower, is reached all the same."""
        self.assert_made(self.forge(unsigned, cycle([1])))
        self.close()
        self.restart(-1_000_000)
        began = self.two.now
        self.assert_made(self.forge(unsigned, cycle([1])))
        self.assertLess(self.two.now, began + 0.5)

    def test_lost_count_ever_anew(self) -> None:
        """So is one that makes another R1 for each I1, as other programs do, so that none comes again."""
        self.assert_made(cycle([b""]))
        self.close()
        self.restart(-1_000_000)

        def anew() -> Iterator[bytes]:
            for number in count(1):
                if self.state() is State.I1_SENT and not number % 100:
                    self.restart(-1_000_000)
                yield b""

        self.assert_made(anew())

    def test_forged_count(self) -> None:
        """Attack: one R1 with the highest counter there is; nothing is believed of it, now or later."""
        self.two.dial()
        with contextlib.suppress(BadPacket):
            self.two.deliver(0, unsigned(self.r1(), (1 << 63) - 1))
        self.assertEqual(self.two.hosts[0]._exchanges._generations.oldest(self.two.hosts[1].own.hit), -FEW)
        self.two.talk()
        self.assertIs(self.state(), State.ESTABLISHED)

    def test_other_identities(self) -> None:
        """Attack: R1s with ever another Host Identity cost a hash each: no key is read."""

        def read(contents: bytes) -> None:
            self.fail("a key was read")

        r1 = self.r1()
        self.two.dial()
        self.patch(initiator, "read_host_identity", read)
        for number in range(10):
            forged = changed(r1, ParameterType.HOST_ID, 20, os.urandom(16))
            self.assertRaises(
                BadPacket, self.two.deliver, 0, changed(forged, ParameterType.R1_COUNTER, 4, bytes([number]))
            )
        self.assertEqual(self.verified, 0)


class QuietTests(SynchronousTestCase):
    """Without anybody who forges anything."""

    def test_no_more_i1s(self) -> None:
        """Nothing is said that is not said otherwise: one packet of each kind."""
        one, other = (host(identity("P-256", name), os.urandom) for name in ("one", "other"))
        two = TwoHosts(one, other)
        two.dial()
        two.talk()
        types = [PacketType(parse(octets).type) for _, octets in two.said]
        self.assertEqual(types, [PacketType.I1, PacketType.R1, PacketType.I2, PacketType.R2])


class BoundTests(SynchronousTestCase):
    """What is remembered does not grow."""

    def test_contest(self) -> None:
        """However many R1s come in however many rounds."""
        contest = Contest(0.0)
        for number in range(3 * MOST_NOTED):
            contest.came_before(b"%d" % number)
            contest.judge(b"%d" % number)
        self.assertLessEqual(max(len(contest._rounds), len(contest._judged)), MOST_NOTED)
        for _ in range(2 * ROUNDS):
            contest.begin_round()
        self.assertEqual(len(contest._rounds), 0)

    def test_generations(self) -> None:
        """However many hosts are dialled; the newest are known."""
        generations = Generations()
        for number in range(2 * MOST):
            generations.note(b"%d" % number, 100 + number)
        generations.note(b"%d" % number, 5)
        self.assertEqual(len(generations._all), MOST)
        self.assertEqual(generations.oldest(b"%d" % number), 100 + number - FEW)
