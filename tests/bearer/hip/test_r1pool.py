"""Tests for p2pship.bearer.hip.r1pool: which R1 is offered, for how long it is answered, and what is erased."""

from __future__ import annotations

import os

from p2pship.bearer.hip.diffiehellman import LEGACY_GROUPS, OFFERED_GROUPS
from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.parameters import DiffieHellman, Puzzle, decode_counter
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.r1pool import (
    LIFETIME_SECONDS,
    LONGEST_OFFERED,
    STARTS_A_SECOND,
    Stale,
)
from tests.bearer.hip.hosts import BEGIN, host, identity
from tests.bearer.hip.respondercase import ResponderCase, away

P = ParameterType


class PoolTests(ResponderCase):
    """Which R1 is given out, and for how long it is answered."""

    def public(self, groups: bytes = bytes((7, 8))) -> tuple[int, bytes]:
        (r1,) = self.answer(self.i1(groups))
        return DiffieHellman.decode(parse(r1).need(P.DIFFIE_HELLMAN))

    def test_retired(self) -> None:
        """A key is offered until the first valid I2 has come for it."""
        first = self.public()
        self.assertEqual(self.public(), first)
        two = self.initiator()
        octets = self.i2(two)
        self.assertEqual(self.public(), first)
        self.answer(octets)
        self.assertNotEqual(self.public(), first)

    def test_retired_at_all_difficulties(self) -> None:
        """Also when it is offered with a harder puzzle meanwhile."""
        first = self.public()
        octets = self.i2(self.initiator())
        self.responder._reception._load._count = 100
        self.assertEqual(self.public(), first)
        self.now += 5
        self.answer(octets)
        self.assertNotEqual(self.public(), first)

    def test_under_load(self) -> None:
        """While many ask it is offered for five minutes, whatever comes."""
        first = self.public()
        self.busy()
        for step in range(5):
            self.answer(self.i2(self.initiator()))
            self.assertEqual(self.public(), first, step)
            self.now += LONGEST_OFFERED / 5 - 1
            self.busy()
        self.now += 6
        self.busy()
        self.assertNotEqual(self.public(), first)

    def busy(self) -> None:
        self.responder._reception._load.i1_received(self.now)
        self.responder._reception._load._count = 1000

    def test_answered(self) -> None:
        """A retired key is answered until the last puzzle of it has ended, and then erased."""
        two, late = self.initiator(), self.initiator("third")
        octets = self.i2(late)
        self.answer(self.i2(two))
        self.now += LIFETIME_SECONDS - 1
        self.assertEqual([parse(each).type for each in self.answer(octets)], [PacketType.R2])
        self.now += 2 * LIFETIME_SECONDS
        self.responder.timer_fired(self.now)
        self.assertEqual(self.responder._reception._pool._answered, {})

    def test_too_late(self) -> None:
        """A puzzle is not taken when its time is over."""
        octets = self.i2(self.initiator())
        self.now += LIFETIME_SECONDS + 1
        self.assertRaises(Stale, self.answer, octets)

    def test_erased_by_itself(self) -> None:
        """Whoever is asked no more has no key left in the end, and no timer runs."""
        self.public()
        while (due := self.responder.due()) is not None:
            self.assertLess(due, BEGIN + LONGEST_OFFERED + 3 * LIFETIME_SECONDS)
            self.now = due
            self.responder.timer_fired(due)
        self.assertEqual(
            (self.responder._reception._pool._answered, self.responder._reception._pool._offered), ({}, {})
        )

    def test_secret(self) -> None:
        """#I is another one for another HIT, address, R1 and secret, and the same for the same."""

        def random(sender: bytes, by: Path) -> bytes:
            (r1,) = self.answer(self.i1(sender=sender), by)
            return Puzzle.decode(parse(r1).need(P.PUZZLE)).random

        one, other = (bytes.fromhex("20010022") + bytes([number] * 12) for number in (1, 2))
        first = random(one, away(1))
        self.assertEqual(random(one, away(1)), first)
        self.assertNotIn(first, (random(other, away(1)), random(one, away(2))))
        self.now += 200
        self.assertNotEqual(random(one, away(1)), first)

    def test_secrets_overlap(self) -> None:
        """A puzzle of the secret before is taken as long as it lasts."""
        self.public()
        self.now += 63
        octets = self.i2(self.initiator())
        self.now += 20
        self.public()
        self.assertEqual([parse(each).type for each in self.answer(octets)], [PacketType.R2])

    def test_groups(self) -> None:
        """The best group that both have is taken; who has none of ours gets our best."""
        for listed, chosen in (
            (b"\7\x08", 7),
            (b"\x08\7", 7),
            (b"\x08", 8),
            (b"\4\x08", 8),
            (b"\4\3", 7),
            (b"\xff", 7),
        ):
            self.assertEqual(self.public(listed)[0], chosen)
        (r1,) = self.answer(self.i1(b"\4"))
        self.assertEqual(parse(r1).need(P.DH_GROUP_LIST), bytes(OFFERED_GROUPS))

    def test_legacy(self) -> None:
        """The MODP groups are there only where they are switched on, and never best."""
        self.responder = host(self.responder.own, os.urandom, (*OFFERED_GROUPS, *LEGACY_GROUPS))
        for listed, chosen in ((b"\3", 3), (b"\4", 4), (b"\3\4", 4), (b"\3\4\x08", 8)):
            self.assertEqual(self.public(listed)[0], chosen)

    def test_generations(self) -> None:
        """Each R1 has a generation of its own, higher than all before, also after a new start."""

        def generation() -> int:
            (r1,) = self.answer(self.i1())
            return decode_counter(parse(r1).need(P.R1_COUNTER))

        first = generation()
        self.answer(self.i2(self.initiator()))
        second = generation()
        self.assertGreater(second, first)
        self.now += 10
        self.responder = host(identity("P-256", "other"), os.urandom, now=self.now)
        self.assertGreater(generation(), second)

    def test_begun_anew_together(self) -> None:
        """Two Host Identities that begin anew at the same moment do not count on by the same number, but for a second at the most."""
        grown = []
        for name in ("one", "another"):
            counts = []
            for now in (BEGIN, BEGIN + 1000.123):
                self.responder = host(identity("P-256", name), os.urandom, now=now)
                (r1,) = self.answer(self.i1())
                counts.append(decode_counter(parse(r1).need(P.R1_COUNTER)))
            grown.append(counts[1] - counts[0])
        self.assertNotEqual(*grown)
        self.assertTrue(all(999 <= each / STARTS_A_SECOND / 2**24 <= 1001 for each in grown))
