"""Tests of what rides along in a backup."""

from __future__ import annotations

from p2pship.commands.keepsake import BadKeepsake, pack, unpack
from p2pship.control import LONGEST_REQUEST
from p2pship.errors import LocalError
from p2pship.identity.backup import read_backup, write_backup
from p2pship.identity.bundle import LONGEST_EXTRA
from p2pship.identity.cbor import encode
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
        bundle = self.desk.keyring.bundle(ALICE, True, pack(self.desk.ledger, ALICE))
        backup = write_backup(bundle, None, NOW)
        self.assertEqual(read_backup(backup), bundle)
        self.assertLess(MOST_OCTETS + ROW_OCTETS * MOST_ENTRIES, LONGEST_EXTRA)
        self.assertLess(len(backup) * 4 // 3 + 1000, LONGEST_REQUEST)
        other = self.open_desk("other")
        other.keyring.restore(bundle)
        self.assertEqual(
            unpack(other.ledger, identity.aor, bundle.extra), len(self.desk.ledger.entries(ALICE))
        )

    def test_bad(self) -> None:
        """What is not of the form is refused whole."""
        good = ["contact", "bob@example.com", bytes(18), None]
        for bad in (
            5,
            [],
            [2, [good]],
            [1, good],
            [1, [good, [*good, 5]]],
            [1, [["contact", 5, bytes(18), None]]],
        ):
            self.assertRaises(BadKeepsake, unpack, self.desk.ledger, ALICE, encode(bad))
        self.assertRaises(BadKeepsake, unpack, self.desk.ledger, ALICE, b"\xff")
        self.assertEqual(unpack(self.desk.ledger, ALICE, b""), 0)
        self.assertEqual(unpack(self.desk.ledger, ALICE, encode([1, [good]])), 1)
