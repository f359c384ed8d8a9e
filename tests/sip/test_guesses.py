"""Tests for :mod:`p2pship.sip.guesses`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.sip import guesses
from p2pship.sip.guesses import (
    FORGIVEN_AFTER,
    FREE,
    FREE_OF_NAME,
    LONGEST_WAIT,
    LONGEST_WAIT_OF_NAME,
    Guesses,
    network_of,
)

NOW = 1_800_000_000.0
HOME, ELSEWHERE = HostPort("192.0.2.9", 5070), HostPort("198.51.100.1", 5070)
BESIDE = HostPort(HOME.host, 6000)
"Another phone behind the same address."
ALICE, BOB = "alice@example.com", "bob@example.com"


class GuessesTests(SynchronousTestCase):
    """Guessing gets slower and slower, and keeps nobody else away."""

    def setUp(self) -> None:
        self.guesses = Guesses()

    def guess(self, source: HostPort, name: str, seconds: float) -> int:
        """Guess as fast as is allowed for so long; returns how often."""
        made, now = 0, NOW
        while now < NOW + seconds:
            wait = self.guesses.wait(source, name, now)
            if wait:
                now += wait
                continue
            self.guesses.failed(source, name, now)
            made += 1
        return made

    def test_one_address(self) -> None:
        """Somebody who guesses for a day has some hundred tries, for whatever names; and each wait is bounded."""
        self.assertLess(self.guess(HOME, ALICE, 86_400), 400)
        self.assertLessEqual(self.guesses.wait(HOME, BOB, NOW + 86_400), LONGEST_WAIT)
        self.assertGreater(self.guesses.wait(HOME, BOB, NOW + 86_400), 0)

    def test_mistakes_are_free(self) -> None:
        """A few wrong passwords cost nothing; the next does, and all are forgiven after a while."""
        for _ in range(FREE):
            self.assertEqual(self.guesses.wait(HOME, ALICE, NOW), 0)
            self.guesses.failed(HOME, ALICE, NOW)
        self.assertGreater(self.guesses.wait(HOME, ALICE, NOW), 0)
        self.assertEqual(self.guesses.wait(HOME, ALICE, NOW + FORGIVEN_AFTER), 0)

    def test_clock_set_back(self) -> None:
        """Whoever waits while the clock is set back by a year waits no longer than anybody else."""
        year = 365 * 86_400
        for _ in range(2 * FREE):
            self.guesses.failed(HOME, ALICE, NOW + year)
        self.assertLessEqual(self.guesses.wait(HOME, ALICE, NOW), LONGEST_WAIT)
        self.assertEqual(self.guesses.wait(HOME, ALICE, NOW + LONGEST_WAIT), 0)

    def test_many_addresses(self) -> None:
        """Many addresses guess for one name: together they get a try in ten seconds, and nobody is shut out for longer."""
        for at in range(1000):
            self.guesses.failed(HostPort(f"198.51.{at // 250}.{at % 250}", 5070), ALICE, NOW)
        another = HostPort("203.0.113.1", 5070)
        self.assertEqual(self.guesses.wait(another, ALICE, NOW), LONGEST_WAIT_OF_NAME)
        self.assertEqual(self.guesses.wait(another, BOB, NOW), 0)
        self.assertLess(FREE_OF_NAME, 1000)

    def test_honest_phone(self) -> None:
        """A phone that has been here is kept away by no failures elsewhere, nor by those for other names at its address."""
        self.guesses.proven(HOME, ALICE)
        for _ in range(1000):
            self.guesses.failed(ELSEWHERE, ALICE, NOW)
            self.guesses.failed(HOME, BOB, NOW)
        self.assertEqual(self.guesses.wait(HOME, ALICE, NOW), 0)
        self.assertGreater(self.guesses.wait(ELSEWHERE, ALICE, NOW), 0)
        self.assertGreater(self.guesses.wait(HOME, BOB, NOW), 0)

    def test_wrong_phone_beside(self) -> None:
        """A phone beside it that has a wrong password for its name waits; the one that has proven itself does not."""
        self.guesses.proven(HOME, ALICE)
        for _ in range(1000):
            self.guesses.failed(BESIDE, ALICE, NOW)
        self.assertEqual(self.guesses.wait(HOME, ALICE, NOW), 0)
        self.guesses.proven(HOME, ALICE)
        self.assertEqual(self.guesses.wait(BESIDE, ALICE, NOW), LONGEST_WAIT_OF_NAME)

    def test_proven_port(self) -> None:
        """Who guesses from the very port of a phone that has proven itself has to wait, too."""
        self.guesses.proven(HOME, ALICE)
        self.assertLess(self.guess(HOME, ALICE, 600), 100)

    def test_own_success_helps_nobody_else(self) -> None:
        """Who proves their own name may not guess faster for another's because of that."""
        for _ in range(20):
            self.guesses.failed(HOME, ALICE, NOW)
            self.guesses.proven(HOME, BOB)
        self.assertEqual(self.guesses.wait(HOME, ALICE, NOW), LONGEST_WAIT)

    def test_networks(self) -> None:
        """Of IPv6 all addresses of a home count as one: who guesses has as many as they like."""
        self.assertEqual(network_of("2001:db8:1:2::3"), network_of("2001:db8:1:2:ffff::"))
        self.assertNotEqual(network_of("2001:db8:1:2::3"), network_of("2001:db8:1:3::3"))
        self.assertEqual(network_of("fe80::1%eth0"), "fe80::/64")
        self.assertEqual(network_of(HOME.host), HOME.host)

    def test_bounded(self) -> None:
        """However many guess, only so much is remembered."""
        self.patch(guesses, "MOST_KEPT", 10)
        for at in range(100):
            source = HostPort(f"198.51.100.{at}", 5070)
            self.guesses.failed(source, f"{at}@example.com", NOW)
            self.guesses.proven(source, ALICE)
        one, two = self.guesses._addresses._failures, self.guesses._names._failures
        kept = (len(one), len(two), len(self.guesses._proven), len(self.guesses._proven_ports))
        self.assertEqual(kept, (10, 10, 10, 10))
