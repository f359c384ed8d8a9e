"""Tests of whether a statement and a record belong together."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.errors import BadPapers
from p2pship.identity.hit import hit_of
from p2pship.identity.papers import ListedDevice
from p2pship.identity.statement import host_identity_hash, person_hash, verify_statement
from p2pship.identity.validity import RECORD_LIFETIME, SKEW, STATEMENT_LIFETIME
from p2pship.identity.verify import listing, papers_from
from tests.identity import example

OTHER_KEY = example.DEVICE.key


class PapersFromTests(TestCase):
    """Both papers together."""

    def reason(
        self,
        statement: bytes | None = None,
        record: bytes | None = None,
        now: float = example.NOW,
        aor: str | None = None,
        publication_key: bytes | None = None,
    ) -> str:
        """Return why papers are refused."""
        papers = (statement or example.statement(), record or example.record())
        return str(self.assertRaises(BadPapers, papers_from, *papers, now, aor, publication_key))

    def test_hold(self) -> None:
        """Papers that belong together are returned with the device's HIT."""
        papers = papers_from(
            example.statement(), example.record(), example.NOW, example.AOR, example.DEVICE.publication_key
        )
        self.assertEqual((papers.aor, papers.hit), (example.AOR, hit_of(example.DEVICE.key)))
        self.assertEqual(papers.record.locators, example.LOCATORS)

    def test_anybody(self) -> None:
        """Without an expected name or publication key, anybody's will do."""
        self.assertEqual(papers_from(example.statement(), example.record(), example.NOW).aor, example.AOR)

    def test_other_name(self) -> None:
        """A true statement of somebody else is not an answer for the one asked for."""
        self.assertIn("not of bob@example.com", self.reason(aor="bob@example.com"))

    def test_dates(self) -> None:
        """Each of the two has its own dates, and both count."""
        self.assertIn("the record expired", self.reason(now=example.NOW + RECORD_LIFETIME + SKEW + 1))
        late = example.NOW + STATEMENT_LIFETIME + SKEW + 1
        self.assertIn("the statement expired", self.reason(now=late))

    def test_other_person(self) -> None:
        """A record for another name or another identity key is refused."""
        for person in (
            person_hash("bob@example.com", example.IDENTITY_KEY),
            person_hash(example.AOR, OTHER_KEY),
        ):
            self.assertIn("with this identity key", self.reason(record=example.record(person=person)))

    def test_other_version(self) -> None:
        """A record for an older or newer statement is refused."""
        version = example.VECTOR["statement_version"]
        for other in (version - 1, version + 1):
            self.assertIn(f"version {other}", self.reason(record=example.record(statement_version=other)))

    def test_not_listed(self) -> None:
        """A device that the person does not list is refused: anybody can make a record that names a person."""
        self.assertIn(
            "not among the 3 devices", self.reason(example.statement(devices=example.other_devices(3)))
        )
        self.assertIn("not among the 0 devices", self.reason(example.statement(devices=[])))

    def test_other_host_identity(self) -> None:
        """The publication key alone makes no device listed."""
        devices = [ListedDevice(b"x" * 32, example.DEVICE.publication_key)]
        self.assertIn("not among", self.reason(example.statement(devices=devices)))

    def test_revoked(self) -> None:
        """A revoked device is refused, even if it is still listed."""
        revoked = [b"x" * 32, host_identity_hash(example.DEVICE.key)]
        self.assertIn("revoked", self.reason(example.statement(revoked=revoked)))

    def test_other_publication_key(self) -> None:
        """A record found under a key that is not the device's is refused."""
        self.assertIn("another key", self.reason(publication_key=b"x" * 32))

    def test_swapped(self) -> None:
        """A statement is no record, nor the other way round."""
        self.reason(example.record(), example.statement())

    def test_listing(self) -> None:
        """A listed device is found among others."""
        devices = [*example.other_devices(2), example.DEVICE.listed]
        statement = verify_statement(example.statement(devices=devices), example.NOW)
        self.assertEqual(listing(statement, example.DEVICE.key), example.DEVICE.listed)
        self.assertIsNone(listing(statement, example.IDENTITY_KEY))
