"""Tests for p2pship.identity.hostkeys."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.hostkeys import MOST, HostKey, HostKeys, KeyAlgorithm, new_host_key
from p2pship.interfaces import IHostKeys
from p2pship.storage.vault import Vault

PASSPHRASE = b"correct horse"


@cache
def host_key(algorithm: KeyAlgorithm) -> HostKey:
    """Return a key of this kind, the same each time."""
    return new_host_key(algorithm)


class HostKeysTests(SynchronousTestCase):
    """Key pairs in a folder."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.vault = Vault.open(self.folder)
        self.keys = self.reopened()

    def reopened(self) -> HostKeys:
        """Read what is kept, as after a restart."""
        return HostKeys(self.folder / "keys", self.vault)

    def files(self) -> list[Path]:
        """Return the key files."""
        return sorted((self.folder / "keys").iterdir())

    def test_interface(self) -> None:
        """It is what the bearers are promised."""
        self.assertTrue(verifyObject(IHostKeys, self.keys))

    def test_kept(self) -> None:
        """All kinds are there again after a restart, in files that only their owner may read."""
        for algorithm in KeyAlgorithm:
            self.keys.add(host_key(algorithm))
        again = {key.hit: (key.key, key.algorithm) for key in self.reopened().all()}
        wanted = {host_key(one).hit: (host_key(one).key, one.value) for one in KeyAlgorithm}
        self.assertEqual(again, wanted)
        self.assertEqual({path.stat().st_mode & 0o777 for path in self.files()}, {0o600})

    def test_nothing(self) -> None:
        """No folder is made as long as there is no key."""
        self.assertEqual(self.keys.all(), ())
        self.assertFalse((self.folder / "keys").exists())

    def test_removed(self) -> None:
        """One that was removed does not come back, and cannot be removed twice."""
        key = host_key(KeyAlgorithm.P256)
        self.keys.add(key)
        self.keys.remove(key.hit)
        self.assertEqual((self.keys.all(), self.reopened().all()), ((), ()))
        self.assertRaises(LocalError, self.keys.remove, key.hit)

    def test_watched(self) -> None:
        """Who watches hears of each change until they do not want to any longer."""
        told: list[int] = []
        end = self.keys.watch(lambda: told.append(len(self.keys.all())))
        key = host_key(KeyAlgorithm.P256)
        self.keys.add(key)
        self.keys.remove(key.hit)
        end()
        self.keys.add(key)
        self.assertEqual(told, [1, 0])

    def test_sealed(self) -> None:
        """While there is a passphrase, no private key is readable in the files; all can be used all the same."""
        key = host_key(KeyAlgorithm.RSA_2048)
        self.keys.add(key)
        self.assertIn(b"PRIVATE KEY", self.files()[0].read_bytes())
        self.vault.watch(self.keys.protect)
        self.vault.set_key(self.vault.new_key(PASSPHRASE))
        self.keys.add(host_key(KeyAlgorithm.P384))
        for path in self.files():
            self.assertNotIn(b"PRIVATE KEY", path.read_bytes())
        self.vault = Vault.open(self.folder, lambda: PASSPHRASE)
        self.assertEqual({one.hit for one in self.reopened().all()}, {one.hit for one in self.keys.all()})

    def test_swapped(self) -> None:
        """A file with another key than its name says is refused, also when it was sealed under another name."""
        self.vault.set_key(self.vault.new_key(PASSPHRASE))
        for algorithm in (KeyAlgorithm.P256, KeyAlgorithm.P384):
            self.keys.add(host_key(algorithm))
        one, other = self.files()
        one.write_bytes(other.read_bytes())
        self.assertRaises(ConfigError, self.reopened)
        self.vault.remove_passphrase()
        one.write_bytes(b"garbage")
        self.assertRaises(ConfigError, self.reopened)

    def test_readable_by_others(self) -> None:
        """A key file that others may read is refused."""
        self.keys.add(host_key(KeyAlgorithm.P256))
        self.files()[0].chmod(0o644)
        self.assertRaises(ConfigError, self.reopened)

    def test_most(self) -> None:
        """There is an end."""
        for _ in range(MOST):
            self.keys.add(new_host_key(KeyAlgorithm.P256))
        self.assertRaises(LocalError, self.keys.add, host_key(KeyAlgorithm.P256))
