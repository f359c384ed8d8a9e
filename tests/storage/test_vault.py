"""Tests of the vault."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import ConfigError, LocalError
from p2pship.storage.vault import LONGEST_PASSPHRASE, MASTER_FILE, CannotOpen, Vault


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
        self.assertRaises(CannotOpen, other.open_sealed, "secret", self.vault.seal("secret", b"data"))

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
        sealed, plain = self.vault.seal("secret", b"data"), self.file.read_bytes()
        self.vault.set_passphrase(b"open, please")
        self.assertTrue(self.vault.locked and Vault.needs_passphrase(self.folder))
        self.assertNotIn(plain.split(b"\n")[1], self.file.read_bytes())
        self.assertEqual(self.reopened(b"open, please").open_sealed("secret", sealed), b"data")
        self.assertIn("passphrase", str(self.assertRaises(ConfigError, self.reopened, b"open, pleasf")))
        self.assertIn("none was given", str(self.assertRaises(ConfigError, self.reopened)))
        self.assertEqual([self.vault.is_passphrase(each) for each in (b"open, please", b"no")], [True, False])

    def test_passphrase_removed(self) -> None:
        """Without the passphrase again, nothing is asked."""
        sealed = self.vault.seal("secret", b"data")
        self.vault.set_passphrase(b"p")
        self.vault.remove_passphrase()
        again = self.reopened()
        self.assertEqual((again.locked, again.open_sealed("secret", sealed)), (False, b"data"))
        self.assertFalse(Vault.needs_passphrase(self.folder))

    def test_bad_passphrases(self) -> None:
        """An empty or endless passphrase is refused, and nothing has changed."""
        for bad in (b"", bytes(LONGEST_PASSPHRASE + 1)):
            self.assertRaises(LocalError, self.vault.set_passphrase, bad)
        self.assertFalse(self.reopened().locked)

    def test_cannot_be_kept(self) -> None:
        """Where the new form cannot be written the old one holds, and nobody is told of a change."""
        self.vault.watch(lambda: self.fail("told"))
        (self.folder / f".{MASTER_FILE}.new").mkdir()
        self.assertRaises(LocalError, self.vault.set_passphrase, b"p")
        self.assertEqual((self.vault.locked, self.reopened().locked), (False, False))

    def test_files(self) -> None:
        """Key files are plain without a passphrase and sealed with one; both are read in either case."""
        told: list[bool] = []
        end = self.vault.watch(lambda: told.append(self.vault.locked))
        plain = self.vault.protect("key.pem", b"PEM")
        self.vault.set_passphrase(b"p")
        sealed = self.vault.protect("key.pem", b"PEM")
        self.assertEqual(plain, b"PEM")
        self.assertNotIn(b"PEM", sealed)
        self.assertEqual([self.vault.is_protected(each) for each in (plain, sealed)], [False, True])
        self.assertRaises(CannotOpen, self.vault.reveal, "other.pem", sealed)
        end()
        self.vault.remove_passphrase()
        self.assertEqual([self.vault.reveal("key.pem", each) for each in (plain, sealed)], [b"PEM"] * 2)
        self.assertEqual(told, [True])

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
