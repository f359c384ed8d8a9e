"""Tests for p2pship.bearer.hip.esp: each number is taken once, and a key seals only so many."""

from __future__ import annotations

import os
from random import Random

from p2pship.bearer.hip.esp import (
    LAST,
    REKEY_AT,
    WINDOW,
    Exhausted,
    Forged,
    Inbound,
    Replayed,
    inbound,
    outbound,
)
from p2pship.bearer.hip.numbers import ESPSuite
from p2pship.bearer.hip.suites import OFFERED_ESP
from tests.bearer.hip.espbook import KEYS, SPI, ESPPair, made_by_the_book, padded
from tests.scale import SEED, scaled


class ReplayTests(ESPPair):
    """Each number is taken once."""

    def packet(self, sequence: int) -> bytes:
        """Return the packet of a number."""
        return made_by_the_book(ESPSuite.AES_GCM_16, KEYS[ESPSuite.AES_GCM_16], sequence, b"\0\x11" * 2)

    def opener(self) -> Inbound:
        return inbound(ESPSuite.AES_GCM_16, SPI, KEYS[ESPSuite.AES_GCM_16])

    def test_twice(self) -> None:
        """A packet is taken once, also after others, however often it comes, with every suite."""
        for suite in OFFERED_ESP:
            seals, opens = self.pair(suite)
            packets = [seals.seal(17, b"%d" % number) for number in range(3 * WINDOW)]
            for packet in packets:
                opens.open(packet)
                self.assertRaises(Replayed, opens.open, packet)
            for packet in packets:
                self.assertRaises(Replayed, opens.open, packet)
            self.assertEqual(opens.taken, len(packets))

    def test_any_order(self) -> None:
        """Within the window any order is taken, each packet once; what the window has left behind may be refused, never repeated."""
        self.assertGreaterEqual(WINDOW, 2048)
        random = Random(SEED)
        for spread in (2, 50, WINDOW // 2, 3 * WINDOW):
            taken: set[int] = set()
            opens = self.opener()
            order = sorted(range(1, 2 * WINDOW), key=lambda number: number + random.random() * spread)
            for number in random.choices(order, k=300) + order + order[:: scaled(7, 1)]:
                newest = opens.newest
                try:
                    opens.open(self.packet(number))
                except Replayed:
                    self.assertTrue(number in taken or number <= newest - WINDOW, number)
                else:
                    self.assertNotIn(number, taken)
                    taken.add(number)
            self.assertEqual(opens.taken, len(taken))
            if spread < WINDOW:
                self.assertLess(len(taken), 2 * WINDOW)

    def test_late(self) -> None:
        """Of 10,000 packets a second, those that are up to 200 ms late are all taken, and none of them twice."""
        random, late = Random(SEED), 0.2
        numbers = range(1, scaled(10_000, 100_000))
        arrivals = sorted((number / 10_000 + random.uniform(0, late), number) for number in numbers)
        opens = self.opener()
        for _, number in arrivals:
            opens.open(self.packet(number))
        self.assertEqual(opens.taken, len(numbers))
        for _, number in arrivals[:: scaled(10, 1)]:
            self.assertRaises(Replayed, opens.open, self.packet(number))

    def test_latest(self) -> None:
        """The oldest that the window still knows is taken, and the one before it is not, after a leap."""
        opens = self.opener()
        opens.open(self.packet(10))
        opens.open(self.packet(10 + 3 * WINDOW))
        self.assertRaises(Replayed, opens.open, self.packet(10 + 2 * WINDOW - 1))
        for number in (10 + 2 * WINDOW, 9 + 3 * WINDOW):
            opens.open(self.packet(number))
            self.assertRaises(Replayed, opens.open, self.packet(number))

    def test_leaps(self) -> None:
        """Leaps of every size, and numbers about the window's edges, agree with a set that remembers everything."""
        random = Random(SEED)
        taken: set[int] = set()
        opens, newest = self.opener(), 0
        for _ in range(scaled(3000, 50_000)):
            number = newest + random.choice(
                (1, 1, 2, 3, 0, -1, -5, 65, WINDOW, -WINDOW, WINDOW + 1, 9999, -100)
            )
            number = max(1, number + random.randrange(-1, 2))
            fresh = number not in taken
            try:
                opens.open(self.packet(number))
            except Replayed:
                self.assertTrue(not fresh or number <= newest - WINDOW)
            else:
                self.assertTrue(fresh)
                taken.add(number)
                newest = max(newest, number)
        self.assertEqual((opens.newest, opens.taken), (newest, len(taken)))

    def test_forged_do_not_move(self) -> None:
        """A forged packet with a high number does not move the window."""
        opens = self.opener()
        opens.open(self.packet(1))
        forged = self.packet(1_000_000)[:-1] + b"?"
        self.assertRaises(Forged, opens.open, forged)
        opens.open(self.packet(2))
        self.assertEqual(opens.newest, 2)

    def test_no_number_zero(self) -> None:
        """The number 0 and those before it are never used (RFC 4303 §3.3.3)."""
        for sequence in (0, 0xFFFF_FFFF, 0x8000_0001):
            opens = self.opener()
            self.assertRaises(Replayed, opens.open, self.packet(sequence))
            self.assertRaises(Replayed, opens.open, self.packet(sequence))

    def test_wrap(self) -> None:
        """When the 32 bits that travel come round, the whole number that is nearest is meant, with every suite."""
        around = 1 << 32
        for suite in OFFERED_ESP:
            opens = inbound(suite, SPI, KEYS[suite])
            for number in (
                0x7000_0000,
                0xE000_0000,
                around - 1,
                around + 1,
                around,
                around - 5,
                around + 0x7000_0000,
            ):
                packet = made_by_the_book(suite, KEYS[suite], number, padded(suite, b"%d" % number))
                self.assertEqual(opens.open(packet), (17, b"%d" % number))
                self.assertEqual(opens.newest, max(opens.newest, number))
                self.assertRaises(Replayed, opens.open, packet)
            self.assertEqual(opens.newest, around + 0x7000_0000)

    def test_small(self) -> None:
        """An association that is idle, or whose packets come in order, keeps hardly anything of them."""
        opens = self.opener()
        for number in range(1, 3000):
            opens.open(self.packet(number))
        self.assertEqual(opens._missing, 0)  # type: ignore[attr-defined]
        opens.open(self.packet(10_000_000))
        self.assertLessEqual(opens._missing.bit_length(), WINDOW)  # type: ignore[attr-defined]


class UsedUpTests(ESPPair):
    """A key seals only so many packets."""

    def test_tired(self) -> None:
        """At the limit it is told once that the key should be replaced; packets pass on."""
        for suite in OFFERED_ESP:
            told: list[str] = []
            seals = outbound(suite, SPI, KEYS[suite], os.urandom, rekey_at=5)
            seals.tired = lambda told=told: told.append("tired")  # type: ignore[misc]
            counts = []
            for _ in range(10):
                seals.seal(17, b"")
                counts.append(len(told))
            self.assertEqual(counts, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1])

    def test_exhausted(self) -> None:
        """The last packet is the one with the number 2^31; after it none is sealed, however often it is tried."""
        self.assertLess(REKEY_AT, LAST)
        for suite in OFFERED_ESP:
            seals, opens = self.pair(suite)
            seals.seal(17, b"")
            seals.sequence = LAST - 1
            opens.newest = LAST - 1
            self.assertEqual(opens.open(seals.seal(17, b"last")), (17, b"last"))
            for _ in range(3):
                self.assertRaises(Exhausted, seals.seal, 17, b"too many")
