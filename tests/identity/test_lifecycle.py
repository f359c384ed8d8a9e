"""Tests of what may be done with our own identities: every change holds, is told, and is there in the next run."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from time import sleep
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.errors import BadPapers, ConfigError, LocalError
from p2pship.identity.backup import read_backup, write_backup
from p2pship.identity.certificate import BadCertificate
from p2pship.identity.changes import MOST_REVOKED_STATED
from p2pship.identity.device import Device
from p2pship.identity.facts import RevokedHere, StatementAdopted
from p2pship.identity.fingerprint import fingerprint, names_itself
from p2pship.identity.identity import Identity
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.keys import spki
from p2pship.identity.papers import ListedDevice
from p2pship.identity.record import verify_record
from p2pship.identity.statement import MOST_DEVICES, read_statement, verify_statement
from p2pship.identity.succession import predecessors
from p2pship.identity.validity import STATEMENT_LIFETIME
from p2pship.journal import Fact, Journal
from p2pship.storage import wrapping
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from tests.forked import be_silent
from tests.identity.authority import Authority
from tests.identity.example import AOR, NOW, other_devices
from tests.scale import SEED, scaled
from tests.storage.passphrases import lock


class LifecycleTestCase(TestCase):
    """Keyrings of several devices, with one clock."""

    def setUp(self) -> None:
        self.patch(wrapping, "COST", 4)  # a quarter of a second each time, otherwise
        self.clock = Clock()
        self.clock.advance(NOW)
        self.facts: list[Fact] = []
        self.told: list[str] = []
        self.state = Path(self.mktemp())
        self.keyring = self.opened(self.state)
        self.keyring.watch(self.told.append)

    def opened(self, state: Path | None = None, passphrase: Callable[[], bytes] | None = None) -> Keyring:
        """Return the keyring of a folder, by default of a new device."""
        state = state or Path(self.mktemp())
        state.mkdir(exist_ok=True)
        database = Database(state / "database", SCHEMAS)
        self.addCleanup(database.close)
        journal = Journal()
        journal.watch(self.facts.append)
        return Keyring(state, database, journal, self.clock, Vault.open(state, passphrase))

    def again(self, aor: str = AOR) -> Identity:
        """Return the identity as the next run finds it."""
        identity = self.opened(self.state).identity(aor)
        assert identity is not None
        return identity

    def linked(self, *, owner: bool = False) -> Keyring:
        """Return the keyring of another device to which the identity was handed over."""
        other = self.opened()
        self.keyring.add_device(AOR, other.device.listed)
        bundle = self.keyring.bundle(AOR, with_key=owner)
        key = bundle.private_key or None
        other.adopt_identity(AOR, bundle.raw, bundle.chain, bundle.revocations, key, other.device)
        return other

    def pass_on(self, giver: Keyring, taker: Keyring) -> bool:
        """Let one device take the statement of another."""
        identity = giver.identity(AOR)
        assert identity is not None
        return taker.adopt_statement(AOR, identity.statement, identity.chain, identity.revocations)


class SelfCertifyingTests(LifecycleTestCase):
    """Names that are their own proof, and others."""

    def test_made(self) -> None:
        """Such a name is the fingerprint of its key, and is there in the next run."""
        made = self.keyring.create_self_certifying()
        self.assertEqual(made.aor, f"{fingerprint(made.key)}@p2pship.alt")
        self.assertEqual((names_itself(made.aor, made.key), self.told), (True, [made.aor]))
        self.assertEqual(self.again(made.aor).key, made.key)

    def test_not_chosen(self) -> None:
        """Nobody takes such a name for a key of their own; below that domain names are as others."""
        made = self.keyring.create_self_certifying()
        self.keyring.remove(made.aor)
        for aor in (made.aor, "alice@p2pship.alt"):
            self.assertRaises(LocalError, self.keyring.create, aor)
        home = self.keyring.create("alice@home.p2pship.alt")
        self.assertEqual(
            [names_itself(aor, home.key) for aor in (home.aor, made.aor, AOR)], [None, False, None]
        )

    def test_refused_names(self) -> None:
        """Control characters, NUL among them, are refused; other letters than ASCII unless they are enabled."""
        for aor in ("a%00b@example.com", "a%0Ab@example.com", "%7F@example.com"):
            self.assertRaises(LocalError, self.keyring.create, aor)
        cyrillic = "%D0%B0lice@example.com"
        self.assertRaises(LocalError, self.keyring.create, cyrillic)
        self.keyring.beyond_ascii = True
        self.assertEqual(self.keyring.create(cyrillic).aor, cyrillic)


class ChoiceTests(LifecycleTestCase):
    """The default, removal, the status, and that a backup was made."""

    def test_default(self) -> None:
        """It is the oldest, or the one that was chosen, also in the next run; and when that is gone, the oldest again."""
        self.assertIsNone(self.keyring.default)
        self.keyring.create(AOR)
        self.clock.advance(1)
        self.keyring.create("bob@example.com")
        chosen = [self.keyring.default]
        self.keyring.set_default("bob@example.com")
        chosen += [self.keyring.default, self.opened(self.state).default]
        self.keyring.remove("bob@example.com")
        chosen.append(self.keyring.default)
        names = [each.aor for each in chosen if each]
        self.assertEqual(names, [AOR, "bob@example.com", "bob@example.com", AOR])
        self.assertRaises(LocalError, self.keyring.set_default, "bob@example.com")

    def test_removed(self) -> None:
        """It is gone at once and for ever, the watchers are told, and nothing can be signed for it any more."""
        identity = self.keyring.create(AOR)
        self.keyring.remove(AOR)
        self.assertEqual((self.keyring.identities(), self.told), ((), [AOR, AOR]))
        self.assertEqual(self.opened(self.state).identities(), ())
        self.assertRaises(LocalError, self.keyring.record_for, identity, (), NOW)
        self.assertRaises(LocalError, self.keyring.remove, AOR)

    def test_status(self) -> None:
        """It is in the records, also those of the next run, and the watchers are told; none takes no room."""
        self.keyring.create(AOR)
        self.keyring.set_status(AOR, "In a meeting")
        self.assertEqual(self.told, [AOR, AOR])
        again = self.opened(self.state)
        record = verify_record(again.record_for(again.identities()[0], (), NOW, [("a", "b")]), NOW)
        self.assertEqual(dict(record.parameters), {"a": "b", "status": "In a meeting"})
        again.set_status(AOR, "")
        self.assertEqual(verify_record(again.record_for(again.identities()[0], (), NOW), NOW).parameters, ())
        for bad in ("x" * 129, "two\nlines", "\x1b[2J"):
            self.assertRaises(LocalError, again.set_status, AOR, bad)

    def test_exported(self) -> None:
        """When a backup was made is known in the next run, and forgotten when the key is another."""
        self.keyring.create(AOR)
        self.keyring.mark_exported(AOR)
        self.assertEqual(self.again().about.exported, NOW)
        self.keyring.rotate(AOR)
        self.assertEqual(self.again().about.exported, 0)


class CertificateTests(LifecycleTestCase):
    """What a CA says of us."""

    def setUp(self) -> None:
        super().setUp()
        self.identity = self.keyring.create(AOR)
        self.family = Authority()

    def refusal(self, chain: tuple[bytes, ...], revocations: bytes = b"") -> str:
        """Return why certificates are not installed; nothing has changed."""
        before = self.identity.statement
        error = self.assertRaises(BadCertificate, self.keyring.install_chain, AOR, chain, revocations)
        self.assertEqual((self.identity.statement, len(self.again().chain)), (before, 1))
        return str(error)

    def test_request(self) -> None:
        """It is signed by the identity key, for the name."""
        request = x509.load_der_x509_csr(self.keyring.request(AOR))
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.UniformResourceIdentifier), [f"sip:{AOR}"])
        self.assertTrue(request.is_signature_valid)
        key = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(key, self.identity.key)

    def test_installed(self) -> None:
        """The statement names the chain by its hash and the root by its key, now and in the next run."""
        between = Authority("between", self.family)
        for chain in (self.family.issue(AOR, self.identity.key), between.issue(AOR, self.identity.key)):
            self.clock.advance(1)
            before = self.identity.stated().version
            crl = (self.family if len(chain) == 2 else between).revocations()
            self.keyring.install_chain(AOR, chain, crl)
            again = self.again()
            self.assertEqual((again.chain, again.revocations, again.certificate), (chain, crl, chain[0]))
            statement = verify_statement(again.statement, self.clock.seconds())
            self.assertEqual(statement.raw, self.identity.statement)
            self.assertGreater(statement.version, before)
            root = spki(self.family.key)
            self.assertEqual(statement.authority, hashlib.sha256(root).digest()[:8])

    def test_renewed_statement(self) -> None:
        """The statement that follows by itself still says whose certificate it is."""
        self.keyring.install_chain(AOR, self.family.issue(AOR, self.identity.key))
        authority = read_statement(self.identity.statement).authority
        self.clock.advance(STATEMENT_LIFETIME - 1)
        self.assertEqual(read_statement(self.again().statement).authority, authority)

    def test_refused(self) -> None:
        """What is not for this name and key, not signed all the way up, not in date, or revoked is not installed."""
        key, good = self.identity.key, self.family.issue(AOR, self.identity.key)
        stranger = Authority("stranger")
        self.assertIn("for bob@", self.refusal(self.family.issue("bob@example.com", key)))
        self.assertIn("another key", self.refusal(self.family.issue(AOR, spki(stranger.key))))
        self.assertIn("expired", self.refusal(self.family.issue(AOR, key, begins=-91)))
        self.assertIn("does not hold before", self.refusal(self.family.issue(AOR, key, begins=1)))
        self.assertIn("not signed by", self.refusal((good[0], *stranger.chain)))
        self.assertIn("2 to 4", self.refusal(good[:1]))
        self.assertIn("2 to 4", self.refusal(good[:1] * 5))
        self.assertIn("revoked", self.refusal(good, self.family.revocations(good)))
        self.assertIn("not signed", self.refusal(good, stranger.revocations()))
        self.assertIn("cannot be read", self.refusal(good, b"garbage"))
        self.assertIn("cannot be read", self.refusal((b"garbage", good[1])))


class RotationTests(LifecycleTestCase):
    """A new key in place of an old one."""

    def test_rotated(self) -> None:
        """The new key signs a statement in which the old one signs the new, and is all that is left on the disk."""
        identity = self.keyring.create(AOR)
        self.keyring.add_device(AOR, other_devices(1)[0])
        old, before = identity.key, identity.stated().version
        pem = (identity.folder / "key.pem").read_bytes()
        self.keyring.rotate(AOR)
        statement = verify_statement(identity.statement, NOW)
        self.assertEqual((statement.key, predecessors(statement)), (identity.key, (old,)))
        self.assertNotEqual(identity.key, old)
        self.assertGreater(statement.version, before)
        self.assertEqual(len(statement.devices), 2)
        self.assertEqual((self.again().key, self.again().statement), (identity.key, statement.raw))
        files = [path.read_bytes() for path in self.state.rglob("*") if path.is_file()]
        self.assertFalse(any(pem in octets for octets in files))

    def test_three_times(self) -> None:
        """Who knows a key from three changes ago still finds the way; the one before is forgotten."""
        identity = self.keyring.create(AOR)
        keys = [identity.key]
        for _ in range(4):
            keys.append(self.keyring.rotate(AOR).key)
        self.assertEqual(predecessors(read_statement(identity.statement)), tuple(keys[3:0:-1]))

    def test_own_proof(self) -> None:
        """A name that is made of its key cannot have another one."""
        made = self.keyring.create_self_certifying()
        self.assertRaises(LocalError, self.keyring.rotate, made.aor)


class DevicesTests(LifecycleTestCase):
    """Several devices of one person."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.keyring.create(AOR)

    def listed(self, keyring: Keyring) -> set[ListedDevice]:
        """Return the devices that the identity has according to one of them."""
        identity = keyring.identity(AOR)
        assert identity is not None
        return set(read_statement(identity.statement).devices)

    def test_linked(self) -> None:
        """A linked device can sign records but no statements, and has no key to hand on; so in the next run."""
        other = self.linked()
        identity = other.identity(AOR)
        assert identity is not None
        self.assertEqual((identity.owner, identity.key, identity.aor), (False, self.alice.key, AOR))
        other.record_for(identity, (), NOW)
        for work in (
            lambda: identity.sign(b"data"),
            lambda: other.add_device(AOR, other_devices(1)[0]),
            lambda: other.revoke_device(AOR, self.keyring.device.listed.host_identity_hash),
            lambda: other.rotate(AOR),
            lambda: other.private_key(AOR),
            lambda: other.request(AOR),
            lambda: other.bundle(AOR, with_key=True),
        ):
            self.assertRaises(LocalError, work)

    def test_linked_statement_expires(self) -> None:
        """A linked device uses the statement while it holds, and says then that another device has to sign."""
        identity = self.linked().identity(AOR)
        assert identity is not None
        first = identity.statement
        self.clock.advance(STATEMENT_LIFETIME - 1)
        self.assertEqual(identity.statement, first)
        self.clock.advance(1)
        self.assertIn("another device", str(self.assertRaises(LocalError, identity.stated)))

    def test_adding(self) -> None:
        """Adding one twice changes nothing; a revoked one and too many are refused."""
        one, *more = other_devices(MOST_DEVICES)
        self.keyring.add_device(AOR, one)
        before = self.alice.statement
        self.keyring.add_device(AOR, one)
        self.assertEqual(self.alice.statement, before)
        self.keyring.revoke_device(AOR, one.host_identity_hash)
        self.assertRaises(LocalError, self.keyring.add_device, AOR, one)
        for each in more:
            self.keyring.add_device(AOR, each)
        self.assertRaises(LocalError, self.keyring.add_device, AOR, Device.new().listed)

    def test_full(self) -> None:
        """With as many of everything as there may be the statement still is short enough."""
        aor = "a" * 240 + "@example.com"
        self.keyring.create(aor)
        for number in range(40):
            device = ListedDevice(bytes([number]) * 32, bytes(32))
            self.keyring.add_device(aor, device)
            self.keyring.revoke_device(aor, device.host_identity_hash)
        for device in other_devices(MOST_DEVICES - 1):
            fresh = ListedDevice(bytes([0xC0 | device.host_identity_hash[0]]) * 32, bytes(32))
            self.keyring.add_device(aor, fresh)
        for _ in range(4):
            self.keyring.rotate(aor)
        statement = read_statement(self.again(aor).statement)
        self.assertEqual(len(statement.devices), MOST_DEVICES)
        self.assertEqual(statement.revoked[0], bytes([39]) * 32)

    def test_revoked_long_ago(self) -> None:
        """One that was revoked before all that a statement names is not listed again: not here, in the next run, or by merging."""
        lost = other_devices(1)[0]
        self.keyring.add_device(AOR, lost)
        other = self.linked(owner=True)
        self.keyring.revoke_device(AOR, lost.host_identity_hash)
        for number in range(MOST_REVOKED_STATED):
            self.keyring.revoke_device(AOR, bytes([100 + number]) * 32)
        self.assertNotIn(lost.host_identity_hash, read_statement(self.alice.statement).revoked)
        for keyring in (self.keyring, self.opened(self.state)):
            self.assertIn("for ever", str(self.assertRaises(LocalError, keyring.add_device, AOR, lost)))
        self.clock.advance(60)
        other.add_device(AOR, other_devices(2)[1])  # has not heard of it, and signs the newest statement
        self.pass_on(other, self.keyring)
        self.assertNotIn(lost, self.listed(self.keyring))
        self.pass_on(self.keyring, other)
        self.assertNotIn(lost, self.listed(other))

    def test_revoked(self) -> None:
        """A revoked device that hears of it stops using the identity, tells the journal, and goes on so in the next run."""
        state = Path(self.mktemp())
        other = self.opened(state)
        self.keyring.add_device(AOR, other.device.listed)
        bundle = self.keyring.bundle(AOR, with_key=True)
        other.adopt_identity(AOR, bundle.raw, bundle.chain, b"", bundle.private_key, other.device)
        self.keyring.revoke_device(AOR, other.device.listed.host_identity_hash)
        self.assertTrue(self.pass_on(self.keyring, other))
        self.assertIn(RevokedHere(AOR), self.facts)
        for keyring in (other, self.opened(state)):
            self.assertIsNone(keyring.identity(AOR))
            self.assertEqual([each.aor for each in keyring.revoked_here()], [AOR])
            self.assertRaises(LocalError, keyring.create, AOR)
            self.assertRaises(LocalError, keyring.rotate, AOR)
        other.remove(AOR)
        self.assertEqual(other.revoked_here(), ())

    def test_itself(self) -> None:
        """A device does not revoke itself: nobody would be left to say so."""
        own = self.keyring.device.listed.host_identity_hash
        self.assertRaises(LocalError, self.keyring.revoke_device, AOR, own)

    def test_adopted(self) -> None:
        """A linked device takes a newer statement, once, and never an older one."""
        other = self.linked()
        old = self.alice.statement
        self.keyring.add_device(AOR, other_devices(1)[0])
        self.assertEqual([self.pass_on(self.keyring, other) for _ in range(2)], [True, False])
        self.assertFalse(other.adopt_statement(AOR, old))
        self.assertEqual(self.listed(other), self.listed(self.keyring))
        self.assertEqual([type(fact) for fact in self.facts].count(StatementAdopted), 1)

    def test_forged(self) -> None:
        """A statement of another key, another name, or one that has expired changes nothing."""
        other = self.linked()
        impostor = self.opened()
        forged = impostor.create(AOR).statement
        bob = impostor.create("bob@example.com").statement
        before = self.listed(other)
        for raw in (forged, bob, b"garbage", b""):
            self.assertRaises(BadPapers, other.adopt_statement, AOR, raw)
        late = self.alice.statement
        self.clock.advance(STATEMENT_LIFETIME + 3600)
        self.assertRaises(BadPapers, other.adopt_statement, AOR, late)
        self.clock.rightNow = NOW
        self.assertEqual(self.listed(other), before)

    def test_two_owners(self) -> None:
        """Two devices with the key that each changed something find together: all added, all revoked, nothing endless."""
        lost = other_devices(1)[0]
        self.keyring.add_device(AOR, lost)
        other = self.linked(owner=True)
        self.pass_on(other, self.keyring)
        mine, theirs = Device.new().listed, Device.new().listed
        self.keyring.add_device(AOR, mine)
        other.add_device(AOR, theirs)
        other.revoke_device(AOR, lost.host_identity_hash)
        turns = 0
        while self.pass_on(self.keyring, other) | self.pass_on(other, self.keyring):
            turns += 1
            self.assertLess(turns, 4)
        everybody = {self.keyring.device.listed, other.device.listed, mine, theirs}
        self.assertEqual((self.listed(self.keyring), self.listed(other)), (everybody, everybody))

    def test_rotated_elsewhere(self) -> None:
        """A device follows a key that its own gave way to, without getting it, and never one that it did not."""
        other = self.linked(owner=True)
        self.pass_on(other, self.keyring)
        stale = self.alice.statement
        self.keyring.rotate(AOR)
        self.assertTrue(self.pass_on(self.keyring, other))
        identity = other.identity(AOR)
        assert identity is not None
        self.assertEqual((identity.key, identity.owner), (self.alice.key, False))
        self.assertRaises(BadPapers, other.adopt_statement, AOR, stale)


