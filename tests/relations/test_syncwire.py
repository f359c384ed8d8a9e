"""Tests of what own devices send each other of the ledger."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.cbor import encode
from p2pship.relations.syncwire import (
    BUCKETS,
    DIGEST_OCTETS,
    ID_OCTETS,
    LONGEST_NEWS,
    MOST_ENTRIES,
    MOST_LISTED,
    BadSync,
    Entries,
    Message,
    Question,
    Summary,
    read,
    size,
    write,
)
from p2pship.trust.entry import LONGEST_NAME, LONGEST_VALUE, STAMP_OCTETS, Entry

STAMP = bytes(STAMP_OCTETS)

rows = st.builds(
    Entry,
    st.sampled_from(["contact", "pin", "block"]),
    st.text(min_size=1, max_size=60).filter(str.isprintable),
    st.binary(min_size=STAMP_OCTETS, max_size=STAMP_OCTETS),
    st.none() | st.binary(max_size=80).map(encode),
)
buckets = st.sets(st.integers(0, 255), max_size=20).map(lambda numbers: bytes(sorted(numbers)))
listed = st.tuples(
    st.binary(min_size=ID_OCTETS, max_size=ID_OCTETS), st.binary(min_size=STAMP_OCTETS, max_size=STAMP_OCTETS)
)
summaries = st.builds(
    lambda digest, statement: Summary((digest,) * BUCKETS, statement),
    st.binary(min_size=DIGEST_OCTETS, max_size=DIGEST_OCTETS),
    st.binary(max_size=200),
)
messages = st.one_of(
    summaries,
    st.builds(Question, buckets, st.lists(listed, max_size=5).map(tuple)),
    st.builds(Entries, st.lists(rows, max_size=5).map(tuple), buckets),
)


class SyncWireTests(SynchronousTestCase):
    """Octets to messages and back."""

    @given(messages)
    def test_round_trip(self, message: Message) -> None:
        """What is written is read as it was."""
        self.assertEqual(read(write(message)), message)

    @given(messages)
    def test_truncated(self, message: Message) -> None:
        """A message that is cut short anywhere is refused."""
        octets = write(message)
        for length in range(0, len(octets), max(1, len(octets) // 50)):
            self.assertRaises(BadSync, read, octets[:length])

    @given(st.binary(max_size=200))
    def test_garbage(self, octets: bytes) -> None:
        """Garbage raises nothing else than BadSync."""
        try:
            read(octets)
        except BadSync:
            return

    @given(rows)
    def test_size(self, entry: Entry) -> None:
        """No entry takes more room than is counted for it."""
        self.assertLessEqual(len(write(Entries((entry,)))) - len(write(Entries(()))), size(entry) + 2)

    def test_vector(self) -> None:
        """The format is that of docs/reference/sync.md."""
        octets = write(Entries((Entry("pin", "a@b", STAMP, b"\xf6"),), b"\x05"))
        self.assertEqual(
            octets.hex(), "840103818463" + b"pin".hex() + "63" + b"a@b".hex() + "52" + "00" * 18 + "41f64105"
        )

    def test_wrong(self) -> None:
        """What is too long, too much, out of order or of another version is refused."""
        wrong: list[object] = [
            [2, 3, [], b""],
            [True, 3, [], b""],
            [1, 4, [], b""],
            [1, True, bytes(2048), b""],
            [1, 1, bytes(2047), b""],
            [1, 1, bytes(2048), bytes(LONGEST_NEWS + 1)],
            [1, 2, b"\x02\x01", b""],
            [1, 2, b"\x01\x01", b""],
            [1, 2, b"\x01", bytes((ID_OCTETS + STAMP_OCTETS) * (MOST_LISTED + 1))],
            [1, 2, b"\x01", bytes(31)],
            [1, 3, [["pin", "a", STAMP, None]] * (MOST_ENTRIES + 1), b""],
            [1, 3, [["pin", "a", STAMP[1:], None]], b""],
            [1, 3, [["", "a", STAMP, None]], b""],
            [1, 3, [["ü", "a", STAMP, None]], b""],
            [1, 3, [["pin", "a" * (LONGEST_NAME + 1), STAMP, None]], b""],
            [1, 3, [["pin", "a", STAMP, encode(bytes(LONGEST_VALUE))]], b""],
            [1, 3, [["pin", "a", STAMP, 1]], b""],
            [1, 3, [["pin", "a", STAMP]], b""],
            [1, 3, [["pin", "a", STAMP, b"\xff"]], b""],
            [1, 3, [["pin", "", STAMP, None]], b""],
            [1, 3, {}, b""],
            [1, 3, []],
            {},
            1,
        ]
        for value in wrong:
            self.assertRaises(BadSync, read, encode(value))
