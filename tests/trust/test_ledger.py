"""Tests of the ledger: kept, merged, and not to be won by a wrong clock."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.identity.cbor import encode
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust import ledger as module
from p2pship.trust.entry import WRITER_OCTETS, BadEntry, Entry
from p2pship.trust.ledger import BLOCK, CONTACT, GUEST, PAIR, PIN, REVOKED, SCHEMA, Ledger

OWN, BOB = "alice@example.com", "bob@example.org"
NOW = 1_750_000_000
YEAR = 365 * 24 * 3600


class PretendedVault:
    """Seals nothing."""

    def seal(self, purpose: str, data: bytes) -> bytes:
        """Return the data."""
        return data

    def open_sealed(self, purpose: str, sealed: bytes) -> bytes:
        """Return the data."""
        return sealed

    def watch(self, changed: object) -> None:
        """Never change."""


def ledger(clock: Clock, device: int = 1) -> Ledger:
    """Return an empty ledger of a device, in memory."""
    database = Database(":memory:", [SCHEMA])
    return Ledger(
        database, cast(Vault, PretendedVault()), cast(IReactorTime, clock), lambda n: bytes([device]) * n
    )


def contents(one: Ledger) -> set[tuple[object, ...]]:
    """Return everything in a ledger, removed entries too."""
    return {(each.kind, each.name, each.stamp, each.value) for each in one.entries(OWN)}


def clock_at(seconds: float) -> Clock:
    """Return a clock that shows a Unix time."""
    clock = Clock()
    clock.advance(seconds)
    return clock


ENTRIES = st.builds(
    Entry,
    st.sampled_from([CONTACT, PIN, REVOKED]),
    st.sampled_from([BOB, "carol@example.net"]),
    st.builds(
        lambda moment, device: (NOW * 1000 + moment).to_bytes(8, "big") + b"\0\0" + bytes([device]) * 8,
        st.integers(-3, 3),
        st.integers(1, 2),
    ),
    st.sampled_from([None, encode(1), encode({"name": "Bob"})]),
)
"Few names and moments, so that entries meet."


class TogetherTests(SynchronousTestCase):
    """What is kept at once."""

    def setUp(self) -> None:
        self.ledger = ledger(clock_at(NOW))
        self.ledger.put(OWN, PIN, BOB, "pin")
        self.heard: list[tuple[str, str, str]] = []
        self.ledger.watch(lambda *entry: self.heard.append(entry))

    def test_all(self) -> None:
        """Everything counts from the end of the block on, and is told then."""
        with self.ledger.together():
            self.ledger.put(OWN, CONTACT, BOB, "contact")
            self.ledger.remove(OWN, PIN, BOB)
            self.assertEqual((self.ledger.get(OWN, PIN, BOB), self.heard), ("pin", []))
        self.assertEqual(
            (self.ledger.items(OWN, CONTACT), self.ledger.items(OWN, PIN)), ({BOB: "contact"}, {})
        )
        self.assertEqual(self.heard, [(OWN, CONTACT, BOB), (OWN, PIN, BOB)])
        self.ledger.put(OWN, PIN, BOB, "again")
        self.assertEqual(self.ledger.get(OWN, PIN, BOB), "again")

    def test_within_another(self) -> None:
        """A block within a block is kept with that, or not at all."""

        def work() -> None:
            with self.ledger.together():
                with self.ledger.together():
                    self.ledger.remove(OWN, PIN, BOB)
                self.assertEqual(self.heard, [])
                self.ledger.put(OWN, CONTACT, BOB, None)

        self.assertRaises(LocalError, work)
        self.assertEqual((self.heard, self.ledger.get(OWN, PIN, BOB)), ([], "pin"))

    def test_nothing(self) -> None:
        """Of a block that fails nothing is kept."""
        before = contents(self.ledger)
        try:
            with self.ledger.together():
                self.ledger.remove(OWN, PIN, BOB)
                self.ledger.put(OWN, CONTACT, BOB, None)
        except LocalError:
            pass
        self.assertEqual((contents(self.ledger), self.heard), (before, []))


class MergingTests(SynchronousTestCase):
    """Copies become the same, in whatever order they meet."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.lists(ENTRIES, max_size=6), max_size=4), st.randoms(use_true_random=False))
    def test_any_order(self, batches: list[list[Entry]], random: object) -> None:
        """Merging is commutative, associative and idempotent."""
        one, other = ledger(clock_at(NOW)), ledger(clock_at(NOW), 2)
        for batch in batches:
            one.merge(OWN, batch)
        mixed = [entry for batch in batches for entry in batch]
        random.shuffle(mixed)  # type: ignore[attr-defined]
        for entry in mixed:
            other.merge(OWN, [entry])
        self.assertEqual(contents(one), contents(other))
        self.assertEqual(one.merge(OWN, [*other.entries(OWN), *mixed]), [])

    def test_two_devices(self) -> None:
        """The later decision wins on both devices, a removal too; each is told what changed."""
        clock = clock_at(NOW)
        laptop, phone = ledger(clock, 1), ledger(clock, 2)
        laptop.put(OWN, CONTACT, BOB, {"name": "Bob"})
        self.assertEqual(phone.merge(OWN, laptop.entries(OWN)), [(CONTACT, BOB)])
        self.assertTrue(phone.remove(OWN, CONTACT, BOB))
        told: list[tuple[str, str, str]] = []
        laptop.watch(lambda *entry: told.append(entry))
        laptop.merge(OWN, phone.entries(OWN))
        self.assertIsNone(laptop.get(OWN, CONTACT, BOB))
        self.assertEqual(told, [(OWN, CONTACT, BOB)])
        self.assertEqual(laptop.stamps(OWN), phone.stamps(OWN))

    def test_two_identities(self) -> None:
        """Nothing in the stamps of two identities says that one device wrote both, also if one is ahead of all clocks."""
        database = Database(":memory:", [SCHEMA])
        vault, clock = cast(Vault, PretendedVault()), clock_at(NOW)
        one = Ledger(database, vault, cast(IReactorTime, clock), os.urandom)
        ahead = (int(NOW * 1000) + 60_000).to_bytes(8, "big") + bytes(10)
        one.merge(OWN, [Entry(CONTACT, BOB, ahead, encode({}))])
        for own in (OWN, "other@example.com"):
            for name in ("carol@example.com", "dave@example.com"):
                one.put(own, CONTACT, name, {})
        stamps = {own: [entry.stamp for entry in one.entries(own)] for own in one.owners()}
        writers = [{stamp[-WRITER_OCTETS:] for stamp in stamps[own] if stamp != ahead} for own in stamps]
        self.assertEqual([len(each) for each in writers], [1, 1])
        self.assertNotEqual(*writers)
        self.assertLess(max(stamps["other@example.com"]), ahead)
        one.drop(OWN)
        one.put(OWN, CONTACT, BOB, {})
        ((_, anew),) = one.stamps(OWN).items()
        self.assertNotIn(anew[-WRITER_OCTETS:], writers[0], "one that comes back has another writer")

    def test_slow_clock(self) -> None:
        """Who writes after having read is newer, though their clock is behind."""
        fast, slow = ledger(clock_at(NOW + 600), 1), ledger(clock_at(NOW), 2)
        fast.put(OWN, CONTACT, BOB, 1)
        slow.merge(OWN, fast.entries(OWN))
        slow.put(OWN, CONTACT, BOB, 2)
        fast.merge(OWN, slow.entries(OWN))
        self.assertEqual(fast.get(OWN, CONTACT, BOB), 2)

    def test_clock_far_ahead(self) -> None:
        """What a clock a year ahead has written is not taken, and once that clock is put right it does not win for ever."""
        wrong, right = clock_at(NOW + YEAR), ledger(clock_at(NOW), 2)
        broken = ledger(wrong, 1)
        broken.put(OWN, CONTACT, BOB, "of a year ahead")
        self.assertEqual(right.merge(OWN, broken.entries(OWN)), [])
        right.put(OWN, CONTACT, BOB, "first")
        wrong.advance(-YEAR + 1)
        self.assertEqual(right.merge(OWN, broken.entries(OWN)), [(CONTACT, BOB)])
        self.assertEqual(right.get(OWN, CONTACT, BOB), "of a year ahead")
        right.put(OWN, CONTACT, BOB, "second")
        broken.merge(OWN, right.entries(OWN))
        self.assertEqual(broken.get(OWN, CONTACT, BOB), "second")

    def test_backup_of_wrong_clock(self) -> None:
        """What was written while a clock was ahead, or is brought back while it is behind, is not lost with its only copy."""
        other = ledger(clock_at(NOW + YEAR), device=2)
        other.put(OWN, CONTACT, BOB, {"name": "Bob"})
        mine = ledger(clock_at(NOW))
        self.assertEqual(mine.merge(OWN, other.entries(OWN), whole=True), [(CONTACT, BOB)])
        self.assertEqual(mine.get(OWN, CONTACT, BOB), {"name": "Bob"})
        (entry,) = mine.entries(OWN)
        self.assertEqual(entry.moment, NOW * 1000)

    def test_revoked_for_ever(self) -> None:
        """A revocation cannot be taken back, here or by what another device sends."""
        one = ledger(clock_at(NOW))
        one.put(OWN, REVOKED, "x", 1)
        with self.assertRaises(LocalError):
            one.remove(OWN, REVOKED, "x")
        self.assertEqual(one.merge(OWN, [Entry(REVOKED, "x", b"\0" * 2 + b"\xff" * 16, None)]), [])
        self.assertEqual(one.get(OWN, REVOKED, "x"), 1)

    def test_garbage(self) -> None:
        """Of entries with one that is not of its form, none is taken."""
        one = ledger(clock_at(NOW))
        good = Entry(CONTACT, BOB, (NOW * 1000).to_bytes(8, "big") + bytes(10), encode(1))
        for bad in (
            Entry("", BOB, bytes(18), None),
            Entry("ü", BOB, bytes(18), None),
            Entry(CONTACT, "", bytes(18), None),
            Entry(CONTACT, "x" * 513, bytes(18), None),
            Entry(CONTACT, BOB, bytes(17), None),
            Entry(CONTACT, BOB, bytes(18), b"\xff"),
            Entry(CONTACT, BOB, bytes(18), encode(bytes(8192))),
            Entry(CONTACT, BOB, bytes(18), encode([[]] * 64)),
            Entry(CONTACT, "\x1b[2J@example.org", bytes(18), None),
            Entry(CONTACT, "\u202ebob@example.org", bytes(18), None),
        ):
            with self.assertRaises(BadEntry):
                one.merge(OWN, [good, bad])
        self.assertEqual(one.entries(OWN), [])


