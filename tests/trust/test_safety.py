"""Tests of safety numbers."""

from __future__ import annotations

import hashlib

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.trust.safety import (
    ROUNDS,
    BadSafetyNumber,
    Comparison,
    compare,
    hashes,
    in_one_go,
    in_slices,
    number,
    uri,
)

ALICE, BOB = ("alice@example.com", b"key of Alice"), ("bob@example.org", b"key of Bob")
MALLORY = b"key of Mallory"


class SafetyTests(SynchronousTestCase):
    """The number that two people compare."""

    def setUp(self) -> None:
        self.here = in_one_go(hashes(*ALICE, *BOB))
        self.there = in_one_go(hashes(*BOB, *ALICE))

    def test_definition(self) -> None:
        """It is what docs/reference/safety-number.md says."""
        self.assertGreaterEqual(ROUNDS, 5_000)
        sides = []
        for aor, key in (ALICE, BOB):
            digest = b"\0\1" + key + aor.encode()
            for _ in range(5_200):
                digest = hashlib.sha512(digest + key).digest()
            groups = [int.from_bytes(digest[at : at + 5], "big") % 100_000 for at in range(0, 30, 5)]
            sides.append(" ".join(f"{group:05}" for group in groups))
        self.assertEqual(number(*self.here), " ".join(sorted(sides)))
        self.assertEqual(len(number(*self.here).split()), 12)

    def test_same_on_both_sides(self) -> None:
        """Both people see the same number and the same code, and each side's fits the other's."""
        self.assertEqual(number(*self.here), number(*self.there))
        self.assertEqual(uri(*self.here), uri(*self.there))
        for shown in (number(*self.there), number(*self.there).replace(" ", ""), uri(*self.there)):
            self.assertIs(compare(shown, *self.here), Comparison.SAME)

    def test_man_in_the_middle(self) -> None:
        """Somebody between both, with a key of their own towards each, is seen by number and by code."""
        false = in_one_go(hashes(*ALICE, BOB[0], MALLORY))
        for shown in (number(*self.there), uri(*self.there)):
            self.assertIs(compare(shown, *false), Comparison.DIFFERENT)

    def test_one_digit(self) -> None:
        """One digit that differs is a difference."""
        digits = number(*self.here)
        wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
        self.assertIs(compare(wrong, *self.here), Comparison.DIFFERENT)

    def test_of_others(self) -> None:
        """A number of other people is told apart from an attack."""
        others = in_one_go(hashes("carol@example.net", b"c", "dave@example.net", b"d"))
        for shown in (number(*others), uri(*others)):
            self.assertIs(compare(shown, *self.here), Comparison.ANOTHER)

    def test_garbage(self) -> None:
        """What is no safety number is refused as such."""
        good = uri(*self.here)
        bad = [
            "",
            "1" * 59,
            "1" * 61,
            "x" * 60,
            "\u0661" * 60,
            "p2pship:link?x",
            good[:-2],
            good + "AAAA",
            good[:-1] + "ü",
        ]
        for text in bad:
            with self.assertRaises(BadSafetyNumber):
                compare(text, *self.here)

    def test_name_counts(self) -> None:
        """The same keys under another name have another number."""
        self.assertNotEqual(in_one_go(hashes("Alice@example.com", ALICE[1], *BOB)), self.here)

    def test_in_slices(self) -> None:
        """In slices it comes to the same, and each turn of the reactor is short."""
        clock = Clock()
        done = in_slices(clock, hashes(*ALICE, *BOB))
        self.assertNoResult(done)
        clock.advance(0)
        self.assertEqual(self.successResultOf(done), self.here)
        self.assertGreater(sum(1 for _ in hashes(*ALICE, *BOB)), 20)
