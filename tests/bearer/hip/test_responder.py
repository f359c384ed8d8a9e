"""Tests for p2pship.bearer.hip.responder: it keeps nothing of strangers, and takes nothing twice."""

from __future__ import annotations

import contextlib
import gc
import os
import tracemalloc
from collections import Counter, deque

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip import host as host_module
from p2pship.bearer.hip.diffiehellman import OFFERED_GROUPS
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.load import BUSY, MOST_EASY
from p2pship.bearer.hip.numbers import DHGroup, NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, parse
from p2pship.bearer.hip.parameters import Notification
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.r1pool import (
    LIFETIME_SECONDS,
    LONGEST_OFFERED,
    MOST_BAD,
    MOST_GOOD,
    MOST_TURNS,
    Repeated,
    Stale,
)
from p2pship.bearer.hip.responder import Rejected
from p2pship.bearer.hip.signalling import MARKER
from tests.bearer.hip.hosts import BEGIN, TwoHosts, host, identity
from tests.bearer.hip.respondercase import ResponderCase, away
from tests.bearer.hip.test_states import spoiled
from tests.interop.hip_flood import PREFIX, i2
from tests.scale import scaled

P = ParameterType

STRANGERS = scaled(2_000, 100_000)

GUESTS = scaled(50, 2_000)


class StrangerTests(ResponderCase):
    """Those who only ask."""

    def test_no_hit(self) -> None:
        """Attack: an I1 from what is no HIT, or from ours, gets nothing, not even an R1, which is eight times as large."""
        for sender in (
            bytes(16),
            b"\xff" * 16,
            bytes.fromhex("20010db8") + bytes(12),
            self.responder.own.hit,
        ):
            self.assertRaises(BadPacket, self.answer, self.i1(sender=sender or bytes(16)))
        self.assertEqual(self.responder.take(), [])

    def sizes(self) -> dict[str, int]:
        """Return how much is in each table of the Responder, and of all that it is made of."""
        found: dict[str, int] = {}
        things: list[object] = [self.responder]
        for thing in things:
            for name, value in getattr(thing, "__dict__", {}).items():
                if isinstance(value, (dict, list, set, tuple, deque)):
                    found[f"{type(thing).__name__}.{name}"] = len(value)
                elif type(value).__module__.startswith("p2pship.") and value not in things:
                    things.append(value)
        self.assertIn("R1Pool._answered", found)
        return found

    def test_nothing_is_kept(self) -> None:
        """I1s, and I2s that are not right, leave nothing behind."""
        before: dict[str, int] = {}
        held = 0
        self.answer(self.i1())
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(STRANGERS):
            (r1,) = self.answer(self.i1(), away(0)) if number % 100 == 0 else (b"",)
            with contextlib.suppress(BadPacket):
                self.answer(self.wrong_i2() if r1 else self.i1(), away(number))
            if number % 1000 == 999:
                self.now += 1
            if number == STRANGERS // 2 - 1:
                before, held = self.sizes(), self.held()
        for counts in ("_counts", "_served"):  # of one second
            before.pop(f"R1Limit.{counts}", None)
        for name, size in self.sizes().items():
            if name in before:
                self.assertLessEqual(size, before[name] + 2, name)
        self.assertLess(self.held() - held, 50_000)
        self.assertEqual(list(self.responder.associations()), [])

    def held(self) -> int:
        """Return the octets that are held, without the counts of a second that is over."""
        self.responder._reception._limit._begin(0)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def wrong_i2(self) -> bytes:
        """Return an I2 of a stranger who has not solved the puzzle."""
        two = self.initiator()
        octets = self.i2(two)
        self.asked.clear()
        return spoiled(octets, P.SOLUTION)

    def test_gone_again(self) -> None:
        """Strangers who make associations, and are sent away as they say nothing, leave nothing behind either."""
        for _ in range(GUESTS):
            self.now += 0.1  # one port is not answered more often
            self.answer(self.i2(self.stranger()))
        associations = list(self.responder.associations())
        self.assertEqual(len(associations), GUESTS)
        for association in associations:
            self.responder.close(association, self.now, "no hello passed")
        while (due := self.responder.due()) is not None:
            self.now = max(self.now, due)
            self.responder.timer_fired(self.now)
            self.responder.take()
        self.assertLess(self.now, BEGIN + GUESTS / 10 + 3 * LIFETIME_SECONDS + LONGEST_OFFERED)
        for name, size in self.sizes().items():
            if name.split(".")[0] in ("Host", "Agenda", "Answers", "Incarnations", "R1Pool"):
                self.assertLessEqual(size, 2, name)
        self.assertEqual(len(self.responder._agenda._heap), 0)

    def test_hoard(self) -> None:
        """Attack: puzzles are solved at rest, ever so slowly, and all are sent at once: few cost us keys, and who is honest gets in."""
        hoard = []
        for number in range(MOST_EASY + 100):
            self.now += 0.05
            sender = PREFIX + os.urandom(12)
            (r1,) = self.answer(self.i1(sender=sender), away(number))
            hoard.append(i2(sender, self.responder.own.hit, MARKER + r1)[len(MARKER) :])
        two = self.initiator()
        errors = Counter(self.refused(each, away(number)) for number, each in enumerate(hoard))
        self.assertEqual(errors.keys(), {Rejected, Stale})
        self.assertLess(errors[Rejected], MOST_EASY + BUSY)
        self.responder.take()  # NOTIFYs
        (r2,) = self.answer(self.i2(two))
        self.assertEqual(parse(r2).type, PacketType.R2)

    def refused(self, octets: bytes, by: Path) -> type[BadPacket]:
        """Return the error that a packet leads to."""
        with self.assertRaises(BadPacket) as raised:
            self.answer(octets, by)
        return type(raised.exception)

    def stranger(self) -> TwoHosts:
        """Return somebody who was never seen before, and has sent an I1."""
        own = OwnHostIdentity(ec.generate_private_key(ec.SECP256R1()))
        two = TwoHosts(host(own, os.urandom), self.responder, self.now)
        two.dial()
        (self.asked[two],) = two.work(0)
        return two

    def test_null_hit(self) -> None:
        """Nobody is told who is here unless that is switched on."""
        sender = bytes.fromhex("20010022") + os.urandom(12)
        octets = Builder(PacketType.I1, sender, bytes(16)).add(P.DH_GROUP_LIST, b"\7").octets()
        self.assertEqual(self.answer(octets), [])
        self.responder._opportunistic = True
        (r1,) = self.answer(octets)
        self.assertEqual(parse(r1).sender, self.responder.own.hit)


