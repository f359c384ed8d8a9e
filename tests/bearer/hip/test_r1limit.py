"""Tests for p2pship.bearer.hip.r1limit."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.r1limit import (
    MOST_KEPT,
    PER_HOST,
    PER_NEIGHBOUR,
    PER_NETWORK,
    PER_PORT,
    SECOND_CHANCES,
    R1Limit,
)

HIT = bytes(16)


def nobody(_: str) -> bool:
    """Have no neighbours."""
    return False


class R1LimitTests(TestCase):
    """How many R1s go where."""

    def setUp(self) -> None:
        self.limit = R1Limit(nobody)

    def test_port(self) -> None:
        """One port gets some in a second, and as many in the next."""
        for now in (10.0, 11.0):
            admitted = [self.limit.admits("192.0.2.1", 10500, HIT, now) for _ in range(100)]
            self.assertEqual(sum(admitted), PER_PORT)

    def test_host(self) -> None:
        """One address gets no more than a village needs, however many ports and HITs are made up."""
        admitted = [self.limit.admits("192.0.2.1", port, b"%016d" % port, 10.0) for port in range(1, 5_000)]
        self.assertEqual(sum(admitted), PER_HOST)

    def test_network(self) -> None:
        """Nor does one network: those in it share a line."""
        for form in ("192.0.2.{}", "2001:db8:1:2::{:x}"):
            limit = R1Limit(nobody)
            admitted = [
                limit.admits(form.format(number % 250), 1000 + number, b"%016d" % number, 10.0)
                for number in range(20_000)
            ]
            self.assertEqual(sum(admitted), PER_NETWORK)

    def test_second_chance(self) -> None:
        """Who was refused as others have made up addresses of its network is admitted when it asks again."""
        for number in range(5_000):
            self.limit.admits(f"192.0.2.{number % 250}", 1000 + number, b"%016d" % number, 10.0)
        self.assertFalse(self.limit.admits("192.0.2.7", 10500, HIT, 10.1))
        self.assertTrue(self.limit.admits("192.0.2.7", 10500, HIT, 10.5))
        self.assertFalse(self.limit.admits("192.0.2.7", 10500, HIT, 10.6))
        self.assertTrue(self.limit.admits("192.0.2.7", 10500, HIT, 11.0))

    def test_few_again_and_again(self) -> None:
        """Attack: the addresses of a network, each from one port and by one HIT, so that all of them come again: others have their turn."""
        for number in range(30_000):
            now = 10.0 + number / 10_000
            self.limit.admits(f"192.0.2.{number % 250}", 10500, b"%016d" % (number % 250), now)
        self.assertTrue(self.limit.admits("192.0.2.251", 10500, HIT, 13.0))

    def test_many_again_and_again(self) -> None:
        """Attack: some thousands of senders in one network, which all come again: who is new is answered within four I1s, nearly always."""
        random, answered = Random(1), 0
        for start in range(20):
            limit, began = R1Limit(nobody), 10.0 + start / 7
            tries = [began + 2.0 + later for later in (0.0, 0.25, 0.6, 1.09)]
            for number in range(35_000):
                now, which = began + number / 10_000, random.randrange(3_000)
                limit.admits(f"192.0.2.{which % 250}", 10500, b"%016d" % which, now)
                if tries and now >= tries[0]:
                    tries.pop(0)
                    if limit.admits("192.0.2.251", 10500, HIT, now):
                        answered += 1
                        break
        self.assertGreaterEqual(answered, 19)

    def test_next_door(self) -> None:
        """Attack: all addresses of our own network: who is really there is answered whatever goes to it, and asked for once in a second."""
        asked: list[str] = []

        def is_there(host: str) -> bool:
            asked.append(host)
            return host == "192.0.2.7"

        limit = R1Limit(is_there)
        admitted = {
            number
            for number in range(10_000)
            if limit.admits(f"192.0.2.{number % 250}", 1000 + number, b"%016d" % number, 10.0)
        }
        self.assertEqual(len({number for number in admitted if number % 250 == 7}), 10_000 // 250)
        self.assertEqual(len(admitted), PER_NETWORK + 8_000 // 250)
        self.assertEqual((len(asked), len(set(asked))), (250, 250))
        here = [limit.admits("192.0.2.7", 20_000 + number, HIT, 10.0) for number in range(1_000)]
        self.assertEqual(sum(here), PER_NEIGHBOUR - 10_000 // 250)

    def test_new_ports(self) -> None:
        """Attack: one address, ever other ports by one HIT: whoever else is there is answered within four I1s, nearly always."""
        random, answered = Random(1), 0
        for start in range(20):
            limit, began = R1Limit(nobody), 10.0 + start / 7
            tries = [began + 1.0 + later for later in (0.0, 0.25, 0.6, 1.09)]
            for number in range(25_000):
                now = began + number / 10_000
                limit.admits("192.0.2.1", random.randrange(1024, 65_536), HIT, now)
                if tries and now >= tries[0]:
                    tries.pop(0)
                    if limit.admits("192.0.2.1", 10500, b"%016d" % 7, now):
                        answered += 1
                        break
        self.assertGreaterEqual(answered, 19)

    def test_bounded(self) -> None:
        """Nothing that is made up takes much memory, nor opens the door wide."""
        admitted = 0
        for number in range(3 * MOST_KEPT):
            host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            admitted += self.limit.admits(host, number % 60_000 + 1, b"%016d" % number, 10.0)
        self.assertLessEqual(len(self.limit._counts), MOST_KEPT)
        self.assertLessEqual(len(self.limit._refused), MOST_KEPT)
        self.assertLessEqual(len(self.limit._served), MOST_KEPT)
        self.assertLessEqual(admitted, MOST_KEPT + SECOND_CHANCES)

    def test_loopback(self) -> None:
        """Nobody needs to be protected from this machine itself."""
        self.assertTrue(all(self.limit.admits("127.0.0.1", 10500, HIT, 10.0) for _ in range(5_000)))
