"""Tests of the trust policy."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship.identity.keyring import Keyring
from p2pship.identity.papers import Papers
from p2pship.identity.people import SCHEMA
from p2pship.identity.statement import person_hash
from p2pship.identity.trust import TrustPolicy
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import ITrustPolicy
from p2pship.journal import Journal
from p2pship.storage.database import Database
from tests.identity import example


class TrustPolicyTests(TestCase):
    """Who is who."""

    def setUp(self) -> None:
        clock = Clock()
        clock.advance(example.NOW)
        database = Database(":memory:", [SCHEMA])
        self.addCleanup(database.close)
        folder = Path(self.mktemp())
        self.keyring = Keyring(folder, database, Journal(), clock)
        self.own = self.keyring.create(example.AOR)
        self.policy = TrustPolicy(self.keyring)

    def judge(self, papers: Papers) -> Verdict:
        """Return the verdict on papers."""
        return self.successResultOf(self.policy.judge(papers, self.own))

    def test_interface(self) -> None:
        """It is an ITrustPolicy."""
        verifyObject(ITrustPolicy, self.policy)

    def test_own_device(self) -> None:
        """A device that one of our identity keys lists is our own, and may be dialled at once."""
        record = self.keyring.record_for(self.own, (), example.NOW)
        verdict = self.judge(papers_from(self.own.statement, record, example.NOW))
        self.assertEqual((verdict.name, verdict.acquaintance), (NameGrade.KNOWN, Acquaintance.OWN))
        self.assertTrue(verdict.proven and verdict.reasons)

    def test_stranger(self) -> None:
        """Somebody of another name is a stranger whose name nobody vouches for."""
        self.assert_stranger(other_name())

    def test_impostor(self) -> None:
        """Somebody else who claims our own name is a stranger too."""
        self.assert_stranger(example.papers_of_another_key(1, 1))

    def assert_stranger(self, papers: Papers) -> None:
        """Check that papers are a stranger's, not to be dialled at once."""
        verdict = self.judge(papers)
        self.assertEqual((verdict.name, verdict.acquaintance), (NameGrade.UNPROVEN, Acquaintance.STRANGER))
        self.assertTrue(verdict.reasons and not verdict.proven)


def other_name() -> Papers:
    """Return papers of a person by another name."""
    aor = "bob@example.com"
    person = person_hash(aor, example.IDENTITY_KEY)
    return papers_from(example.statement(aor=aor), example.record(person=person), example.NOW)
