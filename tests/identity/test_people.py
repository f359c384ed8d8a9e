"""Tests of what is remembered of people."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.errors import BadPapers
from p2pship.identity import people as module
from p2pship.identity.device import Device
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.people import MOST_ASKED, MOST_KEYS, SCHEMA, People
from p2pship.identity.statement import host_identity_hash, verify_statement
from p2pship.identity.verify import papers_from
from p2pship.storage.database import Database
from tests.identity import example
from tests.identity.example import papers_of_another_key


def papers(version: int = 10, sequence: int = 100, device: Device = example.DEVICE, **changes: Any) -> Papers:
    """Return the example's papers at a version and sequence."""
    statement = example.statement(version=version, devices=[device.listed], **changes)
    record = example.record_of(device, statement_version=version, sequence=sequence)
    return papers_from(statement, record, example.NOW)


class PeopleTests(TestCase):
    """What is accepted after what."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.people = self.reopened()

    def reopened(self) -> People:
        """Return the people as the next run finds them."""
        self.database = Database(self.path, [SCHEMA])
        self.addCleanup(self.database.close)
        return People(self.database)

    def refused(self, refused: Papers) -> str:
        """Return why papers are refused, by both methods alike."""
        reasons = [
            str(self.assertRaises(BadPapers, ask, refused)) for ask in (self.people.check, self.people.accept)
        ]
        self.assertEqual(reasons[0], reasons[1])
        return reasons[0]

    def test_again(self) -> None:
        """The same papers, and newer ones, are accepted again and again."""
        for version, sequence in ((10, 100), (10, 100), (10, 101), (11, 101), (12, 200)):
            self.people.accept(papers(version, sequence))
        self.assertIn("200 was seen", self.refused(papers(12, 199)))

    def test_publication_keys(self) -> None:
        """Where devices publish is kept as the newest statement says, without those that were revoked, and on disk."""
        first, second = Device.new(), Device.new()
        self.assertEqual(self.people.publication_keys(example.AOR), [])
        self.people.accept(papers(10, 100, first))
        self.assertEqual(self.people.publication_keys(example.AOR), [first.publication_key])
        self.people.accept(papers(11, 100, second, revoked=[host_identity_hash(first.key)]))
        self.people = self.reopened()
        self.assertEqual(self.people.publication_keys(example.AOR), [second.publication_key])
        self.assertEqual(self.people.publication_keys("nobody@example.com"), [])

    def test_publication_keys_of_others(self) -> None:
        """Who only came by themselves under the name does not push out those for whom we searched."""
        self.people.accept(papers(10, 100), now=1.0, keep=True)
        for number in range(MOST_ASKED + 5):
            came = papers_of_another_key(10, 100)
            self.people.accept(came, now=2.0 + number, keep=False)
        keys = self.people.publication_keys(example.AOR)
        self.assertEqual((keys[0], len(keys)), (example.DEVICE.publication_key, min(MOST_ASKED, MOST_KEYS)))

    def test_older_statement(self) -> None:
        """An older statement that lists a device which the newer does not is refused for ever, however new the record."""
        self.people.accept(papers(10, 100, Device.new()))
        self.people = self.reopened()
        self.assertEqual(
            self.refused(papers(9, 200)), "the statement of alice@example.com has version 9, but 10 was seen"
        )

    def test_was_off(self) -> None:
        """A device that was off when the newest statement was signed is let in with an older one, if it is still listed."""
        self.people.accept(papers(9, 100))
        other = Device.new()
        both = example.statement(version=10, devices=[example.DEVICE.listed, other.listed])
        self.people.accept_statement(verify_statement(both, example.NOW), example.NOW, keep=True)
        self.people = self.reopened()
        self.people.accept(papers(9, 101))
        self.assertIn("sequence number 100, but 101", self.refused(papers(9, 100)))
        self.assertIn("version 9, but 10", self.refused(papers(9, 1, Device.new())))
        older = verify_statement(example.statement(version=9), example.NOW)
        self.assertRaises(BadPapers, self.people.accept_statement, older, example.NOW, True)

    def test_was_off_and_out(self) -> None:
        """What an older statement lists comes back neither by itself nor with the hello of a device that is still listed."""
        lost = Device.new()
        self.people.accept(papers(9, 100))
        self.people.accept(papers(10, 101))
        two = example.statement(version=9, devices=[example.DEVICE.listed, lost.listed])
        record = example.record_of(example.DEVICE, statement_version=9, sequence=102)
        self.people.accept(papers_from(two, record, example.NOW))
        self.assertIn("version 9, but 10", self.refused(papers(9, 1, lost)))

    def test_statement_alone(self) -> None:
        """A statement that came without a record counts: a device that it revokes is refused, however high its sequences."""
        self.people.accept(papers(10, 100))
        stolen = host_identity_hash(example.DEVICE.key)
        newer = verify_statement(
            example.statement(version=11, devices=example.other_devices(1), revoked=[stolen]), example.NOW
        )
        self.people.accept_statement(newer, example.NOW, keep=True)
        self.people = self.reopened()
        self.assertTrue(self.refused(papers(10, 2**62)))
        self.assertIn("revoked", self.refused(papers(12, 2**62)))
        older = verify_statement(example.statement(version=10), example.NOW)
        self.assertRaises(BadPapers, self.people.accept_statement, older, example.NOW, True)

    def test_older_record(self) -> None:
        """An older record of the device is refused, also with a newer statement."""
        self.people.accept(papers(10, 100))
        self.people = self.reopened()
        self.assertIn("sequence number 99, but 100", self.refused(papers(11, 99)))

    def test_check_remembers_nothing(self) -> None:
        """Checking leaves no trace."""
        self.people.check(papers(10, 100))
        self.people.check(papers(9, 99))
        self.assertFalse(self.people.met(example.AOR))

    def test_refused_remembers_nothing(self) -> None:
        """Papers that were refused raise no bar."""
        self.people.accept(papers(10, 100))
        self.refused(papers(20, 99))
        self.people.accept(papers(10, 100))

    def test_other_device(self) -> None:
        """Sequences count for each device by itself; versions for the person."""
        self.people.accept(papers(10, 100))
        self.people.accept(papers(10, 1, Device.new()))
        self.refused(papers(9, 1, Device.new()))

    def test_other_key(self) -> None:
        """Versions count within one identity key: somebody else's claim to the name raises no bar."""
        self.people.accept(papers(10, 100))
        self.people.accept(example.papers_of_another_key(version=1, sequence=1))
        self.people.accept(papers(10, 100))
        self.refused(papers(9, 1, Device.new()))

    def test_revoked(self) -> None:
        """A device that was revoked once stays so, though a later statement lists it and does not say so."""
        lost = Device.new()
        self.people.accept(papers(10, 1, lost))
        self.people.accept(papers(11, 100, revoked=[host_identity_hash(lost.key)]))
        self.people = self.reopened()
        self.assertIn("revoked", self.refused(papers(12, 2, lost)))
        self.people.accept(papers(12, 101))

    def test_met(self) -> None:
        """Somebody is met when papers of theirs were accepted, and stays so."""
        self.assertFalse(self.people.met(example.AOR))
        self.people.accept(papers())
        self.people = self.reopened()
        self.assertEqual([self.people.met(example.AOR), self.people.met("bob@example.com")], [True, False])

    def test_known_papers(self) -> None:
        """Papers that are known already cost no write: most hellos bring no others."""
        self.people.accept(papers())
        before = self.database.query("SELECT total_changes()")
        self.people.accept(papers())
        self.assertEqual(self.database.query("SELECT total_changes()"), before)


