"""Tests of what rides along in a backup."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from p2pship.commands.keepsake import BadKeepsake, Unpacked, pack, unpack
from p2pship.control import LONGEST_REQUEST
from p2pship.errors import LocalError, RemoteError
from p2pship.identity import bundle
from p2pship.identity.backup import read_backup, write_backup
from p2pship.identity.bundle import LONGEST_EXTRA
from p2pship.identity.cbor import encode
from p2pship.trust.authoritycopy import AuthorityCopy
from p2pship.trust.entry import LONGEST_NAME, LONGEST_VALUE, Entry
from p2pship.trust.ledger import BLOCK, MOST_ENTRIES, MOST_OCTETS
from tests.commands.desks import NOW, DeskTestCase

ROW_OCTETS = 30
"What a row has besides kind, name and value: 18 of its stamp, and the heads of five items."

ALICE = "alice@example.com"


class KeepsakeTests(DeskTestCase):
    """Ledgers that are packed and unpacked."""

    def test_full(self) -> None:
        """A ledger that takes no more fits into a backup, and that into the request that restores it."""
        identity = self.desk.keyring.create(ALICE)
        stamp = int(NOW * 1000).to_bytes(8, "big") + bytes(10)
        small = (Entry("x", f"{number:05}", stamp, encode({"n": number})) for number in range(1000))
        self.desk.ledger.merge(ALICE, small)
        value = encode(bytes(LONGEST_VALUE - 3))
        with self.assertRaises(LocalError):
            for number in range(1000):
                self.desk.ledger.put(ALICE, BLOCK, f"{number:0{LONGEST_NAME}}", value[3:])
        brought = self.desk.keyring.bundle(ALICE, True, pack(self.desk, ALICE))
        backup = write_backup(brought, None, NOW)
        self.assertEqual(read_backup(backup), brought)
        self.assertLess(MOST_OCTETS + ROW_OCTETS * MOST_ENTRIES, LONGEST_EXTRA)
        self.assertLess(len(backup) * 4 // 3 + 1000, LONGEST_REQUEST)
        other = self.open_desk("other")
        other.keyring.restore(brought)
        self.assertEqual(
            unpack(other, identity.aor, brought.extra).entries, len(self.desk.ledger.entries(ALICE))
        )

    def test_too_much(self) -> None:
        """What has no room in a backup is refused when it is made, not when it is needed."""
        self.desk.keyring.create(ALICE)
        self.patch(bundle, "LONGEST_EXTRA", 50)
        self.assertIn("has room for 50", str(self.assertRaises(LocalError, pack, self.desk, ALICE)))

    def test_bad(self) -> None:
        """What is not of the form is refused whole."""
        good = ["contact", "bob@example.com", bytes(18), None]
        for bad in (
            5,
            [],
            [2, [good], []],
            [1, [good]],
            [1, good, []],
            [1, [good, [*good, 5]], []],
            [1, [["contact", 5, bytes(18), None]], []],
        ):
            self.assertRaises(BadKeepsake, unpack, self.desk, ALICE, encode(bad))
        self.assertRaises(BadKeepsake, unpack, self.desk, ALICE, b"\xff")
        self.assertEqual(unpack(self.desk, ALICE, b""), Unpacked(0, []))
        self.assertEqual(unpack(self.desk, ALICE, encode([1, [good], []])), Unpacked(1, []))

    def test_bad_authorities(self) -> None:
        """An authority that is not whole, or whose key is another's, is refused before anything is taken."""
        good = ["contact", "bob@example.com", bytes(18), None]
        self.desk.keyring.create(ALICE)
        own = self.desk.authorities.create("one", "example.com", ALICE)
        copy = self.desk.authorities.copy(own)
        other = self.desk.authorities.copy(self.desk.authorities.create("two", "example.com"))
        wrong = [5, b"", b"\xff", copy.encode()[:-1], *self._wrong(copy, other.key)]
        for each in wrong:
            self.assertRaises(RemoteError, unpack, self.desk, ALICE, encode([1, [good], [each]]))
        self.assertNotIn("contact", [entry.kind for entry in self.desk.ledger.entries(ALICE)])

    def _wrong(self, copy: AuthorityCopy, key: bytes) -> list[bytes]:
        """Return copies of an authority that cannot be one; ``key`` is another's."""
        changes: list[dict[str, Any]] = [
            {"key": key},
            {"key": b"5"},
            {"certificate": b"5"},
            {"name": "../../one"},
            {"domain": "p2pship.alt"},
            {"trusted": ("a b",)},
        ]
        return [replace(copy, **each).encode() for each in changes]
