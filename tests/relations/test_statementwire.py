"""Tests of news of a statement, and of what is allowed how often."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.cbor import encode
from p2pship.identity.ownchain import MOST_CERTIFICATES
from p2pship.relations.allowance import MOST_KEPT, Allowance
from p2pship.relations.statementwire import (
    LONGEST_CERTIFICATE,
    LONGEST_REVOCATIONS,
    BadNews,
    News,
    read,
    write,
)

octets = st.binary(max_size=60)
news = st.builds(News, octets, st.lists(octets, max_size=4).map(tuple), octets)


class StatementWireTests(SynchronousTestCase):
    """Octets to news and back."""

    @given(news)
    def test_round_trip(self, one: News) -> None:
        """What is written is read as it was."""
        self.assertEqual(read(write(one)), one)

    @given(news)
    def test_truncated(self, one: News) -> None:
        """News that is cut short anywhere is refused."""
        whole = write(one)
        for length in range(len(whole)):
            self.assertRaises(BadNews, read, whole[:length])

    @given(st.binary(max_size=100))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage raises nothing else than BadNews."""
        try:
            read(garbage)
        except BadNews:
            return

    def test_longest(self) -> None:
        """The longest of everything fits a payload, and a summary of own devices."""
        chain = (bytes(LONGEST_CERTIFICATE),) * MOST_CERTIFICATES
        longest = write(News(bytes(2560), chain, bytes(LONGEST_REVOCATIONS)))
        self.assertLess(len(longest), 56_000)

    def test_too_long_to_come_along(self) -> None:
        """A statement is told, without the list or the certificates of a large authority if those are too long."""
        chain = (bytes(LONGEST_CERTIFICATE + 1), b"root")
        self.assertEqual(read(write(News(b"stated", chain, b"list"))), News(b"stated", (), b"list"))
        long = News(b"stated", (b"root",), bytes(LONGEST_REVOCATIONS + 1))
        self.assertEqual(read(write(long)), News(b"stated", (b"root",)))

    def test_wrong(self) -> None:
        """What is too long, too much, missing or of another version is refused."""
        wrong: list[object] = [
            [],
            {1: b""},
            {0: 2, 1: b""},
            {0: True, 1: b""},
            {0: 1},
            {0: 1, 1: "text"},
            {0: 1, 1: bytes(2561)},
            {0: 1, 1: b"", 2: [b""] * 5},
            {0: 1, 1: b"", 2: [bytes(LONGEST_CERTIFICATE + 1)]},
            {0: 1, 1: b"", 2: [1]},
            {0: 1, 1: b"", 2: b""},
            {0: 1, 1: b"", 3: bytes(LONGEST_REVOCATIONS + 1)},
        ]
        for value in wrong:
            self.assertRaises(BadNews, read, encode(value))


class AllowanceTests(SynchronousTestCase):
    """How often somebody may ask."""

    def test_rate(self) -> None:
        """So many at once, then so many a minute, for each asker by itself."""
        allowance = Allowance(3, 6.0)
        self.assertEqual([allowance.take("a", 100.0) for _ in range(5)], [True] * 3 + [False] * 2)
        self.assertTrue(allowance.take("b", 100.0))
        self.assertFalse(allowance.take("a", 105.0))
        self.assertTrue(allowance.take("a", 115.1))
        self.assertEqual([allowance.take("a", 10_000.0) for _ in range(4)], [True] * 3 + [False])

    def test_bound(self) -> None:
        """Ever new askers do not fill the memory."""
        allowance = Allowance(1, 1.0)
        for number in range(MOST_KEPT + 10):
            allowance.take(number, 0.0)
        self.assertLessEqual(len(allowance._tokens), MOST_KEPT)
