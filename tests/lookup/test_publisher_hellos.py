"""The records that the publisher gives to hellos, with lookups in memory and a clock."""

from __future__ import annotations

from dataclasses import replace

from p2pship.identity.record import verify_record
from p2pship.lookup.publisher import COALESCING_TIME, OLDEST_IN_HELLO
from tests.lookup.people import LOOPBACK, NOW, PUBLIC
from tests.lookup.test_publisher import ALICE, PublisherTestCase


class RecordForTests(PublisherTestCase):
    """The record for hellos."""

    def test_same_as_published(self) -> None:
        """A hello carries the very record that is published, so that this is not stale for who accepted the hello."""
        self.start(ALICE)
        identity = self.keyring.identities()[0]
        record = self.publisher.record_for(identity, self.locators, self.clock.seconds())
        self.assertEqual(record, self.papers(self.near).record.raw)

    def test_fewer_locators(self) -> None:
        """A hello that may show fewer locators carries the same record but for them: nothing is published anew for it."""
        self.start(ALICE)
        identity, now = self.keyring.identities()[0], self.clock.seconds()
        published, publications = self.papers(self.near).record, self.near.publications
        for shown in ((PUBLIC, LOOPBACK), (PUBLIC,), ()):
            raw = self.publisher.record_for(identity, shown, now)
            record = verify_record(raw, now)
            self.assertEqual(replace(record, locators=published.locators, raw=published.raw), published)
            self.assertEqual(record.locators, shown)
            self.assertEqual(self.publisher.record_for(identity, shown, now), raw)
        self.clock.advance(COALESCING_TIME)
        self.assertEqual(self.near.publications, publications)

    def test_between_rounds(self) -> None:
        """A hello makes nothing anew that a round will; only when the rounds have stopped does it do so itself."""
        self.start(ALICE)
        published = self.papers(self.near).record.raw
        self.successResultOf(self.publisher.stop())
        identity = self.keyring.identities()[0]
        for seconds, same in ((OLDEST_IN_HELLO - 1, True), (1, False)):
            self.clock.advance(seconds)
            record = self.publisher.record_for(identity, self.locators, self.clock.seconds())
            self.assertEqual(record == published, same)

    def test_before_the_first_round(self) -> None:
        """Before anything is published there is a record for a hello, and it is the one published then."""
        identity = self.keyring.create(ALICE)
        record = self.publisher.record_for(identity, self.locators, NOW)
        self.start()
        self.assertEqual(record, self.papers(self.near).record.raw)

    def test_other_locators(self) -> None:
        """With other locators the record is new, and is published at once."""
        self.start(ALICE)
        self.locators = (PUBLIC,)
        identity = self.keyring.identities()[0]
        record = self.publisher.record_for(identity, self.locators, self.clock.seconds())
        self.clock.advance(COALESCING_TIME)
        self.assertEqual(record, self.papers(self.near).record.raw)
        self.assertEqual(self.papers(self.near).record.locators, (PUBLIC,))
