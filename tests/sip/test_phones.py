"""Tests for :mod:`p2pship.sip.phones`."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.errors import LocalError
from p2pship.sip.bindings import SCHEMA as BINDINGS_SCHEMA
from p2pship.sip.bindings import Binding, Bindings
from p2pship.sip.digest import MD5, SHA256, secret
from p2pship.sip.phones import MOST_OF_NAME, SCHEMA, Phones
from p2pship.sip.uri import Parameters
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault

ALICE, BOB = "alice@example.com", "bob@example.com"
PASSWORD = "correct horse"


class PhonesTests(SynchronousTestCase):
    """Passwords are kept as HA1, sealed."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        self.file = folder / "p2pship.sqlite"
        self.vault = Vault.open(folder)
        self.open()

    def open(self) -> None:
        """Open the database, as after a restart."""
        self.database = Database(self.file, [BINDINGS_SCHEMA, SCHEMA])
        self.addCleanup(self.database.close)
        self.phones = Phones(self.database, self.vault, lambda: 1000.0)

    def test_kept(self) -> None:
        """What was set is there after a restart, for both algorithms; a new password takes the place of the old."""
        self.phones.set_password(ALICE, "alice", "first password")
        self.phones.set_password(ALICE, "alice", PASSWORD)
        self.open()
        for algorithm in (SHA256, MD5):
            ha1 = secret(algorithm, "alice", "example.com", PASSWORD)
            self.assertEqual(self.phones.secret(ALICE, "alice", algorithm), ha1)
        self.assertIsNone(self.phones.secret(ALICE, "bob", MD5))
        self.assertIsNone(self.phones.secret(BOB, "alice", MD5))
        self.assertEqual([(each.aor, each.username) for each in self.phones.list()], [(ALICE, "alice")])

    def test_at_rest(self) -> None:
        """Neither the password nor HA1 stands in the file."""
        self.phones.set_password(ALICE, "alice", PASSWORD)
        self.database.close()
        kept = b"".join(path.read_bytes() for path in self.file.parent.iterdir() if path.is_file())
        for algorithm in (SHA256, MD5):
            self.assertNotIn(secret(algorithm, "alice", "example.com", PASSWORD).encode(), kept)
        self.assertNotIn(PASSWORD.encode(), kept)

    def test_moved_row(self) -> None:
        """Who can write the file cannot give one name the password of another."""
        self.phones.set_password(ALICE, "alice", PASSWORD)
        self.database.write("UPDATE phones_passwords SET aor = ?", BOB)
        self.assertRaises(LocalError, self.phones.secret, BOB, "alice", MD5)

    def test_removed(self) -> None:
        """A phone that was removed proves nothing; who watches hears of it, and removing it twice is an error."""
        heard: list[tuple[str, str]] = []
        self.phones.watch(lambda aor, username: heard.append((aor, username)))
        self.phones.set_password(ALICE, "alice", PASSWORD)
        self.phones.remove(ALICE, "alice")
        self.assertIsNone(self.phones.secret(ALICE, "alice", MD5))
        self.assertEqual(heard, [(ALICE, "alice")] * 2)
        self.assertRaises(LocalError, self.phones.remove, ALICE, "alice")

    def registered(self) -> list[str]:
        """Return the user names of the phones that a node finds registered when it starts."""
        bindings = Bindings(Clock(), self.database)
        bindings.load()
        return [binding.username for binding in bindings]

    def register(self, username: str) -> None:
        """Register a phone, as a node that was running before."""
        bindings = Bindings(Clock(), self.database)
        source, uri = HostPort("192.0.2.9", 5070), f"sip:{username}@192.0.2.9:5070"
        binding = Binding(
            ALICE, uri, Parameters(()), 3600.0, "c", 1, (), source, "UDP", username, username=username
        )
        bindings.load()
        bindings.replace(ALICE, [*bindings.of(ALICE), binding])
        bindings.close()

    def test_registration_ends(self) -> None:
        """A lost phone whose password is removed or set anew while no node runs is not rung by the next one."""
        for username in ("hall", "lost", "desk"):
            self.phones.set_password(ALICE, username, PASSWORD)
            self.register(username)
        self.phones.remove(ALICE, "lost")
        self.assertEqual(self.registered(), ["hall", "desk"])
        self.phones.set_password(ALICE, "desk", "another password")
        self.assertEqual(self.registered(), ["hall"])

    def test_refused(self) -> None:
        """Short passwords, user names that break the header, and too many phones."""
        for username, password in (
            ("alice", "short"),
            ("alice", "x" * 257),
            ("alice", "with\nline end"),
            ("", PASSWORD),
            ('a"b', PASSWORD),
            ("a:b", PASSWORD),
            ("é", PASSWORD),
            ("a" * 65, PASSWORD),
        ):
            self.assertRaises(LocalError, self.phones.set_password, ALICE, username, password)
        for at in range(MOST_OF_NAME):
            self.phones.set_password(ALICE, f"phone{at}", PASSWORD)
        self.assertRaises(LocalError, self.phones.set_password, ALICE, "another", PASSWORD)
        self.phones.set_password(ALICE, "phone0", PASSWORD)