class StrangersTests(TestCase):
    """Who only came by themselves is forgotten when too many others have come since."""

    TABLES = ("identity_person", "identity_device", "identity_revoked", "identity_seen", "identity_listed")

    def setUp(self) -> None:
        self.patch(module, "MOST_STRANGERS", 5)
        self.patch(module, "FORGOTTEN_AT_ONCE", 1)
        self.database = Database(":memory:", [SCHEMA])
        self.addCleanup(self.database.close)
        self.people = People(self.database)

    def come(self, number: int, keep: bool = False, again: bool = False) -> None:
        """Let somebody come, each a second after the one before."""
        aor = f"s{number}@example.com"
        key = hashlib.sha256(aor.encode()).digest()
        lost = hashlib.sha256(b"lost" + key).digest()
        statement = Statement(
            aor=aor, key=key, version=1 + again, issued=0, expires=1, devices=(example.DEVICE.listed,), revoked=(lost,),
            mail_holders=(), certificate_hash=b"", authority=b"", succession=(), raw=b"",
        )  # fmt: skip
        their_papers = replace(papers(), statement=statement)
        self.people.accept(their_papers, float(number + 100 * again), keep)

    def counts(self) -> list[int]:
        """Return how many rows each table has."""
        return [self.database.query(f"SELECT count(*) FROM {table}")[0][0] for table in self.TABLES]

    def known(self) -> list[int]:
        """Return who is remembered."""
        return [number for number in range(30) if self.people.met(f"s{number}@example.com")]

    def test_bounded(self) -> None:
        """Of those who came, the last few are remembered, with all that belongs to them and nothing else."""
        for number in range(20):
            self.come(number)
        self.assertEqual(self.known(), [15, 16, 17, 18, 19])
        self.assertEqual(self.counts(), [5, 5, 5, 5, 5])

    def test_kept(self) -> None:
        """Those whom we know, or called, stay, also if they came as strangers first, and come as such again."""
        self.come(0, keep=True)
        self.come(1)
        self.come(1, keep=True)
        self.come(0, keep=False, again=True)
        for number in range(10, 30):
            self.come(number)
        self.assertEqual(self.known(), [0, 1, 25, 26, 27, 28, 29])

    def test_least_recently(self) -> None:
        """Who comes again stays longer."""
        for number in range(5):
            self.come(number)
        self.come(0, again=True)
        self.come(5)
        self.assertEqual(self.known(), [0, 2, 3, 4, 5])

    def test_one_key(self) -> None:
        """One who makes up devices all the time fills no table either."""
        self.patch(module, "MOST_OF_KEY", 3)
        for number in range(10):
            device = Device.new()
            revoked = [hashlib.sha256(bytes([number])).digest()]
            self.people.accept(papers(10 + number, 100, device, revoked=revoked), 0.0, False)
        self.assertLessEqual(max(self.counts()), 4)

    def test_many_keys(self) -> None:
        """Nor one who comes with another key each time, however well known; who was looked for is kept before others."""
        self.patch(module, "MOST_KEYS", 3)
        aor = papers().aor
        for number in range(10):
            statement = replace(papers().statement, key=bytes([number]))
            self.people.accept(replace(papers(), statement=statement), float(number), keep=number < 2)
        self.assertEqual(self.counts(), [3, 3, 0, 3, 3])
        kept = self.database.query("SELECT seen FROM identity_seen WHERE aor = ? ORDER BY seen", aor)
        self.assertEqual([seen for (seen,) in kept], [0, 1, 9])
        for number in range(10):
            statement = replace(papers().statement, key=bytes([100 + number]))
            self.people.accept(replace(papers(), statement=statement), float(100 + number), keep=True)
        self.assertEqual(self.counts(), [3, 3, 0, 3, 3])


