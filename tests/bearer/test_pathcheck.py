"""Tests for p2pship.bearer.pathcheck."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.pathcheck import PAUSE, TOKEN_SIZE, PathCheck

HERE, THERE = ("192.0.2.1", 1), ("192.0.2.2", 2)


class PathCheckTests(TestCase):
    """Questions and answers."""

    def setUp(self) -> None:
        self.check = PathCheck(os.urandom)

    def test_right(self) -> None:
        """The token that was asked, from the address that was asked, is right, once."""
        token = self.check.question(HERE, 0.0)
        self.assertEqual(len(token), TOKEN_SIZE)
        self.assertTrue(self.check.holds(token, HERE))
        self.assertFalse(self.check.holds(token, HERE))

    def test_wrong(self) -> None:
        """Nothing else is; nor is anything before a question was asked."""
        for answer in (b"", bytes(TOKEN_SIZE)):
            self.assertFalse(self.check.holds(answer, None))
        token = self.check.question(HERE, 0.0)
        for answer in (b"", token[:-1], token + b"x", os.urandom(TOKEN_SIZE)):
            self.assertFalse(self.check.holds(answer, HERE))
        self.assertFalse(self.check.holds(token, THERE))
        later = self.check.question(THERE, PAUSE)
        self.assertFalse(self.check.holds(token, HERE), "only the last question counts")
        self.assertTrue(self.check.holds(later, THERE))

    def test_pause(self) -> None:
        """However much comes, questions are few."""
        asked = 0
        for port in range(1, 1001):
            if not self.check.pauses(port / 1000):
                self.check.question(("192.0.2.1", port), port / 1000)
                asked += 1
        self.assertEqual(asked, 4)

    def test_long_way(self) -> None:
        """An answer that comes after the address was asked again is right all the same; once it has come, another is due."""
        token = self.check.question(HERE, 0.0)
        self.assertEqual(self.check.question(HERE, PAUSE), token)
        self.assertTrue(self.check.holds(token, HERE))
        self.assertNotEqual(self.check.question(HERE, 2 * PAUSE), token)
