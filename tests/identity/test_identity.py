"""Tests of one of our own identities."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.changes import begun
from p2pship.identity.device import Device
from p2pship.identity.holdings import (
    ABOUT_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    REVOCATIONS_FILE,
    STATEMENT_FILE,
)
from p2pship.identity.identity import RENEW_BELOW, Identity, folder_name
from p2pship.identity.keys import new_p256, verify
from p2pship.identity.statement import read_statement, sign_statement, verify_statement
from p2pship.identity.validity import STATEMENT_LIFETIME
from p2pship.interfaces import IIdentity
from p2pship.storage.vault import Vault
from tests.identity.example import AOR, DEVICE, NOW, other_devices
from tests.storage.passphrases import lock


class IdentityTests(TestCase):
    """Making, reading and stating."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.identities = Path(self.mktemp())
        self.vault = Vault.open(Path(self.mktemp()))
        self.changes: list[str] = []
        self.identity = self.made(AOR)
        self.folder = self.identities / folder_name(AOR)

    def made(self, aor: str) -> Identity:
        """Return a new identity."""
        holdings = begun(new_p256(), aor, DEVICE.listed, self.clock.seconds())
        return Identity.make(self.identities, holdings, DEVICE, self.clock, self.vault, self.changes.append)

    def reopened(self, device: Device = DEVICE) -> Identity:
        """Return the identity as the next run finds it."""
        return Identity(self.folder, device, self.clock, self.vault, self.changes.append)

    def test_interface(self) -> None:
        """It is an IIdentity whose statement, certificate and signatures are of one key."""
        verifyObject(IIdentity, self.identity)
        self.assertTrue(verify(self.identity.key, self.identity.sign(b"data"), b"data"))
        statement = verify_statement(self.identity.statement, NOW)
        self.assertEqual((statement.aor, statement.key), (AOR, self.identity.key))
        self.assertEqual(statement.certificate_hash, hashlib.sha256(self.identity.certificate).digest())
        self.assertEqual((statement.devices, statement.expires), ((DEVICE.listed,), NOW + STATEMENT_LIFETIME))

    def test_kept(self) -> None:
        """The next run finds the same key, certificate and statement."""
        again = self.reopened()
        self.assertEqual((again.aor, again.key), (AOR, self.identity.key))
        self.assertEqual(again.certificate, self.identity.certificate)
        self.assertEqual(again.statement, self.identity.statement)

    def test_private(self) -> None:
        """Its files are its owner's alone."""
        names = {KEY_FILE, CERTIFICATE_FILE, STATEMENT_FILE, ABOUT_FILE}
        self.assertEqual(set(os.listdir(self.folder)), names)
        self.assertEqual({(self.folder / name).stat().st_mode & 0o777 for name in names}, {0o600})

    def test_not_made_over(self) -> None:
        """A folder that is there is not replaced."""
        self.assertRaises(OSError, self.made, AOR)
        self.assertEqual(self.reopened().key, self.identity.key)

    def test_renewed(self) -> None:
        """The statement stays while half of its time is left, and then there is one of a higher version, on disk."""
        first = self.identity.stated()
        self.clock.advance(STATEMENT_LIFETIME - RENEW_BELOW)
        self.assertIs(self.identity.stated(), first)
        self.clock.advance(1)
        second = verify_statement(self.identity.statement, self.clock.seconds())
        self.assertGreater(second.version, first.version)
        self.assertEqual(second.expires, int(self.clock.seconds()) + STATEMENT_LIFETIME)
        self.assertEqual(self.reopened().statement, second.raw)

    def test_long_away(self) -> None:
        """A node that was off for a year has a statement that is valid now."""
        self.clock.advance(365 * 24 * 3600)
        verify_statement(self.reopened().statement, self.clock.seconds())

    def test_another_device(self) -> None:
        """A device that is not listed yet is added to those that are, with a higher version, at the same second."""
        other = Device.new()
        statement = read_statement(self.reopened(other).statement)
        self.assertEqual(statement.devices, (DEVICE.listed, other.listed))
        self.assertEqual(statement.version, self.identity.stated().version + 1)

    def test_clock_was_wrong(self) -> None:
        """A statement signed in the future is replaced by one of today, of a higher version still."""
        self.clock.advance(10 * 365 * 24 * 3600)
        ahead = self.reopened().stated()
        self.clock.rightNow = NOW
        today = verify_statement(self.reopened().statement, NOW)
        self.assertEqual(today.version, ahead.version + 1)

    def test_what_was_stated_stays(self) -> None:
        """Other devices, revoked ones and mail holders come along into the next statement."""
        last = read_statement(self.identity.statement)
        raw = sign_statement(
            self.identity.sign,
            aor=AOR,
            key=self.identity.key,
            version=last.version + 7,
            issued=last.issued,
            expires=last.expires,
            devices=other_devices(2),
            certificate_hash=last.certificate_hash,
            revoked=[b"r" * 32],
            mail_holders=["bob@example.com"],
        )
        (self.folder / STATEMENT_FILE).write_bytes(raw)
        statement = read_statement(self.reopened().statement)
        self.assertEqual(statement.version, last.version + 8)
        self.assertEqual(statement.devices, (*other_devices(2), DEVICE.listed))
        self.assertEqual((statement.revoked, statement.mail_holders), ((b"r" * 32,), ("bob@example.com",)))

    def test_disk_full(self) -> None:
        """While the old statement holds, one that cannot be kept is not used; when it no longer does, that is said."""
        first = self.identity.stated()
        shutil.rmtree(self.folder)
        self.clock.advance(STATEMENT_LIFETIME - 1)
        self.assertIs(self.identity.stated(), first)
        self.clock.advance(1)
        error = self.assertRaises(LocalError, self.identity.stated)
        self.assertIn(str(self.folder), str(error))

    def test_certificate_gone(self) -> None:
        """The certificate is read when it is wanted; without it the statement is signed anew, and says what it did."""
        first = read_statement(self.identity.statement)
        (self.folder / CERTIFICATE_FILE).unlink()
        self.assertIn(CERTIFICATE_FILE, str(self.assertRaises(LocalError, lambda: self.identity.certificate)))
        self.assertRaises(
            LocalError, self.identity.holdings
        )  # so that no change can be made, and calls go on
        self.clock.advance(STATEMENT_LIFETIME - 1)
        again = verify_statement(self.identity.statement, self.clock.seconds())
        self.assertEqual(again.certificate_hash, first.certificate_hash)

    def test_revocations_gone(self) -> None:
        """The revocation list is read when it is wanted: none may be there, and one that cannot be read is told."""
        self.assertEqual(self.identity.revocations, b"")
        (self.folder / REVOCATIONS_FILE).mkdir()
        error = self.assertRaises(LocalError, lambda: self.identity.revocations)
        self.assertIn(REVOCATIONS_FILE, str(error))

    def test_first_version(self) -> None:
        """A folder of the first version, which noted nothing, is read; the identity is as old as its certificate."""
        (self.folder / ABOUT_FILE).unlink()
        again = self.reopened()
        self.assertEqual((again.created, again.about.exported, again.owner), (NOW, 0, True))

    def test_readable_by_others(self) -> None:
        """A key that others may read is not used, and what to do is said."""
        path = self.folder / KEY_FILE
        for mode in (0o640, 0o604, 0o620, 0o660):
            path.chmod(mode)
            self.assertIn(f"chmod 600 {path}", str(self.assertRaises(ConfigError, self.reopened)))
        path.chmod(0o600)
        self.assertEqual(self.reopened().key, self.identity.key)

    def test_sealed(self) -> None:
        """With a passphrase the key is sealed on the disk, without it is not; both are read in either case."""
        for change in (lambda: lock(self.vault, b"p"), self.vault.remove_passphrase):
            change()
            self.assertEqual(self.reopened().key, self.identity.key)
            self.identity.protect()
            self.assertEqual(self.reopened().key, self.identity.key)
            self.assertEqual(b"PRIVATE KEY" in (self.folder / KEY_FILE).read_bytes(), not self.vault.locked)

    def test_damaged(self) -> None:
        """A file that is damaged or missing is named with the way out, and nothing is made in its place."""
        for name in (KEY_FILE, CERTIFICATE_FILE, STATEMENT_FILE):
            path = self.folder / name
            good = path.read_bytes()
            for bad in (b"garbage", good[:-10], None):
                path.unlink() if bad is None else path.write_bytes(bad)
                error = self.assertRaises(ConfigError, self.reopened)
                self.assertIn(str(path), str(error))
                self.assertIn("backup", str(error))
                self.assertEqual(path.read_bytes() if path.exists() else None, bad)
                path.touch(0o600)
                path.write_bytes(good)

    def test_mixed_up(self) -> None:
        """Files of two identities in one folder are not taken for one."""
        self.made("bob@example.com")
        other = self.identities / folder_name("bob@example.com")
        for name in (KEY_FILE, CERTIFICATE_FILE, STATEMENT_FILE):
            path = self.folder / name
            good = path.read_bytes()
            shutil.copy(other / name, path)
            self.assertRaises(ConfigError, self.reopened)
            path.write_bytes(good)


class FolderNameTests(TestCase):
    """Names that are safe for files."""

    def test_safe(self) -> None:
        """Nothing leads out of the folder, hides, or is too long for a file name."""
        for aor in (AOR, "../../etc@x", ".@x", "-rf@x", "a/b@x", "*?;'@[::1]", "a" * 242 + "@example.com"):
            name = folder_name(aor)
            self.assertRegex(name, r"\A[a-z0-9@_+-][a-z0-9@._+-]*-[0-9a-f]{16}\Z")
            self.assertLess(len(name), 200)

    def test_readable(self) -> None:
        """A usual name can be read in it."""
        self.assertTrue(folder_name(AOR).startswith("alice@example.com-"))

    def test_different(self) -> None:
        """Names that differ in case or in what cannot be shown have different folders on any file system."""
        aors = (AOR, "Alice@example.com", "a/b@x", "a?b@x", "a_b@x", "a" * 200 + "@x", "a" * 201 + "@x")
        self.assertEqual(len({folder_name(aor).lower() for aor in aors}), len(aors))