class EncryptedTests(TestCase):
    """Which devices were reached encrypted."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def run_once(self) -> People:
        """Return the people as the next run finds them."""
        database = Database(self.path, [SCHEMA])
        self.addCleanup(database.close)
        return People(database)

    def test_for_good(self) -> None:
        """A mark outlives the run, and is of that device only."""
        self.run_once().mark_encrypted(b"hit")
        people = self.run_once()
        self.assertEqual([people.must_be_encrypted(hit) for hit in (b"hit", b"other")], [True, False])

    def test_once(self) -> None:
        """A device that is marked already costs no write."""
        database = Database(self.path, [SCHEMA])
        self.addCleanup(database.close)
        people = People(database)
        people.mark_encrypted(b"hit")
        before = database.query("SELECT total_changes()")
        people.mark_encrypted(b"hit")
        self.assertEqual(database.query("SELECT total_changes()"), before)

    def test_crowd(self) -> None:
        """A crowd of devices pushes nobody's mark out, and grows no further: when full, all count as marked."""
        self.patch(module, "MOST_MARKS", 3)
        for _ in range(2):
            people = self.run_once()
            for number in range(5):
                people.mark_encrypted(bytes([number]))
            self.assertTrue(all(people.must_be_encrypted(hit) for hit in (b"\0", b"\1", b"anybody")))
        (rows,) = Database(self.path, [SCHEMA]).query("SELECT count(*) FROM identity_encrypted")
        self.assertEqual(rows, (3,))


class SequenceTests(TestCase):
    """Numbers for our own records."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def next(self, now: float, identity_key: bytes = b"identity", device_key: bytes = b"device") -> int:
        """Return the next number as a new run gives it."""
        database = Database(self.path, [SCHEMA])
        try:
            return People(database).next_sequence(identity_key, device_key, now)
        finally:
            database.close()

    def test_milliseconds(self) -> None:
        """It is the Unix time in milliseconds, so that a lost database does no harm."""
        self.assertEqual(self.next(1790000000.1239), 1790000000123)

    def test_rises(self) -> None:
        """It rises in every run, even if the clock stands still or goes back."""
        self.assertEqual(
            [self.next(now) for now in (5.0, 5.0, 5.0, 1.0, 5.002, 6.0)], [5000, 5001, 5002, 5003, 5004, 6000]
        )

    def test_apart(self) -> None:
        """Each identity and device has its own."""
        self.next(9.0)
        self.assertEqual([self.next(1.0, b"other"), self.next(1.0, device_key=b"other")], [1000, 1000])
