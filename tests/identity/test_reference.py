"""Tests of the worked examples in docs/reference: what the pages show is what the code makes and verifies."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import TestCase

from p2pship.identity.aor import canonical_aor
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import LONGEST_RECORD, verify_record
from p2pship.identity.seal import ITEM_LENGTH, ROOM, open_item, seal
from p2pship.identity.statement import LONGEST_STATEMENT, verify_statement
from p2pship.identity.verify import papers_from
from tests.identity import example

PAGES = Path(__file__).parents[2] / "docs" / "reference"
BLOCK = re.compile(r"^```hex ([a-z-]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


SPELLING = re.compile(r"^\| `(.*)` \| `(.*)` \|$", re.MULTILINE)
"A row of a table: how a name is given, and its one spelling."


def page(name: str) -> str:
    """Return the text of a page."""
    return (PAGES / name).read_text("utf-8")


def example_in(name: str, block: str) -> bytes:
    """Return the octets of a block of hex in a page; what follows a # explains them."""
    (text,) = (text for title, text in BLOCK.findall(page(name)) if title == block)
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


class StatementAndRecordTests(TestCase):
    """The page about statement and record."""

    def setUp(self) -> None:
        self.statement = example_in("statement-and-record.md", "statement")
        self.record = example_in("statement-and-record.md", "record")

    def test_statement(self) -> None:
        """The statement verifies, is the example's, and differs from one signed now in its signature only."""
        read = verify_statement(self.statement, example.NOW)
        self.assertEqual((read.aor, read.key), (example.AOR, example.IDENTITY_KEY))
        self.assertEqual(self.statement[:-64], example.statement()[:-64])

    def test_record(self) -> None:
        """The record verifies, is the example's, and differs from one signed now in its signature only."""
        read = verify_record(self.record, example.NOW)
        self.assertEqual((read.device_key, read.locators), (example.DEVICE.key, example.LOCATORS))
        self.assertEqual(self.record[:-64], example.record()[:-64])

    def test_together(self) -> None:
        """They belong together."""
        papers = papers_from(
            self.statement, self.record, example.NOW, example.AOR, example.DEVICE.publication_key
        )
        self.assertEqual(papers.hit, example.DEVICE.hit)

    def test_names(self) -> None:
        """Each name that the page shows has the spelling that the page says."""
        _, _, section = page("statement-and-record.md").partition("## The one spelling of a name\n")
        rows = SPELLING.findall(section.partition("\n## ")[0])
        self.assertEqual(len(rows), 6)
        for given, spelt in rows:
            self.assertEqual(canonical_aor(given), spelt)
            self.assertTrue(spelt.isascii())

    def test_limits(self) -> None:
        """The page names the limits that the code has."""
        text = page("statement-and-record.md")
        self.assertIn(f"| statement | {LONGEST_STATEMENT:,} octets |", text)
        self.assertIn(f"| record | {LONGEST_RECORD:,} octets |", text)


class SealedItemTests(TestCase):
    """The page about the sealed item."""

    def setUp(self) -> None:
        self.item = example_in("sealed-item.md", "item")
        self.day = day_of(example.NOW)

    def test_lookup_key(self) -> None:
        """The lookup key is the one of the name and the day."""
        self.assertIn(f"On day {self.day},", page("sealed-item.md"))
        self.assertEqual(
            example_in("sealed-item.md", "lookup-key"), Place.of_name(example.AOR).lookup_key(self.day)
        )

    def test_opened(self) -> None:
        """The item opens, and holds the papers of the other page."""
        opened = open_item(Place.of_name(example.AOR), self.day, self.item)
        self.assertEqual(opened.statement, example_in("statement-and-record.md", "statement"))
        self.assertEqual(opened.record, example_in("statement-and-record.md", "record"))
        self.assertEqual(opened.publication_key, example.DEVICE.publication_key)

    def test_made(self) -> None:
        """Sealed anew with the same nonce, the papers give the same item."""
        opened = open_item(Place.of_name(example.AOR), self.day, self.item)
        assert opened.statement is not None
        nonce = bytes.fromhex(example.VECTOR["nonce"])
        again = seal(
            Place.of_name(example.AOR),
            self.day,
            opened.publication_key,
            opened.statement,
            opened.record,
            lambda length: nonce,
        )
        self.assertEqual((again, len(nonce)), (self.item, 12))

    def test_limits(self) -> None:
        """The page names the limits that the code has."""
        text = page("sealed-item.md")
        self.assertIn(f"| item | {ITEM_LENGTH} octets |", text)
        self.assertIn(f"| statement and record together | {ROOM} octets |", text)
        self.assertIn(f"| record alone | {LONGEST_RECORD} octets |", text)