class RestoreTests(LifecycleTestCase):
    """A backup that is the only thing left."""

    def test_restored(self) -> None:
        """On a new machine the same person goes on, above all versions that anybody has seen, with the lost device listed."""
        alice = self.keyring.create(AOR)
        self.keyring.install_chain(AOR, Authority().issue(AOR, alice.key))
        backup = write_backup(self.keyring.bundle(AOR, with_key=True, extra=b"contacts"), b"p", NOW)
        self.clock.advance(40 * 24 * 3600)
        seen = alice.stated().version
        self.clock.advance(1)
        new = self.opened()
        bundle = read_backup(backup, b"p")
        self.assertEqual(bundle.extra, b"contacts")
        restored = new.restore(bundle)
        statement = verify_statement(restored.statement, self.clock.seconds())
        self.assertEqual((restored.key, restored.chain, restored.owner), (alice.key, alice.chain, True))
        self.assertGreater(statement.version, seen)
        self.assertEqual(set(statement.devices), {self.keyring.device.listed, new.device.listed})
        new.revoke_device(AOR, self.keyring.device.listed.host_identity_hash)
        self.assertTrue(self.pass_on(new, self.keyring))
        self.assertIsNone(self.keyring.identity(AOR))

    def test_not_over_another(self) -> None:
        """An identity that is there is replaced only if that is wished."""
        bundle = self.opened_elsewhere()
        mine = self.keyring.create(AOR).key
        self.assertRaises(LocalError, self.keyring.restore, bundle)
        self.assertEqual(self.again().key, mine)
        self.keyring.restore(bundle, replace=True)
        self.assertEqual(self.again().key, bundle.statement.key)

    def test_without_key(self) -> None:
        """What comes without the key has to list this device."""
        elsewhere = self.opened()
        elsewhere.create(AOR)
        bundle = elsewhere.bundle(AOR, with_key=False)
        self.assertRaises(
            BadPapers,
            self.keyring.adopt_identity,
            AOR,
            bundle.raw,
            bundle.chain,
            b"",
            None,
            self.keyring.device,
        )
        self.assertEqual(self.keyring.identities(), ())

    def test_mixed_up(self) -> None:
        """A key of one person with the statement of another, or under another name, is not taken."""
        bundle = self.opened_elsewhere()
        other = self.opened()
        other.create(AOR)
        key = other.private_key(AOR)
        take, device = self.keyring.adopt_identity, self.keyring.device
        self.assertRaises(BadPapers, take, AOR, bundle.raw, bundle.chain, b"", key, device)
        self.assertRaises(BadPapers, take, "bob@example.com", bundle.raw, bundle.chain, b"", None, device)
        self.assertRaises(BadPapers, take, AOR, bundle.raw, (b"garbage",), b"", key, device)
        self.assertEqual(self.keyring.identities(), ())

    def opened_elsewhere(self) -> Any:
        """Return the bundle of an identity of the same name that was made on another machine."""
        elsewhere = self.opened()
        elsewhere.create(AOR)
        return elsewhere.bundle(AOR, with_key=True)


