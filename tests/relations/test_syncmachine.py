"""Tests of how two copies of a ledger become the same."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.cbor import encode
from p2pship.relations.syncmachine import Copy, Key, first_page, pages
from p2pship.relations.syncwire import Entries, read, write
from p2pship.trust.entry import LONGEST_VALUE, STAMP_OCTETS, Entry
from tests.scale import SEED, scaled


class Device:
    """A device with entries, of which the greater stamp wins."""

    def __init__(self) -> None:
        self.rows: dict[Key, Entry] = {}

    def put(self, name: str, stamp: int, octets: int = 10) -> None:
        """Write an entry."""
        self.merge(Entry("contact", name, stamp.to_bytes(STAMP_OCTETS, "big"), encode(bytes(octets))))

    def merge(self, row: Entry) -> bool:
        """Take an entry if it is newer."""
        known = self.rows.get((row.kind, row.name))
        if known is not None and known.stamp >= row.stamp:
            return False
        self.rows[row.kind, row.name] = row
        return True

    def copy(self) -> Copy:
        """Return what there is now."""
        return Copy({key: row.stamp for key, row in self.rows.items()})

    def pull(self, other: Device) -> int:
        """Take what is newer on another device; returns how many messages were asked."""
        buckets, asked = self.copy().differing(other.copy().digests()), 0
        while buckets:
            question = next(self.copy().questions(buckets))
            answer = read(write(other.answer(read(write(question)))))
            assert isinstance(answer, Entries)
            asked += 1
            new = sum([self.merge(row) for row in answer.entries])
            rest = bytes(bucket for bucket in buckets if bucket not in question.buckets)
            buckets = bytes(sorted({*rest, *(answer.left if new else b"")}))
        return asked

    def answer(self, question: object) -> Entries:
        """Answer a question."""
        return first_page([(bucket, self.rows[key]) for bucket, key in self.copy().newer(question)])  # type: ignore[arg-type]


class SyncMachineTests(SynchronousTestCase):
    """Two copies that differ."""

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(1, 1000)), max_size=60))
    def test_same(self, changes: list[tuple[bool, int, int]]) -> None:
        """Whatever was changed on either side, both have the same when both have asked."""
        devices = Device(), Device()
        for number, (second, name, stamp) in enumerate(changes):
            devices[second].put(f"name{name}", stamp * 1000 + number)
        for one, other in (devices, devices[::-1]):
            one.pull(other)
        self.assertEqual(devices[0].rows, devices[1].rows)
        self.assertEqual(devices[0].copy().differing(devices[1].copy().digests()), b"")

    def test_many(self) -> None:
        """A new device takes thousands of entries in messages that each fit a payload; then one change costs one."""
        random = Random(SEED)
        old, new = Device(), Device()
        for number in range(scaled(3_000, 20_000)):
            old.put(f"person{number}@example.com", number + 1, random.randrange(100))
        self.assertGreater(new.pull(old), 1)
        self.assertEqual(new.rows, old.rows)
        old.put("person7@example.com", 1 << 40)
        self.assertEqual((new.pull(old), new.rows), (1, old.rows))

    def test_pages(self) -> None:
        """No page is longer than a payload, even of the longest entries, and none is lost."""
        rows = [
            Entry("contact", "ä" * 250 + str(n), bytes(STAMP_OCTETS), encode(bytes(LONGEST_VALUE - 3)))
            for n in range(40)
        ]
        cut = list(pages(rows))
        self.assertEqual([row for page in cut for row in page], rows)
        self.assertTrue(all(len(write(Entries(page))) <= 65_536 for page in cut))

    def test_listed(self) -> None:
        """Questions about a large copy are cut, so that each fits a payload."""
        device = Device()
        for number in range(5_000):
            device.put(f"person{number}", 1)
        questions = list(device.copy().questions(bytes(range(256))))
        self.assertEqual(b"".join(question.buckets for question in questions), bytes(range(256)))
        self.assertTrue(all(len(write(question)) <= 65_536 for question in questions))