class ReplayTests(ResponderCase):
    """I2s that come again, late, or from elsewhere."""

    def test_same_again(self) -> None:
        """The same I2 is answered by the same R2 a few times, and makes no second association."""
        two = self.initiator()
        octets = self.i2(two)
        (r2,) = self.answer(octets)
        (association,) = self.responder.associations()
        again = [each for _ in range(50) for each in self.answer(octets)]
        self.assertEqual(set(again), {r2})
        self.assertLessEqual(len(again), 8)
        self.assertEqual(list(self.responder.associations()), [association])

    def test_same_late(self) -> None:
        """What it is answered with is kept no longer than its puzzle lasts: it is refused then, and the association stands."""
        octets = self.i2(self.initiator())
        self.answer(octets)
        (association,) = self.responder.associations()
        self.now += LIFETIME_SECONDS
        self.responder.timer_fired(self.now)
        self.assertFalse(self.responder._reception._answers.waits)
        self.assertRaises(BadPacket, self.answer, octets)
        self.assertEqual(list(self.responder.associations()), [association])

    def test_after_the_end(self) -> None:
        """Nor does it when the association is over, at any time."""
        two = self.initiator()
        octets = self.i2(two)
        self.answer(octets)
        (association,) = self.responder.associations()
        self.responder.close(association, self.now, "enough")
        for later in (0.0, 1.0, 5.0, 20.0, 31.0, 40.0, 100.0, 1000.0):
            self.now = BEGIN + later
            self.responder.timer_fired(self.now)
            self.responder.take()
            try:
                self.assertEqual(self.answer(octets), [])
            except BadPacket as error:
                self.assertIsInstance(error, (Stale, Repeated))
            self.assertIsNone(self.responder.association(two.hosts[0].own.hit))

    def test_older(self) -> None:
        """An I2 that is older than the association, and was never seen, does not take its place."""
        late, two = self.initiator(), self.initiator()
        octets = self.i2(late)
        self.answer(self.i2(two))
        standing = self.responder.association(two.hosts[0].own.hit)
        self.assertRaises(Stale, self.answer, octets)
        self.assertIs(self.responder.association(two.hosts[0].own.hit), standing)

    def test_begun_anew(self) -> None:
        """One that was started anew is taken at once: it has asked for another R1."""
        self.answer(self.i2(self.initiator()))
        (before,) = self.responder.associations()
        (r2,) = self.answer(self.i2(self.initiator()))
        self.assertEqual(parse(r2).type, PacketType.R2)
        (after,) = self.responder.associations()
        self.assertIsNot(after, before)

    def test_from_elsewhere(self) -> None:
        """A puzzle is for one address and one HIT."""
        two = self.initiator()
        octets = self.i2(two)
        self.assertRaises(Stale, self.answer, octets, away(1))
        other = octets[:8] + identity("P-256", "third").hit + octets[24:]
        self.assertRaises(Stale, self.answer, other)
        self.assertEqual([parse(each).type for each in self.answer(octets)], [PacketType.R2])

    def test_other_host(self) -> None:
        """A host that was started anew takes none of what was sent to it before."""
        octets = self.i2(self.initiator())
        self.responder = host(self.responder.own, os.urandom)
        self.assertRaises(Stale, self.answer, octets)

    def test_banned(self) -> None:
        """What is wrong for one puzzle three times is not looked at a fourth time, whatever its solution."""
        two = self.initiator()
        octets = self.i2(two)
        wrong = spoiled(octets, P.HIP_MAC)
        for _ in range(MOST_BAD):
            self.assertRaises(Rejected, self.answer, wrong)
        self.assertRaises(Repeated, self.answer, wrong)
        self.assertRaises(Repeated, self.answer, octets)

    def test_spoiled(self) -> None:
        """Attack: I2s are spoiled on their way. When that ends, who asks again is let in at once: it gets another puzzle."""
        for _ in range(3):
            wrong = spoiled(self.i2(self.initiator()), P.HIP_MAC)
            for _ in range(MOST_BAD):
                self.assertRaises(Rejected, self.answer, wrong)
            self.responder.take()
        (r2,) = self.answer(self.i2(self.initiator()))
        self.assertEqual(parse(r2).type, PacketType.R2)

    def test_spoiled_without_end(self) -> None:
        """Attack: the same by the thousand. Each puzzle is good for a few, and there are so many in all until the secret changes."""
        given = set()
        for _ in range(2 * MOST_TURNS):
            self.now += 0.4
            octets = self.i2(self.initiator())
            given.add(parse(octets).need(P.SOLUTION)[4:52])
            wrong = spoiled(octets, P.HIP_MAC)
            for _ in range(MOST_BAD):
                self.assertRaises(BadPacket, self.answer, wrong)
            self.responder.take()
        self.assertEqual(len(given), MOST_TURNS + 1)

    def test_told_once(self) -> None:
        """The sender of wrong I2s is told why, once a second."""
        two = self.initiator()
        wrong = spoiled(self.i2(two), P.HIP_MAC)
        for _ in range(MOST_BAD):
            self.assertRaises(Rejected, self.answer, wrong)
        said = [parse(thing.octets) for thing in self.responder.take()]  # type: ignore[attr-defined]
        self.assertEqual([packet.type for packet in said], [PacketType.NOTIFY])
        notification = Notification.decode(said[0].need(P.NOTIFICATION))
        self.assertEqual(notification.type, NotifyType.HIP_MAC_FAILED)
        two.deliver(0, said[0].raw)
        (dialling,) = two.hosts[0]._exchanges.all.values()
        self.assertEqual(dialling._why, "the other side says HIP_MAC_FAILED")

    def test_under_load(self) -> None:
        """Under load one R1 is for many: yet no puzzle can be used without end."""
        self.responder._reception._load.i1_received(self.now)
        self.responder._reception._load._count = 1000
        fixed = os.urandom(48)
        self.patch(self.responder._reception._pool, "_puzzle_random", lambda *_: fixed)
        for _ in range(MOST_GOOD):
            (r2,) = self.answer(self.i2(self.initiator()))
            self.assertEqual(parse(r2).type, PacketType.R2)
        self.assertRaises(Repeated, self.answer, self.i2(self.initiator()))

    def test_full(self) -> None:
        """When there are too many associations a new host is told so; one that is known is not sent away."""
        self.patch(host_module, "MOST_ASSOCIATIONS", 1)
        self.answer(self.i2(self.initiator()))
        self.assertRaises(Rejected, self.answer, self.i2(self.initiator("third")))
        (said,) = (parse(thing.octets) for thing in self.responder.take())  # type: ignore[attr-defined]
        notification = Notification.decode(said.need(P.NOTIFICATION))
        self.assertEqual(notification.type, NotifyType.RESPONDER_BUSY_PLEASE_RETRY)
        (r2,) = self.answer(self.i2(self.initiator()))
        self.assertEqual(parse(r2).type, PacketType.R2)


class AgreementTests(TestCase):
    """All kinds of Host Identities and groups with each other."""

    def test_all(self) -> None:
        """Both sides agree, with every pair of kinds and every group."""
        for one in ("P-256", "P-384", "RSA-2048"):
            for other in ("P-256", "P-384", "RSA-2048"):
                for group in (*OFFERED_GROUPS, DHGroup.MODP_1536):
                    two = TwoHosts(
                        host(identity(one, "a"), os.urandom, (group,)),
                        host(identity(other, "b"), os.urandom, (group,)),
                    )
                    two.dial()
                    two.talk()
                    near, far = two.associations()
                    self.assertEqual(far.inbound.open(near.outbound.seal(59, b"word")), (59, b"word"))
                    self.assertEqual(near.inbound.open(far.outbound.seal(59, b"word")), (59, b"word"))
