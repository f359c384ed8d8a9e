"""The publisher, with lookups in memory and a clock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import Locator
from p2pship.errors import LocalError, RemoteError
from p2pship.identity.holdings import CERTIFICATE_FILE
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.papers import Papers
from p2pship.identity.place import DAY, Place, day_of
from p2pship.identity.seal import open_item
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.identity.verify import papers_from
from p2pship.journal import Fact, Journal, Published
from p2pship.lookup.candidate import Publishing, Slot
from p2pship.lookup.chance import SPREAD
from p2pship.lookup.edition import ANNOUNCING_TIME
from p2pship.lookup.outlet import FIRST_RETRY, LAST_RETRY, PUBLISH_TIME
from p2pship.lookup.publisher import (
    COALESCING_TIME,
    NOT_PUBLIC,
    WITHDRAWING_TIME,
    Publisher,
)
from p2pship.storage.database import Database
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup
from tests.identity.authority import Authority
from tests.lookup.people import LOOPBACK, NOW, PRIVATE, PUBLIC

ALICE = "alice@example.com"
TODAY = day_of(NOW)


class CountingLookup(MemoryLookup):
    """A lookup that counts how often it is told something."""

    publications = 0
    withdrawals = 0

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        self.publications += 1
        return super().publish(slot, item)

    def withdraw(self, slot: Slot) -> Deferred[None]:
        self.withdrawals += 1
        return super().withdraw(slot)


class PublisherTestCase(SynchronousTestCase):
    """A publisher with one near lookup and one of the wide area."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        database = Database(":memory:", SCHEMAS)
        self.addCleanup(database.close)
        self.keyring = Keyring(Path(self.mktemp()), database, Journal(), self.clock)
        self.near = CountingLookup(self.clock, MemoryDirectory(), "near")
        self.wide = CountingLookup(self.clock, MemoryDirectory(), "wide", wide_area=True)
        self.locators: Sequence[Locator] = (PRIVATE, PUBLIC, LOOPBACK)
        self.random = b"\x80\x00"
        self.journal = Journal()
        self.facts: list[Fact] = []
        self.journal.watch(self.facts.append)
        self.publisher = self.made()

    def made(self) -> Publisher:
        """Return a publisher for both lookups."""
        return Publisher(
            self.clock,
            self.keyring,
            [self.near, self.wide],
            lambda _: self.locators,
            self.journal,
            lambda length: self.random[:length],
        )

    def start(self, *aors: str) -> None:
        """Make identities, start, and let the first round be."""
        for aor in aors:
            self.keyring.create(aor)
        self.publisher.start()
        self.clock.advance(COALESCING_TIME)

    def published(self, lookup: MemoryLookup, aor: str = ALICE, day: int | None = None) -> Papers | None:
        """Return the papers that a lookup has for a day, today unless said, as a searcher would read them."""
        now = self.clock.seconds()
        day = day_of(now) if day is None else day
        items = lookup._directory.under(Place.of_name(aor).lookup_key(day))
        if not items:
            return None
        (item,) = items
        opened = open_item(Place.of_name(aor), day, item)
        assert opened.statement is not None
        return papers_from(opened.statement, opened.record, now, aor, opened.publication_key)

    def papers(self, lookup: MemoryLookup, aor: str = ALICE) -> Papers:
        """Return the papers that a lookup has, which has to have some."""
        papers = self.published(lookup, aor)
        assert papers is not None
        return papers