class PoisonTests(SynchronousTestCase):
    """A stolen device, which still is one of the person's, writes into the ledger what it likes."""

    def written(self, name: str, value: object, kind: str = CONTACT) -> Entry:
        """Return an entry as a stolen device makes it."""
        return Entry(kind, name, (NOW * 1000).to_bytes(8, "big") + b"\0\0stolen..", encode(value))

    def test_too_many(self) -> None:
        """It cannot fill the ledger so that its owner can decide nothing more, on no other device."""
        self.patch(module, "MOST_TAKEN", 30)
        self.patch(module, "MOST_ENTRIES", 40)
        one = ledger(clock_at(NOW))
        flood = [self.written(f"x{number}@example.net", {}) for number in range(100)]
        self.assertEqual(len(one.merge(OWN, flood)), 30)
        for number in range(10):
            one.put(OWN, BLOCK, f"thief{number}@example.net", {})
        with self.assertRaises(LocalError):
            one.put(OWN, BLOCK, "thief@example.net", {})
        newer = Entry(
            CONTACT, "x0@example.net", one.stamps(OWN)[BLOCK, "thief9@example.net"], encode({"a": 1})
        )
        self.assertEqual(
            one.merge(OWN, [*flood, newer]), [newer.key]
        )  # what is there goes on to be kept in step

    def test_too_long(self) -> None:
        """Nor the memory: octets are counted, those of entries that are written anew only once."""
        self.patch(module, "MOST_OCTETS_TAKEN", 30_000)
        self.patch(module, "MOST_OCTETS", 35_000)
        one = ledger(clock_at(NOW))
        flood = [self.written(f"x{number}@example.net", bytes(8_000)) for number in range(10)]
        self.assertEqual(len(one.merge(OWN, flood)), 3)
        for number in range(20):
            one.put(OWN, BLOCK, BOB, {"note": "x" * 5_000 + str(number)})
        with self.assertRaises(LocalError):
            one.put(OWN, BLOCK, "x@example.net", {"note": "x" * 7_000})
        one.remove(OWN, CONTACT, flood[0].name)
        one.put(OWN, BLOCK, "x@example.net", {"note": "x" * 7_000})
        one.drop(OWN)
        self.assertEqual(len(one.merge(OWN, flood)), 3)

    def test_of_this_device(self) -> None:
        """It cannot mark an identity as one that the next start removes, and does not hear what is marked here."""
        one = ledger(clock_at(NOW))
        self.assertEqual(one.merge(OWN, [self.written("link", {}, GUEST)]), [])
        one.put(OWN, GUEST, "link", {})
        self.assertEqual((one.entries(OWN), one.stamps(OWN)), ([], {}))
        self.assertIsNotNone(one.get(OWN, GUEST, "link"))


