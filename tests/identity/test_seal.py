"""Tests of sealed items."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.errors import BadPapers, LocalError
from p2pship.identity.record import LONGEST_RECORD
from p2pship.identity.seal import (
    DAY,
    LONGEST_ITEM,
    OpenedItem,
    StatementReference,
    day_of,
    lookup_key,
    open_item,
    seal,
)
from p2pship.identity.statement import MOST_DEVICES
from p2pship.identity.verify import papers_from
from tests.identity import example

TODAY = day_of(example.NOW)
SLOT = example.DEVICE.publication_key


def sealed(statement: bytes | None = None, record: bytes | None = None) -> bytes:
    """Return the example's item of today."""
    return seal(example.AOR, TODAY, SLOT, statement or example.statement(), record or example.record())


class LookupKeyTests(TestCase):
    """Where items are looked for."""

    def test_hkdf(self) -> None:
        """The key is what RFC 5869 makes of the name and the day, computed by hand."""
        secret = hmac.digest(b"p2pship open mode v1", example.AOR.encode(), "sha256")
        info = b"lookup key\0" + TODAY.to_bytes(4, "big")
        self.assertEqual(lookup_key(example.AOR, TODAY), hmac.digest(secret, info + b"\1", "sha256"))

    def test_differs(self) -> None:
        """Each name has its own key on each day, of 32 octets."""
        keys = {
            lookup_key(aor, day) for aor in (example.AOR, "bob@example.com") for day in (TODAY, TODAY + 1)
        }
        self.assertEqual((len(keys), {len(key) for key in keys}), (4, {32}))

    def test_day(self) -> None:
        """Days are those of UTC."""
        self.assertEqual([day_of(now) for now in (0, DAY - 0.5, DAY, 1790000000)], [0, 0, 1, 20717])


class SealTests(TestCase):
    """Sealing and opening."""

    def test_round_trip(self) -> None:
        """Who knows name and day reads both papers, and sees under which key they were published."""
        statement, record = example.statement(), example.record()
        opened = open_item(example.AOR, TODAY, sealed(statement, record))
        self.assertEqual(opened, OpenedItem(SLOT, record, statement, None))

    def test_six_devices(self) -> None:
        """The papers of a person with six devices fit, with four locators."""
        devices = [example.DEVICE.listed, *example.other_devices(5)]
        item = sealed(example.statement(devices=devices))
        self.assertLessEqual(len(item), LONGEST_ITEM)
        opened = open_item(example.AOR, TODAY, item)
        assert opened.statement is not None
        papers = papers_from(
            opened.statement, opened.record, example.NOW, example.AOR, opened.publication_key
        )
        self.assertEqual(len(papers.statement.devices), 6)

    def test_reference(self) -> None:
        """Where the statement has no room, its version and SHA-256 are there instead."""
        statement = example.statement(devices=example.other_devices(MOST_DEVICES))
        opened = open_item(example.AOR, TODAY, sealed(statement))
        reference = StatementReference(
            example.VECTOR["statement_version"], hashlib.sha256(statement).digest()
        )
        self.assertEqual((opened.statement, opened.reference), (None, reference))

    def test_longest_record(self) -> None:
        """The longest record still fits, without its statement; an item is never longer than 960 octets."""
        record = b"x" * LONGEST_RECORD
        item = sealed(record=record)
        self.assertLessEqual(len(item), LONGEST_ITEM)
        self.assertEqual(open_item(example.AOR, TODAY, item).record, record)
        self.assertRaises(LocalError, sealed, record=b"x" * (LONGEST_RECORD + 1))

    def test_exactly_full(self) -> None:
        """Statement and record go in together up to the last octet."""
        statement = example.statement()
        room = LONGEST_ITEM - 63 - len(statement)
        for length, whole in ((room, True), (room + 1, False)):
            opened = open_item(example.AOR, TODAY, sealed(statement, b"x" * length))
            self.assertEqual((opened.statement is not None, len(opened.record)), (whole, length))

    def test_bound(self) -> None:
        """An item opens for its name and its day only."""
        item = sealed()
        for aor, day in (("bob@example.com", TODAY), (example.AOR, TODAY + 1), (example.AOR, TODAY - 1)):
            self.assertRaises(BadPapers, open_item, aor, day, item)

    def test_re_slotted(self) -> None:
        """An item that was put under another publication key does not open."""
        item = sealed()
        moved = item[:1] + b"x" * 32 + item[33:]
        self.assertRaises(BadPapers, open_item, example.AOR, TODAY, moved)

    def test_nothing_told(self) -> None:
        """Without the name, an item shows neither it nor keys nor addresses."""
        item = sealed(record=example.record(locators=[Locator("named", "192.0.2.5", 5566)]))
        for secret in (b"alice", b"example", b"named", bytes([192, 0, 2, 5]), example.DEVICE.key[-32:]):
            self.assertNotIn(secret, item)

    def test_fresh_nonce(self) -> None:
        """No two items are sealed with the same nonce."""
        statement, record = example.statement(), example.record()
        self.assertEqual(len({sealed(statement, record)[33:45] for _ in range(50)}), 50)

    def test_versions(self) -> None:
        """An item of another version is refused, and so is one whose version was changed."""
        error = self.assertRaises(BadPapers, open_item, example.AOR, TODAY, b"\2" + sealed()[1:])
        self.assertIn("version 2", str(error))

    def test_lengths(self) -> None:
        """One that is too short, too long or cut short anywhere is refused."""
        item = sealed()
        for wrong in (item + b"\0", bytes(LONGEST_ITEM + 1), *(item[:end] for end in range(len(item)))):
            self.assertRaises(BadPapers, open_item, example.AOR, TODAY, wrong)

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_garbled(self, at: int, flip: int) -> None:
        """One with an octet changed is refused."""
        item = bytearray(sealed())
        item[at % len(item)] ^= flip
        self.assertRaises(BadPapers, open_item, example.AOR, TODAY, bytes(item))

    @given(st.binary(max_size=120))
    def test_garbage_inside(self, content: bytes) -> None:
        """Somebody who knows the name may seal anything: it is refused, or is papers to be checked."""
        item = seal_anything(content)
        try:
            opened = open_item(example.AOR, TODAY, item)
        except BadPapers:
            return
        self.assertEqual(opened.statement is None, opened.reference is not None)


def seal_anything(content: bytes) -> bytes:
    """Return an item with any content, as somebody who knows the name could make it."""
    secret = hmac.digest(b"p2pship open mode v1", example.AOR.encode(), "sha256")
    info = b"sealing key\0" + TODAY.to_bytes(4, "big")
    key = hmac.digest(secret, info + b"\1", "sha256")
    bound = b"\1" + lookup_key(example.AOR, TODAY) + SLOT
    return b"\1" + SLOT + bytes(12) + AESGCM(key).encrypt(bytes(12), content, bound)
