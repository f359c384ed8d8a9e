"""What is published of an identity at a time, and for how long that stays true."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.keys import raw_public
from p2pship.identity.place import DAY, Place
from p2pship.identity.record import verify_record
from p2pship.identity.seal import open_item
from p2pship.journal import Journal
from p2pship.lookup.edition import ANNOUNCING_TIME, Edition, new_edition, renewed, sealed
from p2pship.storage.database import Database
from tests.lookup.people import LOOPBACK, NOW, PRIVATE, PUBLIC

ALICE = "alice@example.com"


class EditionTests(SynchronousTestCase):
    """One record in two forms."""

    def setUp(self) -> None:
        self.start(NOW)

    def start(self, now: float) -> None:
        """Begin with an identity made at a time."""
        self.clock = Clock()
        self.clock.advance(now)
        database = Database(":memory:", SCHEMAS)
        self.addCleanup(database.close)
        self.keyring = Keyring(Path(self.mktemp()), database, Journal(), self.clock)
        self.alice = self.keyring.create(ALICE)

    def edition(self, *locators: object) -> Edition:
        """Make an edition with these locators."""
        return new_edition(self.keyring, self.alice, locators, self.clock.seconds())  # type: ignore[arg-type]

    def days(self, edition: Edition, wide_area: bool = False) -> list[int]:
        """Return the days for which it is sealed, counted from today, in the order of publication."""
        now = self.clock.seconds()
        today = int(now // DAY)
        items = sealed(edition, wide_area, now)
        by_key = {
            Place.of_name(ALICE).lookup_key(today + day): day for day in range(-2, 3) if today + day >= 0
        }
        for slot, item in items.items():
            day = by_key[slot.lookup_key]
            self.assertEqual(
                open_item(Place.of_name(ALICE), today + day, item).publication_key, slot.publication_key
            )
        return [by_key[slot.lookup_key] for slot in items]

    def test_two_forms(self) -> None:
        """The public form leaves out what means something here only, and is the same in all else."""
        edition = self.edition(PRIVATE, PUBLIC, LOOPBACK)
        full, public = (verify_record(form, NOW) for form in (edition.full, edition.public))
        self.assertEqual((full.locators, public.locators), ((PRIVATE, PUBLIC, LOOPBACK), (PUBLIC,)))
        self.assertEqual((full.sequence, full.expires), (public.sequence, public.expires))

    def test_one_form(self) -> None:
        """Where every locator is public there is one form; where none is, the wide world hears of the device, and of no locator."""
        public = self.edition(PUBLIC)
        self.assertEqual(public.public, public.full)
        private = self.edition(PRIVATE)
        self.assertEqual(verify_record(private.public, NOW).locators, ())
        self.assertEqual((self.days(private), self.days(private, wide_area=True)), ([0, 1, -1], [0, 1, -1]))

    def test_slots_can_be_signed(self) -> None:
        """Each slot has the private key to its publication key: the device's own, or that of a friend's place."""
        edition = self.edition(PUBLIC)
        for place in (Place.of_name(ALICE), Place.between(bytes(32), ALICE, "bob@example.com")):
            for slot in sealed(edition, False, NOW, place):
                self.assertEqual(raw_public(slot.private_key), slot.publication_key)
                self.assertNotIn("private", repr(slot))

    def test_no_locators(self) -> None:
        """A device that nobody could dial is not published."""
        self.assertEqual(self.days(self.edition()), [])

    def test_current(self) -> None:
        """It is fresh for an eighth of its life, and not before it was made; it says one statement and these locators."""
        edition = self.edition(PUBLIC)
        for later, fresh in (
            (0, True),
            (ANNOUNCING_TIME / 2 - 1, True),
            (ANNOUNCING_TIME / 2, False),
            (-1, False),
        ):
            self.assertIs(edition.is_fresh(NOW + later), fresh)
        self.assertTrue(edition.says(self.alice, [PUBLIC]))
        self.assertFalse(edition.says(self.alice, [PUBLIC, PRIVATE]))

    def test_renewed(self) -> None:
        """Renewed, it says the same for longer, under the same sequence: neither form is stale for who has the other."""
        edition = self.edition(PRIVATE, PUBLIC)
        later = renewed(edition, NOW + 1000)
        for old, new in ((edition.full, later.full), (edition.public, later.public)):
            before, after = verify_record(old, NOW), verify_record(new, NOW + 1000)
            self.assertEqual((after.sequence, after.locators), (before.sequence, before.locators))
            self.assertEqual(after.expires - before.expires, 1000)
        self.assertFalse(edition.says_less(later))

    def test_clock_that_was_never_set(self) -> None:
        """On the first day of 1970 there is no yesterday to publish for."""
        self.start(3600.0)
        self.assertEqual(self.days(self.edition(PUBLIC)), [0, 1])
