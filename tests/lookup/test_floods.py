"""Who knows a name can publish under it as much as they like: what a search makes of that, with lookups in memory and a clock."""

from __future__ import annotations

from p2pship.identity.place import Place
from p2pship.identity.seal import seal
from p2pship.identity.verdict import NameGrade
from p2pship.identity.verify import papers_from
from p2pship.lookup.candidate import Candidate
from p2pship.lookup.part import MOST_CANDIDATES
from p2pship.lookup.search import COLLECTING_TIME, MOST_OPENED, MOST_REFUSALS
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup, unsigned_slot
from tests.lookup.people import BOB, DAY, NOW, Person
from tests.lookup.test_chain import ChainTestCase


class FloodTests(ChainTestCase):
    """More candidates than anybody honest has."""

    def test_bounded(self) -> None:
        """A flood of bad candidates is told in a few lines, counted, and ends at the limit."""
        for number in range(2 * MOST_CANDIDATES):
            self.directory.items[unsigned_slot(Place.of_name(BOB).lookup_key(DAY), b"%d" % number)] = (
                b"%d" % number
            )
        outcome = self.outcome()
        self.assertEqual(self.journal.counts["lookup.refused"], MOST_CANDIDATES)
        # They have one to three digits, which is all that the reason says of them.
        self.assertEqual((len(outcome.refused), self.journal.counts["PapersRefused"]), (3, 3))

    def test_other_keys_bounded(self) -> None:
        """However many keys other than the confirmed one come along, a few are told."""
        for _ in range(MOST_REFUSALS + 2):
            liar = Person()
            self.trust.grades[liar.key] = NameGrade.CHANGED
            self.publish(liar)
        self.assertTrue(self.outcome().changed)
        self.assertEqual(self.journal.counts["OtherKeyIgnored"], MOST_REFUSALS)

    def test_flood_of_good_ones(self) -> None:
        """Who knows the name can have no more than so many papers verified."""
        eve = Person()
        key = eve.devices[0].publication_key
        for number in range(2 * MOST_OPENED):
            item = seal(Place.of_name(BOB), DAY, key, eve.statement(), b"%d" % number)
            self.directory.items[unsigned_slot(Place.of_name(BOB).lookup_key(DAY), b"%d" % number)] = item
        self.outcome()
        self.assertEqual(self.journal.counts["lookup.refused"], MOST_OPENED)

    def test_signed_by_a_known_device(self) -> None:
        """Who knows the name and fills one lookup keeps nobody out whose device is known, and has signed what is kept there."""
        self.keyring.accept(papers_from(self.bob.statement(), self.bob.record(), NOW), NOW, keep=True)
        eve, full = Person(), MemoryLookup(self.clock, MemoryDirectory(), "full")
        full.lasting = 1.0
        for number in range(2 * MOST_OPENED):
            full._directory.items[unsigned_slot(self.bob.slot().lookup_key, b"%d" % number)] = eve.item(
                sequence=number
            )
        self.prove(self.bob)
        self.find(full)
        (part,) = [part for part, _ in self.search._parts]  # type: ignore[attr-defined]
        for signer, found in ((b"", 0), (b"another", 0), (self.bob.devices[0].publication_key, 1)):
            part.candidate_received(Candidate(self.bob.item(), "full", signer=signer))
            self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key] * found)

    def test_flood_in_one_lookup(self) -> None:
        """Garbage from one lookup does not keep another's answer out."""
        flooded = MemoryLookup(self.clock, MemoryDirectory(), "flooded")
        for number in range(2 * MOST_CANDIDATES):
            flooded._directory.items[unsigned_slot(Place.of_name(BOB).lookup_key(DAY), b"%d" % number)] = (
                b"%d" % number
            )
        self.publish(self.bob)
        self.assertEqual(self.outcome(flooded, self.memory("good", delay=0.02)).found, 1)

    def test_papers_of_one_lookup(self) -> None:
        """Who knows the name and fills one lookup with papers of his own keeps nobody out who is found through another."""
        eve, lying = Person(), MemoryLookup(self.clock, MemoryDirectory(), "lying")
        for number in range(2 * MOST_OPENED):
            lying._directory.items[unsigned_slot(self.bob.slot().lookup_key, b"%d" % number)] = eve.item(
                sequence=number
            )
        self.publish(self.bob)
        self.prove(self.bob)
        self.find(lying, self.memory("good", delay=COLLECTING_TIME / 2))
        self.clock.advance(COLLECTING_TIME / 2)
        self.assertEqual([each.papers.statement.key for each in self.receiver.found], [self.bob.key])
