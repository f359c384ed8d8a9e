"""Tests of identities that have a device of their own."""

from __future__ import annotations

import os
from pathlib import Path

from zope.interface.verify import verifyObject

from p2pship.errors import BadPapers, ConfigError, LocalError
from p2pship.identity.changes import MOST_BACK, MOST_REVOKED_STATED
from p2pship.identity.device import KEY_FILES, Device
from p2pship.identity.facts import IdentitySeparated
from p2pship.identity.holdings import DEVICE_FOLDER
from p2pship.identity.identity import Identity
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.papers import ListedDevice, Papers
from p2pship.identity.statement import read_statement
from p2pship.identity.validity import STATEMENT_LIFETIME
from p2pship.identity.verify import papers_from
from p2pship.interfaces import IDevice
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from tests.identity.example import AOR, other_devices
from tests.identity.test_lifecycle import LifecycleTestCase
from tests.storage.passphrases import lock

HOME = "me@home.example"


class SeparateTestCase(LifecycleTestCase):
    """A keyring, and what is looked at in it."""

    def held(self, keyring: Keyring, aor: str = AOR) -> Identity:
        """Return an identity of a keyring."""
        identity = keyring.identity(aor)
        assert identity is not None
        return identity

    def listed(self, keyring: Keyring, aor: str = AOR) -> tuple[ListedDevice, ...]:
        """Return the devices that an identity states."""
        return read_statement(self.held(keyring, aor).statement).devices

    def octets(self, keyring: Keyring, aor: str) -> bytes:
        """Return all that others get to see of an identity: statement, record and certificates."""
        identity = self.held(keyring, aor)
        record = keyring.record_for(identity, (), self.clock.seconds())
        return b"".join((identity.statement, record, *identity.chain, identity.revocations))


