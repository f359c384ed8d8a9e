"""Tests of the keyring."""

from __future__ import annotations

import shutil
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship.address import Locator
from p2pship.errors import BadPapers, ConfigError, LocalError
from p2pship.identity.device import Device
from p2pship.identity.holdings import KEY_FILE, STATEMENT_FILE
from p2pship.identity.identity import folder_name
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import verify_record
from p2pship.identity.seal import open_item, seal
from p2pship.identity.statement import verify_statement
from p2pship.identity.validity import STATEMENT_LIFETIME
from p2pship.identity.verify import papers_from
from p2pship.interfaces import IKeyring
from p2pship.journal import Fact, IdentityCreated, Journal
from p2pship.storage.database import Database
from tests.identity import example

ALICE = example.AOR
BOB = "bob@example.com"


class KeyringTests(TestCase):
    """Own identities, records and people."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir()
        self.clock = Clock()
        self.clock.advance(example.NOW)
        self.facts: list[Fact] = []
        self.keyring = self.reopened()

    def reopened(self, state: Path | None = None) -> Keyring:
        """Return the keyring as the next run finds it, or that of another folder."""
        state = state or self.state
        state.mkdir(exist_ok=True)
        database = Database(state / "database", SCHEMAS)
        self.addCleanup(database.close)
        journal = Journal()
        journal.watch(self.facts.append)
        return Keyring(state, database, journal, self.clock)

    def test_interface(self) -> None:
        """It is an IKeyring."""
        verifyObject(IKeyring, self.keyring)

    def test_empty(self) -> None:
        """The first run makes the device, and no identity."""
        self.assertEqual(self.keyring.identities(), ())
        self.assertEqual(self.reopened().device.key, self.keyring.device.key)

    def test_created(self) -> None:
        """A new identity is there at once, is told of, and is there in the next run."""
        seen: list[str] = []
        self.keyring.watch(seen.append)
        alice = self.keyring.create(ALICE)
        self.assertEqual((self.keyring.identity(ALICE), seen), (alice, [ALICE]))
        self.assertEqual(self.facts, [IdentityCreated(ALICE)])
        again = self.reopened().identity(ALICE)
        assert again is not None
        self.assertEqual((again.key, again.statement), (alice.key, alice.statement))

    def test_order(self) -> None:
        """Identities come oldest first, in this run and the next."""
        for aor in ("zoe@example.com", ALICE, BOB):
            self.keyring.create(aor)
            self.clock.advance(2)
        for keyring in (self.keyring, self.reopened()):
            self.assertEqual([one.aor for one in keyring.identities()], ["zoe@example.com", ALICE, BOB])

    def test_unknown(self) -> None:
        """There is no identity of another name, nor of a name in another case."""
        self.keyring.create(ALICE)
        self.assertEqual([self.keyring.identity(aor) for aor in (BOB, "Alice@example.com")], [None, None])

    def test_created_twice(self) -> None:
        """A second identity of a name is our bug, and changes nothing."""
        key = self.keyring.create(ALICE).key
        self.assertRaises(LocalError, self.keyring.create, ALICE)
        again = self.reopened().identity(ALICE)
        assert again is not None
        self.assertEqual(again.key, key)

    def test_not_canonical(self) -> None:
        """A name in another spelling than the canonical one is our bug."""
        for aor in ("sip:alice@example.com", "alice@EXAMPLE.com", "alice", ""):
            self.assertRaises(LocalError, self.keyring.create, aor)
        self.assertEqual(self.keyring.identities(), ())

    def test_cannot_be_kept(self) -> None:
        """An identity that cannot be written is not there, and nobody hears of it."""
        (self.state / "identities").write_bytes(b"a file")
        self.keyring.watch(lambda aor: self.fail("told"))
        self.assertRaises(LocalError, self.keyring.create, ALICE)
        self.assertEqual((self.keyring.identities(), self.facts), ((), []))

    def test_never_made_over(self) -> None:
        """A damaged key file stops the start, named, and stays as it is."""
        self.keyring.create(ALICE)
        path = self.state / "identities" / folder_name(ALICE) / KEY_FILE
        path.write_bytes(b"garbage")
        error = self.assertRaises(ConfigError, self.reopened)
        self.assertIn(str(path), str(error))
        self.assertEqual(path.read_bytes(), b"garbage")

    def test_found_later(self) -> None:
        """A folder that was put there while the node ran is not replaced."""
        elsewhere = Path(self.mktemp())
        put = self.reopened(elsewhere).create(ALICE)
        shutil.copytree(elsewhere / "identities", self.state / "identities")
        self.assertRaises(LocalError, self.keyring.create, ALICE)
        again = self.reopened().identity(ALICE)
        assert again is not None
        self.assertEqual(again.key, put.key)

    def test_cut_off(self) -> None:
        """An identity whose making was cut off is not there, and can be made."""
        unfinished = self.state / "identities" / f"{folder_name(ALICE)}.new"
        unfinished.mkdir(parents=True)
        (unfinished / KEY_FILE).write_bytes(b"half")
        keyring = self.reopened()
        self.assertEqual(keyring.identities(), ())
        keyring.create(ALICE)
        self.assertFalse(unfinished.exists())

    def test_misplaced(self) -> None:
        """A copy of an identity's folder under another name is refused: one of them would be lost."""
        self.keyring.create(ALICE)
        identities = self.state / "identities"
        shutil.copytree(identities / folder_name(ALICE), identities / "copy")
        error = self.assertRaises(ConfigError, self.reopened)
        self.assertIn("copy", str(error))

    def test_statement_valid(self) -> None:
        """Whoever keeps an identity for months finds its statement valid, and the next run's version is no lower."""
        alice = self.keyring.create(ALICE)
        for _ in range(4):
            self.clock.advance(STATEMENT_LIFETIME - 1)
            statement = verify_statement(alice.statement, self.clock.seconds())
            self.assertEqual(self.reopened().identities()[0].stated().version, statement.version)

    def test_versions_rise(self) -> None:
        """A key that comes back from a backup with an old statement states a version above what was seen."""
        alice = self.keyring.create(ALICE)
        path = self.state / "identities" / folder_name(ALICE) / STATEMENT_FILE
        backup = path.read_bytes()
        self.clock.advance(STATEMENT_LIFETIME)
        seen = alice.stated().version
        path.write_bytes(backup)
        self.clock.advance(1)
        self.assertGreater(self.reopened().identities()[0].stated().version, seen)

    def test_record(self) -> None:
        """A record is the device's, belongs to the identity's statement, and makes papers that hold."""
        alice = self.keyring.create(ALICE)
        raw = self.keyring.record_for(alice, example.LOCATORS, self.clock.seconds(), [("a", "b")])
        papers = papers_from(
            alice.statement, raw, self.clock.seconds(), ALICE, self.keyring.device.publication_key
        )
        self.assertEqual((papers.hit, papers.record.locators), (self.keyring.device.hit, example.LOCATORS))
        self.assertEqual(
            (papers.record.parameters, papers.record.sequence), ((("a", "b"),), example.NOW * 1000)
        )
        self.assertEqual(papers.record.sealing_key, self.keyring.device.sealing_key)

    def test_sequences(self) -> None:
        """Each record has a higher sequence number than the one before, also in the next run."""
        alice, now = self.keyring.create(ALICE), self.clock.seconds()
        again = self.reopened()
        raws = [self.keyring.record_for(alice, (), now) for _ in range(3)]
        raws.append(again.record_for(again.identities()[0], (), now - 1))
        sequences = [verify_record(raw, now).sequence for raw in raws]
        self.assertEqual(sequences, [example.NOW * 1000 + number for number in range(4)])

    def test_sealed(self) -> None:
        """What the keyring makes can be published and read by who knows the name."""
        alice, now = self.keyring.create(ALICE), self.clock.seconds()
        record = self.keyring.record_for(alice, [Locator("tls", "192.0.2.5", 5566)], now)
        item = seal(
            Place.of_name(ALICE), day_of(now), self.keyring.device.publication_key, alice.statement, record
        )
        opened = open_item(Place.of_name(ALICE), day_of(now), item)
        self.assertEqual((opened.statement, opened.record), (alice.statement, record))

    def test_record_of_another(self) -> None:
        """Only own identities have records."""
        self.keyring.create(ALICE)
        stranger = self.reopened(Path(self.mktemp())).create(ALICE)
        self.assertRaises(LocalError, self.keyring.record_for, stranger, (), self.clock.seconds())

    def test_encrypted(self) -> None:
        """Which devices were reached encrypted is remembered from one run to the next."""
        self.keyring.mark_encrypted(b"hit")
        again = self.reopened()
        self.assertEqual([again.must_be_encrypted(hit) for hit in (b"hit", b"other")], [True, False])

    def test_people(self) -> None:
        """People are remembered from one run to the next."""
        met = papers_from(example.statement(version=5), example.record(statement_version=5), example.NOW)
        lost = Device.new()
        listing, record = (
            example.statement(version=4, devices=[lost.listed]),
            example.record_of(lost, statement_version=4),
        )
        older = papers_from(listing, record, example.NOW)
        self.keyring.check(met)
        self.assertFalse(self.keyring.met(ALICE))
        self.keyring.accept(met, example.NOW, keep=True)
        again = self.reopened()
        self.assertTrue(again.met(ALICE))
        self.assertRaises(BadPapers, again.check, older)
        self.assertRaises(BadPapers, again.accept, older, example.NOW, True)

    def test_own_statement(self) -> None:
        """A device that our own statement has taken out is refused from then on, though no hello has brought that statement."""
        self.keyring.create(ALICE)
        thief = self.reopened(Path(self.mktemp()))
        self.keyring.add_device(ALICE, thief.device.listed)
        bundle = self.keyring.bundle(ALICE, with_key=True)
        identity = thief.adopt_identity(
            ALICE, bundle.raw, bundle.chain, b"", bundle.private_key, thief.device
        )
        papers = papers_from(identity.statement, thief.record_for(identity, (), example.NOW), example.NOW)
        self.keyring.check(papers)
        self.keyring.revoke_device(ALICE, thief.device.listed.host_identity_hash)
        self.assertRaises(BadPapers, self.keyring.check, papers)
        self.assertRaises(BadPapers, self.keyring.accept, papers, example.NOW, True)
