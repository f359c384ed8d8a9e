"""Tests for p2pship.bearer.cookie."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.cookie import COOKIE_SIZE, LIFETIME, Cookies


class CookieTests(TestCase):
    """Who has the right cookie."""

    def setUp(self) -> None:
        self.cookies = Cookies(os.urandom)

    def test_bound(self) -> None:
        """A cookie holds for the address and port and for what was said, and for nothing else."""
        cookie = self.cookies.make("192.0.2.1", 40, b"hello", 0.0)
        self.assertEqual(len(cookie), COOKIE_SIZE)
        self.assertTrue(self.cookies.holds(cookie, "192.0.2.1", 40, b"hello", 1.0))
        for host, port, said in (
            ("192.0.2.2", 40, b"hello"),
            ("192.0.2.1", 41, b"hello"),
            ("192.0.2.1", 4, b"0 hello"),
            ("192.0.2.1", 40, b"hellO"),
        ):
            self.assertFalse(self.cookies.holds(cookie, host, port, said, 1.0))
        for wrong in (b"", bytes(COOKIE_SIZE), cookie[:-1], cookie + b"x"):
            self.assertFalse(self.cookies.holds(wrong, "192.0.2.1", 40, b"hello", 1.0))
        other = Cookies(os.urandom)
        self.assertFalse(other.holds(cookie, "192.0.2.1", 40, b"hello", 1.0))

    def test_lifetime(self) -> None:
        """It holds for a minute at least, and two at most, also when nobody asks in between."""
        for made in (0.0, 1.0, LIFETIME - 1):
            cookies = Cookies(os.urandom)
            cookies.make("192.0.2.9", 1, b"", 0.0)
            cookie = cookies.make("192.0.2.1", 40, b"hello", made)
            self.assertTrue(cookies.holds(cookie, "192.0.2.1", 40, b"hello", made + LIFETIME))
            self.assertFalse(cookies.holds(cookie, "192.0.2.1", 40, b"hello", made + 2 * LIFETIME))
        cookies = Cookies(os.urandom)
        cookie = cookies.make("192.0.2.1", 40, b"hello", 0.0)
        self.assertFalse(cookies.holds(cookie, "192.0.2.1", 40, b"hello", 10 * LIFETIME))