class PassphraseTests(LifecycleTestCase):
    """Keys under a passphrase."""

    def keys(self) -> list[bytes]:
        """Return the contents of all key files."""
        return [path.read_bytes() for path in self.state.rglob("*.pem")]

    def test_sealed(self) -> None:
        """Once there is a passphrase no private key is on the disk as it is, also of identities made later."""
        vault = Vault.open(self.state)
        database = Database(":memory:", SCHEMAS)
        keyring = Keyring(self.state, database, Journal(), self.clock, vault)
        keyring.create(AOR)
        lock(vault, b"p")
        keyring.create("bob@example.com")
        keyring.rotate(AOR)
        self.assertEqual(len(self.keys()), 5)
        self.assertFalse(any(b"PRIVATE KEY" in key for key in self.keys()))
        again = self.opened(self.state, lambda: b"p")
        self.assertEqual(again.device.key, keyring.device.key)
        self.assertEqual([one.key for one in again.identities()], [one.key for one in keyring.identities()])
        self.assertRaises(ConfigError, self.opened, self.state, lambda: b"q")
        self.assertRaises(ConfigError, self.opened, self.state)
        vault.remove_passphrase()
        self.assertTrue(all(b"PRIVATE KEY" in key for key in self.keys()))
        self.assertEqual(self.opened(self.state).identities()[0].key, keyring.identities()[0].key)

    def test_half_done(self) -> None:
        """Where the change of the files was cut off, all can be read, and the next start finishes it."""
        self.keyring.create(AOR)
        lock(Vault.open(self.state), b"p")
        self.assertTrue(all(b"PRIVATE KEY" in key for key in self.keys()))
        again = self.opened(self.state, lambda: b"p")
        self.assertEqual(again.identities()[0].key, self.keyring.identities()[0].key)
        self.assertFalse(any(b"PRIVATE KEY" in key for key in self.keys()))


