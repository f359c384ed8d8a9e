"""The passphrase of the keys comes, changes and goes, each time only for who knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from p2pship.commands.passphrase import VERBS
from p2pship.desk import Desk
from p2pship.errors import ConfigError, LocalError
from p2pship.storage.vault import MASTER_FILE, Vault
from p2pship.trust.ledger import PAIR
from tests.commands.desks import DeskTestCase
from tests.storage.passphrases import lock


def failing_once_sealed(state: Path) -> Callable[[], None]:
    """Return a watcher that can do nothing once the passphrase is on the disk."""

    def changed() -> None:
        if Vault.needs_passphrase(state):
            raise LocalError("the disk is full")

    return changed


class PassphraseTests(DeskTestCase):
    """The noun's verbs."""

    def test_whole_life(self) -> None:
        """It is set, changed and removed; the keys can be used throughout, and are not on the disk in the clear meanwhile."""
        self.give("identity create", aor="alice@example.com")
        self.assertEqual(self.give("passphrase status"), {"passphrase": False})
        self.assertEqual(self.give("passphrase set", passphrase="one"), {"passphrase": True})
        self.assertEqual(self.keys_in_the_clear(), [])
        self.give("passphrase change", current="one", passphrase="two")
        self.give("identity rotate")
        self.assertEqual(self.keys_in_the_clear(), [])
        self.assertEqual(self.give("passphrase remove", current="two"), {"passphrase": False})
        self.assertNotEqual(self.keys_in_the_clear(), [])

    def keys_in_the_clear(self) -> list[str]:
        """Return the files of the state folder that hold a private key as it is."""
        files = [path for path in (self.folder / "state").rglob("*") if path.is_file()]
        return [path.name for path in files if b"PRIVATE KEY-----" in path.read_bytes()]

    def test_sealed_anew(self) -> None:
        """All that is sealed is sealed anew under a passphrase: at once, or where that failed when the desk opens again."""
        self.give("identity create", aor="alice@example.com")
        self.give("ca create", domain="example.com")
        self.desk.phones.set_password("alice@example.com", "phone", "correct horse")
        self.desk.ledger.put("alice@example.com", PAIR, "bob@example.com", b"secret")
        self.desk.close()
        unable = Vault.open(self.desk.state)
        unable.watch(failing_once_sealed(self.desk.state))
        lock(unable, b"one")
        self.flushLoggedErrors()
        copy = (self.desk.state / MASTER_FILE).read_bytes()
        for passphrase in (b"one", b"two", b"two"):
            desk = Desk(self.clock, self.desk.config, self.desk.state, unlock=lambda: passphrase)  # noqa: B023
            self.assertEqual(desk.ledger.get("alice@example.com", PAIR, "bob@example.com"), b"secret")
            self.assertIsNotNone(desk.phones.secret("alice@example.com", "phone", "SHA-256"))
            desk.authorities.crl(desk.authorities.owned()[0].fingerprint)
            desk.keyring.rotate("alice@example.com")
            self.assertLess(len((desk.state / MASTER_FILE).read_bytes()), len(copy))
            lock(desk.vault, b"two")
            self.assertEqual(self.keys_in_the_clear(), [])
            desk.close()

    def test_wrong(self) -> None:
        """Without the present one nothing changes."""
        for command in ("change", "remove"):
            more = {"passphrase": "new"} if command == "change" else {}
            error = self.assertRaises(LocalError, self.give, f"passphrase {command}", current="x", **more)
            self.assertIn("`p2pship passphrase set`", str(error))
        self.give("passphrase set", passphrase="one")
        self.assertRaises(LocalError, self.give, "passphrase set", passphrase="two")
        self.assertRaises(LocalError, self.give, "passphrase change", current="two", passphrase="three")
        self.assertRaises(LocalError, self.give, "passphrase remove", current="two")
        self.assertTrue(self.desk.vault.is_passphrase(b"one"))

    def test_opening(self) -> None:
        """A desk under a passphrase opens for who knows it, and says what is wrong to others."""
        self.give("passphrase set", passphrase="one")
        self.desk.close()
        state, clock, config = self.folder / "state", self.clock, self.desk.config
        for unlock in (None, lambda: b"two"):
            self.assertRaises(ConfigError, Desk, clock, config, state, unlock=unlock)
        Desk(clock, config, state, unlock=lambda: b"one").close()

    def test_text(self) -> None:
        """Each state is said in words, with what follows from it."""
        text = VERBS[0].text
        self.assertIn("`p2pship passphrase set`", text({"passphrase": False}))
        self.assertIn("only a backup brings the identities back", text({"passphrase": True}))
