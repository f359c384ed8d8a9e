"""Tests of sealed items."""

from __future__ import annotations

import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.errors import BadPapers, LocalError
from p2pship.identity.annex import PIECE_LENGTH, Annex, pieces_of, reference_of
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import LONGEST_RECORD
from p2pship.identity.seal import (
    CONTENT_LENGTH,
    ITEM_LENGTH,
    MOST_REFERENCES,
    ROOM,
    OpenedItem,
    open_item,
    open_piece,
    seal,
    seal_piece,
)
from p2pship.identity.statement import LONGEST_STATEMENT, MOST_DEVICES
from p2pship.identity.verify import papers_from
from tests.identity import example

TODAY = day_of(example.NOW)
SLOT = example.DEVICE.publication_key
HERE = Place.of_name(example.AOR)
FRIENDS = Place.between(b"s" * 32, example.AOR, "bob@example.com")
BACK = Place.between(b"s" * 32, "bob@example.com", example.AOR)


def sealed(
    statement: bytes | None = None, record: bytes | None = None, place: Place = HERE, **annex: bytes
) -> bytes:
    """Return the example's item of today."""
    stated, recorded = statement or example.statement(), record or example.record()
    return seal(place, TODAY, SLOT, stated, recorded, os.urandom, **annex)


class SealTests(TestCase):
    """Sealing and opening."""

    def test_round_trip(self) -> None:
        """Who knows name and day reads both papers, and sees under which key they were published."""
        statement, record = example.statement(), example.record()
        opened = open_item(HERE, TODAY, sealed(statement, record))
        self.assertEqual(opened, OpenedItem(SLOT, record, statement, Annex()))

    def test_six_devices(self) -> None:
        """The papers of a person with six devices fit, with four locators."""
        devices = [example.DEVICE.listed, *example.other_devices(5)]
        item = sealed(example.statement(devices=devices))
        self.assertLessEqual(len(item), ITEM_LENGTH)
        opened = open_item(HERE, TODAY, item)
        assert opened.statement is not None
        papers = papers_from(
            opened.statement, opened.record, example.NOW, example.AOR, opened.publication_key
        )
        self.assertEqual(len(papers.statement.devices), 6)

    def test_annex(self) -> None:
        """What has no room is there by the hashes of its pieces: a long statement, certificates, a revocation list."""
        statement = example.statement(devices=example.other_devices(MOST_DEVICES))
        chain, revocations = bytes(PIECE_LENGTH + 1), b"revoked"
        opened = open_item(HERE, TODAY, sealed(statement, chain=chain, revocations=revocations))
        self.assertIsNone(opened.statement)
        for references, whole in zip(
            (opened.annex.statement, opened.annex.chain, opened.annex.revocations),
            (statement, chain, revocations),
            strict=True,
        ):
            self.assertEqual(references, tuple(map(reference_of, pieces_of(whole))))

    def test_most_references(self) -> None:
        """The longest of everything fits; what would need more pieces than that is left out as a whole."""
        statement, record = bytes(LONGEST_STATEMENT), b"x" * LONGEST_RECORD
        chain, revocations = (PIECE_LENGTH * most * b"c" for most in MOST_REFERENCES[1:])
        opened = open_item(HERE, TODAY, sealed(statement, record, chain=chain, revocations=revocations))
        self.assertEqual(
            tuple(map(len, (opened.annex.statement, opened.annex.chain, opened.annex.revocations))),
            MOST_REFERENCES,
        )
        self.assertEqual(opened.record, record)
        more = open_item(HERE, TODAY, sealed(chain=chain + b"c", revocations=b"r"))
        self.assertEqual(more.annex, Annex())

    def test_one_size(self) -> None:
        """Whatever is in an item, and for whomever it is, it has the same size and form: nothing tells them apart."""
        many = example.statement(devices=example.other_devices(MOST_DEVICES))
        items = [
            sealed(),
            sealed(many, chain=bytes(2000), revocations=bytes(900)),
            sealed(place=FRIENDS),
            sealed(many, place=FRIENDS),
            seal_piece(HERE, TODAY, SLOT, b"p"),
            seal_piece(FRIENDS, TODAY, SLOT, bytes(PIECE_LENGTH)),
        ]
        self.assertEqual({len(item) for item in items}, {ITEM_LENGTH})
        self.assertEqual({item[:1] for item in items}, {b"\2"})

    def test_longest_record(self) -> None:
        """The longest record still fits, without its statement; an item is never longer than 960 octets."""
        record = b"x" * LONGEST_RECORD
        item = sealed(record=record)
        self.assertLessEqual(len(item), ITEM_LENGTH)
        self.assertEqual(open_item(HERE, TODAY, item).record, record)
        self.assertRaises(LocalError, sealed, record=b"x" * (LONGEST_RECORD + 1))

    def test_exactly_full(self) -> None:
        """Statement and record go in together up to the last octet."""
        record = example.record()
        room = ROOM - len(record)
        for length, whole in ((room, True), (room + 1, False)):
            opened = open_item(HERE, TODAY, sealed(b"x" * length, record))
            self.assertEqual((opened.statement is not None, opened.record), (whole, record))

    def test_replayed(self) -> None:
        """A friend's item opens on its day and in its direction only, and in no open place; nor does an open one there."""
        item = sealed(place=FRIENDS)
        self.assertEqual(open_item(FRIENDS, TODAY, item).record, open_item(FRIENDS, TODAY, item).record)
        for place, day in ((FRIENDS, TODAY + 1), (FRIENDS, TODAY - 1), (BACK, TODAY), (HERE, TODAY)):
            self.assertRaises(BadPapers, open_item, place, day, item)
        self.assertRaises(BadPapers, open_item, FRIENDS, TODAY, sealed())

    def test_piece(self) -> None:
        """A piece comes out as it went in."""
        for piece in (b"p", bytes(PIECE_LENGTH)):
            item = seal_piece(HERE, TODAY, SLOT, piece)
            self.assertEqual(open_piece(HERE, TODAY, reference_of(piece), item), piece)
        self.assertRaises(LocalError, seal_piece, HERE, TODAY, SLOT, bytes(CONTENT_LENGTH - 1))

    def test_swapped_pieces(self) -> None:
        """A piece is taken for no other one, nor for papers, nor papers for it, nor from another day or place."""
        item = seal_piece(HERE, TODAY, SLOT, b"mine")
        mine, yours = reference_of(b"mine"), reference_of(b"yours")
        for place, day, reference in (
            (HERE, TODAY, yours),
            (HERE, TODAY + 1, mine),
            (FRIENDS, TODAY, mine),
            (HERE, TODAY, b""),
        ):
            self.assertRaises(BadPapers, open_piece, place, day, reference, item)
        self.assertRaises(BadPapers, open_item, HERE, TODAY, item)
        self.assertRaises(BadPapers, open_piece, HERE, TODAY, mine, sealed())

    def test_forged_piece(self) -> None:
        """Who knows the name can seal anything under the key of a piece: without its hash it is not that piece."""
        wanted = reference_of(b"mine")
        key = HERE.cipher(TODAY, wanted)
        bound = b"\2" + HERE.lookup_key(TODAY, wanted) + SLOT
        for content in (b"\0\5yours", b"\xff\xff", b""):
            forged = key.encrypt(bytes(12), content.ljust(CONTENT_LENGTH, b"\0"), bound)
            item = b"\2" + SLOT + bytes(12) + forged
            self.assertRaises(BadPapers, open_piece, HERE, TODAY, wanted, item)

    def test_bound(self) -> None:
        """An item opens for its name and its day only."""
        item = sealed()
        bob = Place.of_name("bob@example.com")
        for place, day in ((bob, TODAY), (HERE, TODAY + 1), (HERE, TODAY - 1)):
            self.assertRaises(BadPapers, open_item, place, day, item)

    def test_re_slotted(self) -> None:
        """An item that was put under another publication key does not open."""
        item = sealed()
        moved = item[:1] + b"x" * 32 + item[33:]
        self.assertRaises(BadPapers, open_item, HERE, TODAY, moved)

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
        error = self.assertRaises(BadPapers, open_item, HERE, TODAY, b"\1" + sealed()[1:])
        self.assertIn("version 1", str(error))

    def test_lengths(self) -> None:
        """One that is too short, too long or cut short anywhere is refused."""
        item = sealed()
        for wrong in (item + b"\0", bytes(ITEM_LENGTH + 1), *(item[:end] for end in range(len(item)))):
            self.assertRaises(BadPapers, open_item, HERE, TODAY, wrong)

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_garbled(self, at: int, flip: int) -> None:
        """One with an octet changed is refused."""
        item = bytearray(sealed())
        item[at % len(item)] ^= flip
        self.assertRaises(BadPapers, open_item, HERE, TODAY, bytes(item))

    @given(st.binary(max_size=120))
    def test_garbage_inside(self, content: bytes) -> None:
        """Somebody who knows the name may seal anything: it is refused, or is papers to be checked."""
        item = seal_anything(content)
        try:
            opened = open_item(HERE, TODAY, item)
        except BadPapers:
            return
        self.assertEqual(opened.statement is None, bool(opened.annex.statement))


def seal_anything(content: bytes) -> bytes:
    """Return an item with any content, as somebody who knows the name could make it."""
    secret = hmac.digest(b"p2pship open mode v1", example.AOR.encode(), "sha256")
    info = b"sealing key\0" + TODAY.to_bytes(4, "big")
    key = hmac.digest(secret, info + b"\1", "sha256")
    bound = b"\2" + HERE.lookup_key(TODAY) + SLOT
    padded = content.ljust(CONTENT_LENGTH, b"\0")
    return b"\2" + SLOT + bytes(12) + AESGCM(key).encrypt(bytes(12), padded, bound)