class CrashTests(LifecycleTestCase):
    """Every change, cut off at every step that writes to the disk."""

    def test_cut_off(self) -> None:
        """The next run opens, with what was before or what was to be; what was said to be done is done."""
        identity = self.keyring.create(AOR)
        family = Authority()
        works: list[Callable[[Keyring, int], object]] = [
            lambda keyring, step: keyring.rotate(AOR),
            lambda keyring, step: keyring.install_chain(AOR, family.issue(AOR, keyring.identities()[0].key)),
            lambda keyring, step: keyring.add_device(AOR, Device.new().listed),
            lambda keyring, step: keyring.revoke_device(AOR, bytes([step]) * 32),
            lambda keyring, step: keyring.set_status(AOR, f"step {step}"),
            lambda keyring, step: keyring.create(f"a{step}@example.com"),
        ]
        known = identity.key
        for work in works:
            for step in range(1, 40):
                keyring = self.opened(self.state)
                done = self.cut_off(lambda work=work, keyring=keyring, step=step: work(keyring, step), step)  # type: ignore[misc]
                after = self.again()
                statement = verify_statement(after.statement, self.clock.seconds())
                self.assertIn(known, (after.key, *predecessors(statement)))
                known = after.key
                self.assertEqual(after.chain != (), True)
                if done:
                    break
            else:
                self.fail("it never ended")

    def test_separating_cut_off(self) -> None:
        """An identity is used on the device of before or on one of its own, and lists the one and not the other."""
        done, step = False, 0
        while not done:
            step += 1
            self.keyring.create(f"a{step}@example.com")
            keyring = self.opened(self.state)
            done = self.cut_off(partial(keyring.separate, f"a{step}@example.com"), step)
            after = self.again(f"a{step}@example.com")
            self.assertEqual(read_statement(after.statement).devices, (after.device.listed,))
            self.assertTrue(after.separate or not done)
        self.assertGreater(step, 15)

    def test_killed(self) -> None:
        """A process that is killed at any moment of one change after the other leaves what opens, and goes on from there."""
        known = self.keyring.create(AOR).key
        moments = Random(SEED)
        for _ in range(scaled(60, 200)):
            self.killed_after(moments.uniform(0, 0.03))
            identity = self.again()
            statement = verify_statement(identity.statement, self.clock.seconds())
            self.assertEqual((identity.owner, len(identity.chain)), (True, 1))
            self.assertTrue(identity.key == known or statement.succession)
            self.assertIn(identity.device.listed, statement.devices)
            self.assertEqual(self.keyring.device.listed in statement.devices, not identity.separate)
            known = identity.key

    def killed_after(self, seconds: float) -> None:
        """Let another process change the identity again and again, and kill it after so long."""
        process = os.fork()
        if not process:
            self.change_for_ever()
        sleep(seconds)  # the moment is what is tried
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)

    def change_for_ever(self) -> NoReturn:
        """Change the identity until the process is killed; never comes back into the tests."""
        try:
            be_silent()
            keyring = self.opened(self.state)
            while True:
                device = Device.new().listed
                keyring.rotate(AOR)
                keyring.add_device(AOR, device)
                keyring.revoke_device(AOR, device.host_identity_hash)
                keyring.set_status(AOR, "here")
                keyring.separate(AOR)
        finally:
            os._exit(1)

    def cut_off(self, work: Callable[[], object], step: int) -> bool:
        """Do some work of a process that ends at its ``step``-th call that writes; True if it was done before."""

        class End(BaseException):
            """The process ends here."""

        left = [step]

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapper(*arguments: Any, **options: Any) -> Any:
                left[0] -= 1
                if not left[0]:
                    raise End
                return call(*arguments, **options)

            return wrapper

        names = ("mkdir", "fsync", "rename", "replace", "rmdir", "unlink")
        patches = [self.patch(os, name, counted(getattr(os, name))) for name in names]
        try:
            work()
        except End:
            return False
        finally:
            for patch in patches:
                patch.restore()
        return True
