"""Tests of the vault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import ConfigError, LocalError
from p2pship.storage.vault import LONGEST_PASSPHRASE, MASTER_FILE, CannotOpen, Vault
from tests.storage.passphrases import lock


class VaultTests(SynchronousTestCase):
    """Sealing, and a passphrase that comes and goes."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.vault = Vault.open(self.folder)
        self.file = self.folder / MASTER_FILE

    def reopened(self, passphrase: bytes | None = None) -> Vault:
        """Return the vault as the next run finds it."""
        return Vault.open(self.folder, None if passphrase is None else lambda: passphrase)

    def test_sealed(self) -> None:
        """What was sealed is opened in the next run, for the same purpose; it cannot be read in between."""
        sealed = self.vault.seal("secret", b"what nobody may know")
        self.assertNotIn(b"nobody", sealed)
        self.assertEqual(self.reopened().open_sealed("secret", sealed), b"what nobody may know")
        self.assertRaises(CannotOpen, self.vault.open_sealed, "another", sealed)

    def test_other_vault(self) -> None:
        """Another vault does not open it."""
        other = Vault.open(Path(self.mktemp()))
        error = self.assertRaises(CannotOpen, other.open_sealed, "secret", self.vault.seal("secret", b"data"))
        self.assertIn(MASTER_FILE, str(error))

    @given(st.integers(0, 32), st.integers(1, 255))
    def test_altered(self, at: int, flip: int) -> None:
        """With an octet changed, or cut short anywhere, it does not open."""
        sealed = self.vault.seal("secret", b"data")
        at %= len(sealed)
        altered = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
        self.assertRaises(CannotOpen, self.vault.open_sealed, "secret", altered)
        self.assertRaises(CannotOpen, self.vault.open_sealed, "secret", sealed[:at])

    def test_private(self) -> None:
        """The master key is its owner's alone; if others may read it, it is not used, and what to do is said."""
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.file.chmod(0o644)
        self.assertIn(f"chmod 600 {self.file}", str(self.assertRaises(ConfigError, self.reopened)))

    def test_passphrase(self) -> None:
        """With a passphrase only who knows it opens the vault, and what was sealed before is still there."""
        kept, plain = self.keep(self.vault.seal("secret", b"data")), self.file.read_bytes()
        lock(self.vault, b"open, please")
        sealed = kept[-1]
        self.assertTrue(self.vault.locked and Vault.needs_passphrase(self.folder))
        self.assertNotIn(plain.split(b"\n")[1], self.file.read_bytes())
        self.assertEqual(self.reopened(b"open, please").open_sealed("secret", sealed), b"data")
        self.assertIn("passphrase", str(self.assertRaises(ConfigError, self.reopened, b"open, pleasf")))
        self.assertIn("none was given", str(self.assertRaises(ConfigError, self.reopened)))
        self.assertEqual([self.vault.is_passphrase(each) for each in (b"open, please", b"no")], [True, False])

    def test_not_there_now(self) -> None:
        """A link to a disk that is not there is left as it is: no other master key takes its place."""
        elsewhere = self.folder / "stick"
        self.file.rename(elsewhere)
        self.file.symlink_to(elsewhere)
        elsewhere.rename(self.folder / "away")
        self.assertIn("No such file", str(self.assertRaises(ConfigError, self.reopened)))
        self.assertTrue(self.file.is_symlink())

    def keep(self, sealed: bytes) -> list[bytes]:
        """Keep something sealed, as all have to; the last of the list is its latest form."""
        kept = [sealed]

        def anew() -> None:
            again = self.vault.sealed_anew("secret", kept[-1])
            kept.extend([again] if again else [])

        self.vault.watch(anew)
        return kept

    def test_new_master(self) -> None:
        """A passphrase comes with a new master key: who has a copy of the old one opens nothing of what follows."""
        lock(self.vault, b"first")
        copy = self.file.read_bytes()
        kept = self.keep(self.vault.seal("secret", b"data"))
        lock(self.vault, b"second")
        self.assertEqual(self.reopened(b"second").open_sealed("secret", kept[-1]), b"data")
        self.assertEqual(self.vault.sealed_anew("secret", kept[-1]), None)
        self.file.write_bytes(copy)
        self.assertRaises(CannotOpen, self.reopened(b"first").open_sealed, "secret", kept[-1])

    def test_not_sealed_anew(self) -> None:
        """What cannot be sealed anew now can be opened with the passphrase in the next run, which seals it anew."""
        sealed = self.vault.seal("secret", b"data")
        self.vault.watch(self.full_disk([True, False]))
        lock(self.vault, b"p")
        again = self.vault = self.reopened(b"p")
        kept = self.keep(sealed)
        self.assertEqual(again.open_sealed("secret", sealed), b"data")
        again.finish()
        self.assertRaises(CannotOpen, self.reopened(b"p").open_sealed, "secret", sealed)
        self.assertEqual(self.reopened(b"p").open_sealed("secret", kept[-1]), b"data")

    def full_disk(self, able: list[bool]) -> Callable[[], None]:
        """Return a watcher that can do what it is told as often as is said, each in its turn; after that it can."""

        def changed() -> None:
            if able and not able.pop(0):
                raise LocalError("the disk is full")

        return changed

    def test_disk_full(self) -> None:
        """Where a key file cannot be sealed no passphrase is set, and what was sealed is put back."""
        told: list[bool] = []
        self.vault.watch(lambda: told.append(self.vault.locked))
        self.vault.watch(self.full_disk([False]))
        self.assertIn("full", str(self.assertRaises(LocalError, lock, self.vault, b"p")))
        self.assertEqual((told, self.vault.locked, self.reopened().locked), ([True, False], False, False))

    def test_removed_disk_full(self) -> None:
        """A passphrase is removed even where a key file cannot be written: it is read sealed as well."""
        lock(self.vault, b"p")
        sealed = self.vault.protect("key.pem", b"PEM")
        self.vault.watch(self.full_disk([False]))
        self.vault.remove_passphrase()
        self.assertEqual(self.reopened().reveal("key.pem", sealed), b"PEM")
        self.flushLoggedErrors()

    def test_passphrase_removed(self) -> None:
        """Without the passphrase again, nothing is asked."""
        kept = self.keep(self.vault.seal("secret", b"data"))
        lock(self.vault, b"p")
        self.vault.remove_passphrase()
        again = self.reopened()
        self.assertEqual((again.locked, again.open_sealed("secret", kept[-1])), (False, b"data"))
        self.assertFalse(Vault.needs_passphrase(self.folder))

    def test_killed_while_removing(self) -> None:
        """Where a kill left the master key in the clear beside the file that a passphrase still protects, it goes at the next start."""
        plain = self.file.read_bytes()
        lock(self.vault, b"p")
        left = self.folder / f".{MASTER_FILE}.new"
        left.write_bytes(plain)
        self.assertTrue(self.reopened(b"p").locked)
        self.assertFalse(left.exists())

    def test_bad_passphrases(self) -> None:
        """An empty or endless passphrase is refused, and nothing has changed."""
        for bad in (b"", bytes(LONGEST_PASSPHRASE + 1)):
            self.assertRaises(LocalError, lock, self.vault, bad)
        self.assertFalse(self.reopened().locked)

    def test_cannot_be_kept(self) -> None:
        """Where the new form of the master key cannot be written the old one holds, and key files are as before."""
        told: list[bool] = []
        self.vault.watch(lambda: told.append(self.vault.locked))
        (self.folder / f".{MASTER_FILE}.new").mkdir()
        self.assertRaises(LocalError, lock, self.vault, b"p")
        self.assertEqual((told, self.vault.locked, self.reopened().locked), ([True, False], False, False))

    def test_files(self) -> None:
        """Key files are plain without a passphrase and sealed with one; both are read in either case."""
        told: list[bool] = []
        end = self.vault.watch(lambda: told.append(self.vault.locked))
        plain = self.vault.protect("key.pem", b"PEM")
        lock(self.vault, b"p")
        sealed = self.vault.protect("key.pem", b"PEM")
        self.assertEqual(plain, b"PEM")
        self.assertNotIn(b"PEM", sealed)
        self.assertEqual(
            [self.vault.is_protected("key.pem", each) for each in (plain, sealed)], [False, True]
        )
        self.assertRaises(CannotOpen, self.vault.reveal, "other.pem", sealed)
        end()
        self.vault.remove_passphrase()
        self.assertEqual([self.vault.reveal("key.pem", each) for each in (plain, sealed)], [b"PEM"] * 2)
        self.assertEqual(told, [True, True])

    def test_damaged(self) -> None:
        """A damaged master key is named with the way out, and nothing is made in its place."""
        good = self.file.read_bytes()
        for bad in (
            b"",
            b"garbage",
            good[:-5],
            good.replace(b"v1", b"v9"),
            good[:23] + b"xyz\n",
            b"\xff" * 80,
        ):
            self.file.write_bytes(bad)
            self.assertIn(str(self.file), str(self.assertRaises(ConfigError, self.reopened)))
            self.assertEqual(self.file.read_bytes(), bad)