class PublishTests(PublisherTestCase):
    """What is published, where and when."""

    def test_three_days(self) -> None:
        """The same is found with yesterday's, today's and tomorrow's key, and with no other."""
        self.start(ALICE)
        for day in range(-3, 4):
            self.assertEqual(self.published(self.near, day=TODAY + day) is not None, abs(day) <= 1, day)

    def test_private_addresses(self) -> None:
        """Only a lookup of our own networks gets addresses that mean something there alone."""
        self.start(ALICE)
        self.assertEqual(self.papers(self.near).record.locators, (PRIVATE, PUBLIC, LOOPBACK))
        self.assertEqual(self.papers(self.wide).record.locators, (PUBLIC,))

    def troubles(self) -> dict[str, str]:
        """Return what the status says is wrong with each lookup."""
        return {each["name"]: each["trouble"] for each in self.publisher.status()}

    def test_search_only(self) -> None:
        """A lookup that says that nothing is published on it gets nothing; the status has it, with no trouble."""
        self.wide.publishing = Publishing.NONE
        self.publisher = self.made()
        self.start(ALICE)
        self.publisher.stop()
        self.assertEqual((self.wide.publications, self.wide.withdrawals), (0, 0))
        said = [(each["name"], each["trouble"], each["read_back"]) for each in self.publisher.status()]
        self.assertEqual(said, [("near", "", 0.0), ("wide", "", 0.0)])

    def test_one_sequence(self) -> None:
        """Both forms have the same sequence number, so that neither makes the other stale."""
        self.start(ALICE)
        near, wide = self.papers(self.near).record, self.papers(self.wide).record
        self.assertEqual(near.sequence, wide.sequence)
        self.assertEqual(self.troubles(), {"near": "", "wide": ""})

    def test_nothing_public(self) -> None:
        """Without a public address the wide area gets none, which the status says; without any address nobody gets anything."""
        self.locators = (PRIVATE,)
        self.start(ALICE)
        self.assertEqual(self.papers(self.wide).record.locators, ())
        self.assertEqual(self.troubles(), {"near": "", "wide": NOT_PUBLIC})
        self.assertEqual(self.papers(self.near).record.locators, (PRIVATE,))
        self.locators = ()
        self.publisher.locators_changed()
        self.clock.advance(COALESCING_TIME)
        self.assertEqual((self.near._directory.items, self.wide._directory.items), ({}, {}))
        self.assertEqual(self.troubles(), {"near": "", "wide": ""})

    def test_only_public(self) -> None:
        """If all addresses are public, both get the very same record."""
        self.locators = (PUBLIC,)
        self.start(ALICE)
        self.assertEqual(self.papers(self.near).record.raw, self.papers(self.wide).record.raw)

    def test_every_identity(self) -> None:
        """Each identity is published under its own name."""
        self.start(ALICE, "carol@example.com")
        for aor in (ALICE, "carol@example.com"):
            self.assertEqual(self.papers(self.near, aor).aor, aor)

    def test_new_identity(self) -> None:
        """A new identity is published at once; the others are not published again for it."""
        self.start(ALICE)
        before = self.near.publications
        self.keyring.create("carol@example.com")
        self.clock.advance(COALESCING_TIME)
        self.assertEqual(self.papers(self.near, "carol@example.com").aor, "carol@example.com")
        self.assertEqual(self.near.publications, before + 3)

    def test_locators_changed(self) -> None:
        """New locators are published at once, with a higher sequence; many changes together once."""
        self.start(ALICE)
        old, before = self.papers(self.near).record, self.near.publications
        for _ in range(5):
            self.clock.advance(COALESCING_TIME / 10)
            self.publisher.locators_changed()
        self.locators = (PUBLIC,)
        self.clock.advance(COALESCING_TIME)
        new = self.papers(self.near).record
        self.assertEqual(new.locators, (PUBLIC,))
        self.assertGreater(new.sequence, old.sequence)
        self.assertEqual(self.near.publications, before + 3)

    def test_nothing_changed(self) -> None:
        """If the locators turn out to be the same, nothing is published."""
        self.start(ALICE)
        before = self.near.publications
        self.publisher.locators_changed()
        self.clock.advance(COALESCING_TIME)
        self.assertEqual(self.near.publications, before)

    def test_announced(self) -> None:
        """A record holds for an hour, and is signed anew every 15 minutes, give or take a tenth, so that a valid one is always there."""
        self.assertEqual((RECORD_LIFETIME, ANNOUNCING_TIME, SPREAD), (3600, 900, 0.1))
        for random, part in ((b"\x00\x00", -SPREAD), (b"\xff\xff", SPREAD)):
            self.setUp()
            self.random = random
            self.start(ALICE)
            first = self.papers(self.near).record
            self.assertEqual(
                first.issued, int(self.clock.seconds()), "dated back is what is of a separate device"
            )
            self.clock.advance(ANNOUNCING_TIME * (1 + part) - 1)
            self.assertEqual(self.papers(self.near).record, first)
            self.clock.advance(2)
            second = self.papers(self.near).record
            self.assertEqual(second.sequence, first.sequence, "nothing else is said")
            self.assertGreater(second.expires, first.expires)

    def test_always_valid(self) -> None:
        """Through two midnights, with identities made now and then, what is published is always valid and for the day."""
        self.start(ALICE)
        for minute in range(0, 2 * DAY // 60, 7):
            if minute % 25 == 0:  # each of them moves the next round
                self.keyring.create(f"p{minute}@example.com")
            self.clock.advance(7 * 60)
            papers = self.papers(self.near)
            self.assertGreater(papers.record.expires, self.clock.seconds() + RECORD_LIFETIME / 6)
        self.assertEqual(self.near._directory.under(Place.of_name(ALICE).lookup_key(TODAY)), [])


class TroubleTests(PublisherTestCase):
    """Lookups that fail, and the end."""

    def told(self, lookup: str) -> list[str]:
        """Return the errors told of a lookup, empty ones for success."""
        return [fact.error for fact in self.facts if isinstance(fact, Published) and fact.lookup == lookup]

    def seconds_to_the_next_attempt(self) -> float:
        """Let time pass until the wide area is tried again, and return how much that was, rounded."""
        before, begun = self.wide.publications, self.clock.seconds()
        while self.wide.publications == before:
            self.clock.advance(0.1)
        return round(self.clock.seconds() - begun)

    def test_told_once(self) -> None:
        """That a name is published is told once, not with every half-life."""
        self.start(ALICE)
        self.clock.pump([ANNOUNCING_TIME * 1.2] * 3)
        self.assertEqual((self.told("near"), self.told("wide")), ([""], [""]))

    def test_one_fails(self) -> None:
        """A lookup that fails is tried again, rarer each time, and disturbs no other; it is told when that changes."""
        self.wide.failure = RemoteError("no way out")
        self.start(ALICE)
        self.assertIsNotNone(self.published(self.near))
        attempts = [self.seconds_to_the_next_attempt() for _ in range(3)]
        self.assertEqual(attempts, [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY])
        self.assertEqual(self.told("wide"), ["no way out"])
        self.wide.failure = None
        self.clock.advance(LAST_RETRY)
        self.assertIsNotNone(self.published(self.wide))
        self.assertEqual(self.told("wide"), ["no way out", ""])
        self.assertEqual(self.near.publications, 3)

    def test_takes_too_long(self) -> None:
        """A lookup that never says whether it has published has failed."""
        self.wide.delay = 1e9
        self.start(ALICE)
        self.clock.advance(PUBLISH_TIME)
        (error,) = self.told("wide")
        self.assertIn("longer", error)

    def test_lookup_with_a_bug(self) -> None:
        """A lookup that raises is a lookup that failed."""

        def publish(slot: Slot, item: bytes) -> Deferred[None]:
            raise ZeroDivisionError("a bug")

        self.wide.publish = publish  # type: ignore[method-assign]
        self.start(ALICE)
        self.assertIsNotNone(self.published(self.near))
        self.assertEqual(self.told("wide"), ["a bug"])

    def test_newer_while_publishing(self) -> None:
        """If there is news while the last is still being published, the news wins."""
        self.near.delay = 1.0
        self.start(ALICE)
        self.clock.advance(0.5)
        self.locators = (PUBLIC,)
        self.publisher.locators_changed()
        self.clock.pump([COALESCING_TIME] + [1.0] * 4)
        self.assertEqual(self.papers(self.near).record.locators, (PUBLIC,))
        self.assertEqual(self.told("near"), [""])

    def test_identity_that_cannot_sign(self) -> None:
        """An identity whose record cannot be signed is told of in the log, and does not keep the others back."""
        sign = self.keyring.record_for

        def record_for(identity: object, *rest: object) -> bytes:
            if getattr(identity, "aor", "") == ALICE:
                raise LocalError("the disk is full")
            return sign(identity, *rest)  # type: ignore[arg-type]

        self.keyring.record_for = record_for  # type: ignore[method-assign, assignment]
        self.start(ALICE, "carol@example.com")
        self.assertIsNone(self.published(self.near))
        self.assertIsNotNone(self.published(self.near, "carol@example.com"))

    def test_certificates_that_cannot_be_read(self) -> None:
        """A damaged file of one identity, which is certified, does not keep the others from being published."""
        self.keyring.create(ALICE)
        identity = self.keyring.identity(ALICE)
        assert identity is not None
        self.keyring.install_chain(ALICE, Authority().issue(ALICE, identity.key, days=365))
        (identity.folder / CERTIFICATE_FILE).unlink()
        self.start("carol@example.com")
        self.assertIsNone(self.published(self.near))
        self.assertIsNotNone(self.published(self.near, "carol@example.com"))

    def test_stopped(self) -> None:
        """Stopping takes everything back, and leaves no timer."""
        self.start(ALICE)
        stopped = self.publisher.stop()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual((self.near._directory.items, self.wide._directory.items), ({}, {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.keyring.create("carol@example.com")
        self.publisher.locators_changed()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_in_the_middle(self) -> None:
        """Stopping while something is being published or is to be repeated leaves nothing behind."""
        self.near.delay = 1.0
        self.wide.failure = RemoteError("no way out")
        self.start(ALICE)
        stopped = self.publisher.stop()
        self.clock.advance(1.0)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.near._directory.items, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_waits_not_for_ever(self) -> None:
        """A lookup that does not take its items back in time is left alone."""
        self.start(ALICE)
        self.near.delay = 1e9
        stopped = self.publisher.stop()
        self.assertNoResult(stopped)
        self.clock.advance(WITHDRAWING_TIME)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_before_the_start(self) -> None:
        """Stopping what was never started is harmless."""
        self.assertIsNone(self.successResultOf(self.publisher.stop()))