class MadeTests(SeparateTestCase):
    """Identities that are made with one, and live with it."""

    def test_nothing_shared(self) -> None:
        """Of two identities on one node, each with a device of its own, nothing shows that they are on one node."""
        for aor in (AOR, HOME):
            verifyObject(IDevice, self.keyring.create(aor, separate=True).device)
        devices = self.keyring.devices()
        self.assertEqual(len(devices), 3)
        self.assertIs(devices[0], self.keyring.device)
        keys = {AOR: self._names(AOR), HOME: self._names(HOME), "": self._of(self.keyring.device)}
        for aor in (AOR, HOME):
            shown = self.octets(self.keyring, aor)
            others = [key for owner, theirs in keys.items() if owner != aor for key in theirs]
            self.assertEqual([key for key in others if key in shown], [], aor)
            papers = papers_from(*self._papers(aor), self.clock.seconds(), aor)
            self.assertEqual(papers.hit, self.held(self.keyring, aor).device.hit)

    def _papers(self, aor: str) -> tuple[bytes, bytes]:
        identity = self.held(self.keyring, aor)
        return identity.statement, self.keyring.record_for(identity, (), self.clock.seconds())

    def _names(self, aor: str) -> list[bytes]:
        return self._of(self.held(self.keyring, aor).device)

    def _of(self, device: Device) -> list[bytes]:
        """Return what a device is known by: a compressed point is a part of the whole key."""
        point, listed = device.key[-65:], device.listed
        return [
            device.hit,
            point[1:33],
            listed.host_identity_hash,
            listed.publication_key,
            device.sealing_key,
        ]

    def test_by_default(self) -> None:
        """Unless somebody says so, all use that of the node; with the option set, none does."""
        self.assertIs(self.keyring.create(AOR).device, self.keyring.device)
        self.keyring.separate_device = True
        proven = self.keyring.create_self_certifying()
        self.assertEqual((proven.separate, self.held(self.keyring).separate), (True, False))
        self.assertFalse(self.keyring.create(HOME, separate=False).separate)
        self.assertEqual(self.keyring.devices(), (self.keyring.device, proven.device))

    def test_found_by_hit(self) -> None:
        """A device is found by its HIT for as long as its identity is used here; the watchers find it so."""
        seen: list[tuple[str, bool]] = []
        hits: list[bytes] = []
        self.keyring.watch(lambda aor: seen.append((aor, self.keyring.device_of(hits[-1]) is not None)))
        hits.append(self.keyring.device.hit)
        device = self.keyring.create(AOR, separate=True).device
        self.assertIs(self.keyring.device_of(device.hit), device)
        self.assertIs(self.keyring.device_of(hits[0]), self.keyring.device)
        self.assertIsNone(self.keyring.device_of(bytes(16)))
        hits.append(device.hit)
        self.keyring.remove(AOR)
        self.assertEqual(seen, [(AOR, True), (AOR, False)])

    def test_next_run(self) -> None:
        """The next run has the same device, whatever changed meanwhile; in this one it stays one object."""
        self.keyring.create(HOME)
        device = self.keyring.create(AOR, separate=True).device
        self.keyring.add_device(AOR, other_devices(1)[0])
        self.keyring.set_status(AOR, "on holiday")
        self.keyring.rotate(AOR)
        self.assertEqual(read_statement(self.held(self.keyring).statement).revoked, ())
        self.clock.advance(STATEMENT_LIFETIME * 2 // 3)
        self.assertIs(self.held(self.keyring).device, device)
        self.assertIn(device.listed, self.listed(self.keyring))
        self.assertEqual((self.again().device.listed, self.again().separate), (device.listed, True))
        self.assertFalse(self.again(HOME).separate)

    def test_signed_anew_together(self) -> None:
        """After weeks without the node all statements are signed anew in one second, and do not show that."""
        apart = [self.keyring.create(f"{number}@example.com", separate=True) for number in range(4)]
        together = self.keyring.create(AOR)
        self.clock.advance(STATEMENT_LIFETIME)
        now = int(self.clock.seconds())
        dates = [one.stated() for one in apart]
        self.assertGreater(len({one.issued for one in dates}), 1)
        self.assertTrue(
            all(now - MOST_BACK < one.issued <= now and one.version == one.issued for one in dates)
        )
        self.assertEqual(together.stated().issued, now)

    def test_removed(self) -> None:
        """With the identity its device goes from the disk; that of another one stays."""
        folder = self.keyring.create(AOR, separate=True).folder
        other = self.keyring.create(HOME, separate=True)
        self.assertEqual(sorted(os.listdir(folder / DEVICE_FOLDER)), sorted(KEY_FILES))
        self.keyring.remove(AOR)
        self.assertFalse(folder.exists())
        self.assertEqual(self.keyring.devices(), (self.keyring.device, other.device))
        anew = self.keyring.create(AOR, separate=True).device
        self.assertNotIn(anew.hit, (self.keyring.device.hit, other.device.hit))

    def test_damaged(self) -> None:
        """A device that cannot be read is an error that names the file, never the node's device in its place."""
        folder = self.keyring.create(AOR, separate=True).folder / DEVICE_FOLDER
        for name in KEY_FILES:
            whole = (folder / name).read_bytes()
            (folder / name).unlink()
            error = self.assertRaises(ConfigError, self.opened, self.state)
            self.assertIn(str(folder / name), str(error))
            (folder / name).write_bytes(whole)
            os.chmod(folder / name, 0o644)
            self.assertRaises(ConfigError, self.opened, self.state)
            os.chmod(folder / name, 0o600)
        self.again()

    def test_moved_away(self) -> None:
        """Who does with the folder what the errors advise gets a new device, and is not put on the node's."""
        identity = self.keyring.create(AOR, separate=True)
        self.keyring.set_status(AOR, "on holiday")
        folder = identity.folder / DEVICE_FOLDER
        folder.rename(self.state / "away")
        anew = self.again()
        self.assertTrue(anew.separate)
        self.assertNotIn(anew.device.hit, (self.keyring.device.hit, identity.device.hit))
        self.assertEqual(
            (anew.device.hit, sorted(os.listdir(folder))), (self.again().device.hit, sorted(KEY_FILES))
        )

    def test_private(self) -> None:
        """Nobody else can read the keys, or list them."""
        folder = self.keyring.create(AOR, separate=True).folder / DEVICE_FOLDER
        modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
        self.assertEqual((modes, folder.stat().st_mode & 0o777), ({0o600}, 0o700))

    def test_passphrase(self) -> None:
        """A passphrase seals the keys of every device, one that is made meanwhile as well; without it they are plain again."""
        state = Path(self.mktemp())
        vault = Vault.open(state)
        keyring = self._with(vault, state)
        before = keyring.create(AOR, separate=True)
        lock(vault, b"p")
        meanwhile = keyring.create(HOME, separate=True)
        self.assertEqual(self._plain(before, meanwhile), [False] * 6)
        reopened = self.opened(state, lambda: b"p")
        for each in (before, meanwhile):
            self.assertEqual(self.held(reopened, each.aor).device.listed, each.device.listed)
        vault.remove_passphrase()
        self.assertEqual(self._plain(before, meanwhile), [True] * 6)
        self.assertEqual(self.held(self.opened(state)).device.listed, before.device.listed)

    def _with(self, vault: Vault, state: Path) -> Keyring:
        database = Database(state / "database", SCHEMAS)
        self.addCleanup(database.close)
        return Keyring(state, database, Journal(), self.clock, vault)

    def _plain(self, *identities: Identity) -> list[bool]:
        """Tell of each key of the identities' devices whether it is there in the clear."""
        files = [one.folder / DEVICE_FOLDER / name for one in identities for name in KEY_FILES]
        return [b"PRIVATE KEY" in path.read_bytes() for path in files]


class SeparatedTests(SeparateTestCase):
    """Identities that get one later."""

    def setUp(self) -> None:
        super().setUp()
        self.before = self.keyring.device.listed
        self.keyring.create(AOR)
        self.keyring.create(HOME)
        self.told.clear()

    def test_separated(self) -> None:
        """It lists the new device and no longer the node's, whose digest stands nowhere in the statement; others keep that."""
        self.assertTrue(self.keyring.separate(AOR))
        own = self.held(self.keyring).device
        self.assertEqual((self.told, self.facts[-1]), ([AOR], IdentitySeparated(AOR, own.hit)))
        self.assertEqual(self.listed(self.keyring), (own.listed,))
        self.assertEqual(self.listed(self.keyring, HOME), (self.before,))
        for part in (self.before.host_identity_hash, self.before.publication_key):
            self.assertNotIn(part, self.held(self.keyring).statement)
        self.assertEqual(self.again().device.listed, own.listed)

    def test_once(self) -> None:
        """Doing so again does nothing, and says so."""
        self.keyring.separate(AOR)
        statement = self.held(self.keyring).statement
        self.assertFalse(self.keyring.separate(AOR))
        self.assertEqual((self.held(self.keyring).statement, self.told), (statement, [AOR]))

    def test_old_device_refused(self) -> None:
        """Who has seen the new statement believes the old device no more, even if it shows the old papers again."""
        friend = self.opened()
        old = self._papers(self.keyring)
        friend.accept(old, self.clock.seconds(), True)
        self.clock.advance(5)
        self.keyring.separate(AOR)
        friend.accept(self._papers(self.keyring), self.clock.seconds(), True)
        self.assertRaises(BadPapers, friend.check, old)
        self.assertFalse(friend.lists(old.statement.key, self.keyring.device.key))

    def _papers(self, keyring: Keyring) -> Papers:
        identity, now = self.held(keyring), self.clock.seconds()
        return papers_from(identity.statement, keyring.record_for(identity, (), now), now)

    def test_not_listed_again(self) -> None:
        """Another owner device that had signed meanwhile does not bring the old device back, and both come to the same."""
        other = self.linked(owner=True)
        another = other_devices(1)[0]
        self.keyring.separate(AOR)
        self.clock.advance(5)
        other.add_device(AOR, another)
        turns = 0
        while self.pass_on(self.keyring, other) | self.pass_on(other, self.keyring):
            turns += 1
            self.assertLess(turns, 4)
        own = self.held(self.keyring).device.listed
        self.assertEqual(set(self.listed(other)), {own, other.device.listed, another})
        self.assertEqual(self.held(other).statement, self.held(self.keyring).statement)
        self.assertNotIn(self.before.host_identity_hash, self.held(other).statement)

    def test_not_linked_again(self) -> None:
        """Nor can it be linked again by itself: that is said in words that help."""
        other = self.linked(owner=True)
        self.keyring.separate(AOR)
        self.pass_on(self.keyring, other)
        error = self.assertRaises(LocalError, other.add_device, AOR, self.before)
        self.assertIn("--separate-device", str(error))

    def test_without_key(self) -> None:
        """A device without the identity key cannot; it adopts what one that has it did."""
        other = self.linked()
        self.assertRaises(LocalError, other.separate, AOR)
        self.keyring.separate(AOR)
        self.assertTrue(self.pass_on(self.keyring, other))
        self.assertEqual(self.listed(other), self.listed(self.keyring))
        self.assertNotIn(self.before, self.listed(other))

    def test_many_revoked(self) -> None:
        """What stands for the device that was left is forgotten as little as revoked devices are."""
        other = self.linked(owner=True)
        self.keyring.separate(AOR)
        self.pass_on(self.keyring, other)
        for _ in range(MOST_REVOKED_STATED + 2):
            self.keyring.revoke_device(AOR, os.urandom(32))
        other.add_device(AOR, other_devices(1)[0])
        self.pass_on(self.keyring, other)
        self.pass_on(other, self.keyring)
        for keyring in (self.keyring, other):
            self.assertNotIn(self.before, self.listed(keyring))

    def test_mark(self) -> None:
        """Only who has the identity key sees that one of the revoked is none."""
        other, guest = self.linked(owner=True), self.linked()
        self.keyring.revoke_device(AOR, other_devices(1)[0].host_identity_hash)
        self.keyring.separate(AOR)
        for keyring in (other, guest):
            self.pass_on(self.keyring, keyring)
        for keyring, marks in ((self.keyring, 1), (other, 1), (guest, 0)):
            identity = self.held(keyring)
            stated = read_statement(identity.statement).revoked
            self.assertEqual((len(stated), sum(map(identity.is_mark, stated))), (2, marks))

    def test_rotated(self) -> None:
        """A new identity key changes none of that: the device that was left stays so, and nobody else learns of it."""
        self.keyring.separate(AOR)
        own = self.held(self.keyring).device
        revoked = other_devices(1)[0].host_identity_hash
        self.keyring.revoke_device(AOR, revoked)
        for _ in range(2):
            self.keyring.rotate(AOR)
        identity = self.held(self.keyring)
        stated = read_statement(identity.statement).revoked
        self.assertEqual(([identity.is_mark(one) for one in stated], stated[1]), ([True, False], revoked))
        self.assertEqual(self.listed(self.keyring), (own.listed,))
        self.assertNotIn(self.before.host_identity_hash, self.held(self.keyring).statement)
        self.assertRaises(LocalError, self.keyring.add_device, AOR, self.before)
        bundle = self.keyring.bundle(AOR, with_key=True)
        self.keyring.remove(AOR)
        self.assertTrue(self.keyring.restore(bundle).separate)

    def test_disk_full(self) -> None:
        """What cannot be kept does not count: the old device stays."""
        patch = self.patch(os, "rename", _full)
        self.assertRaises(LocalError, self.keyring.separate, AOR)
        patch.restore()
        self.assertEqual((self.listed(self.keyring), self.told), ((self.before,), []))
        self.assertFalse(self.again().separate)


def _full(source: Path, target: Path) -> None:
    raise OSError(28, "No space left on device")
