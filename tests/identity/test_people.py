"""Tests of what is remembered of people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.errors import BadPapers
from p2pship.identity.device import Device
from p2pship.identity.papers import Papers
from p2pship.identity.people import SCHEMA, People
from p2pship.identity.statement import host_identity_hash
from p2pship.identity.verify import papers_from
from p2pship.storage.database import Database
from tests.identity import example


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

    def test_older_statement(self) -> None:
        """An older statement is refused for ever, also after a restart and with a newer record."""
        self.people.accept(papers(10, 100))
        self.people = self.reopened()
        self.assertEqual(
            self.refused(papers(9, 200)), "the statement of alice@example.com has version 9, but 10 was seen"
        )

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
