"""Tests of this node as a device."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship.errors import ConfigError
from p2pship.identity.device import HOST_FILE, PUBLICATION_FILE, SEALING_FILE, Device, protect_device
from p2pship.identity.hit import hit_of
from p2pship.identity.keys import verify
from p2pship.identity.papers import ListedDevice
from p2pship.identity.statement import host_identity_hash
from p2pship.interfaces import IDevice
from p2pship.storage.vault import Vault
from tests.storage.passphrases import lock

FILES = (HOST_FILE, PUBLICATION_FILE, SEALING_FILE)


class DeviceTests(TestCase):
    """Making and reading the device."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "device"
        self.vault = Vault.open(Path(self.mktemp()))

    def contents(self) -> dict[str, bytes]:
        """Return what is in each file of the folder."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def test_interface(self) -> None:
        """It is an IDevice whose parts fit together."""
        device = Device.open(self.folder, self.vault)
        verifyObject(IDevice, device)
        self.assertEqual(device.hit, hit_of(device.key))
        self.assertEqual((len(device.publication_key), len(device.sealing_key)), (32, 32))
        self.assertTrue(verify(device.key, device.sign(b"data"), b"data"))
        self.assertEqual(device.listed, ListedDevice(host_identity_hash(device.key), device.publication_key))

    def test_kept(self) -> None:
        """The next run finds the same device."""
        first, second = Device.open(self.folder, self.vault), Device.open(self.folder, self.vault)
        self.assertEqual((first.key, first.listed), (second.key, second.listed))
        self.assertEqual((first.hit, first.sealing_key), (second.hit, second.sealing_key))

    def test_private(self) -> None:
        """Its files are its owner's alone, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        Device.open(self.folder, self.vault)
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual({(self.folder / name).stat().st_mode & 0o777 for name in FILES}, {0o600})

    def test_damaged(self) -> None:
        """A key file that is damaged or missing is named with the way out, and nothing is made in its place."""
        for name in FILES:
            for damage in (lambda path: path.write_bytes(b"garbage"), lambda path: path.unlink()):
                shutil.rmtree(self.folder, ignore_errors=True)
                Device.open(self.folder, self.vault)
                damage(self.folder / name)
                before = self.contents()
                error = self.assertRaises(ConfigError, Device.open, self.folder, self.vault)
                self.assertIn(str(self.folder / name), str(error))
                self.assertIn("backup", str(error))
                self.assertEqual(self.contents(), before)

    def test_cannot_be_kept(self) -> None:
        """Where no folder can be made there is no device: it would be another one each time."""
        self.folder.parent.write_bytes(b"a file")
        error = self.assertRaises(ConfigError, Device.open, self.folder, self.vault)
        self.assertIn(str(self.folder), str(error))

    def test_sealed(self) -> None:
        """With a passphrase all three keys are sealed on the disk, and the device is the same."""
        device = Device.open(self.folder, self.vault)
        for change in (lambda: lock(self.vault, b"p"), self.vault.remove_passphrase):
            change()
            protect_device(self.folder, self.vault)
            plain = [b"PRIVATE KEY" in octets for octets in self.contents().values()]
            self.assertEqual(plain, [not self.vault.locked] * 3)
            self.assertEqual(Device.open(self.folder, self.vault).listed, device.listed)