class KeepingTests(SynchronousTestCase):
    """What is on disk."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(mode=0o700)
        self.vault = Vault.open(self.folder)
        self.path = self.folder / "database"

    def opened(self) -> Ledger:
        """Return the ledger as the next run finds it."""
        database = Database(self.path, [SCHEMA])
        self.addCleanup(database.close)
        return Ledger(database, self.vault, cast(IReactorTime, clock_at(NOW)), os.urandom)

    def test_reopened(self) -> None:
        """Everything is there again, and new entries are newer than it; a dropped ledger is gone."""
        one = self.opened()
        one.put(OWN, CONTACT, BOB, {"name": "Bob"})
        one.put(OWN, PAIR, BOB, b"secret of both")
        one.remove(OWN, CONTACT, BOB)
        again = self.opened()
        self.assertEqual(contents(again), contents(one))
        again.put(OWN, CONTACT, BOB, 1)
        self.assertEqual(again.get(OWN, CONTACT, BOB), 1)
        self.assertGreater(again.stamps(OWN)[CONTACT, BOB], one.stamps(OWN)[CONTACT, BOB])
        again.drop(OWN)
        self.assertEqual(self.opened().entries(OWN), [])

    def test_secret(self) -> None:
        """A secret value stands nowhere on the disk as it is, and does not open in another row."""
        one = self.opened()
        one.put(OWN, PAIR, BOB, b"secret of both")
        written = b"".join(path.read_bytes() for path in self.folder.glob("database*"))
        self.assertNotIn(b"secret of both", written)
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE ledger_entry SET name = 'eve@example.com'")
        connection.close()
        with self.assertRaises(LocalError):
            self.opened()

    def test_refused(self) -> None:
        """What could not be told to other devices is not taken."""
        one = self.opened()
        for name, value in ((BOB, None), (BOB, bytes(8192)), ("x" * 513, 1)):
            with self.assertRaises(LocalError):
                one.put(OWN, CONTACT, name, value)
        self.assertEqual(one.entries(OWN), [])
