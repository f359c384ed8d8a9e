"""Searches for people whose papers have no room in one item, and what others make of that."""

from __future__ import annotations

import os

from p2pship.errors import RemoteError
from p2pship.identity.annex import PIECE_LENGTH, reference_of
from p2pship.identity.certificate import self_signed
from p2pship.identity.place import Place
from p2pship.identity.seal import seal, seal_piece
from p2pship.identity.verdict import NameGrade
from p2pship.identity.verify import papers_from
from p2pship.lookup.candidate import Candidate, Found, Slot
from p2pship.lookup.pieces import ANNEX_TIME, MOST_FETCHED
from p2pship.lookup.piecestore import MOST_KEPT, PieceStore
from p2pship.lookup.search import COLLECTING_TIME
from p2pship.testing.lookup import MemoryDirectory, unsigned_slot
from tests.lookup.people import BOB, DAY, NOW, Person, RecordingFindReceiver
from tests.lookup.test_chain import ChainTestCase

HERE = Place.of_name(BOB)
AUTHORITY = b"a family"


class AnnexTestCase(ChainTestCase):
    """Bob has an authority that vouches for him."""

    def setUp(self) -> None:
        super().setUp()
        certificates = [self_signed(self.bob.identity_key, BOB, NOW) for _ in range(3)]
        self.bob.chain, self.bob.authority = b"".join(certificates), AUTHORITY

    def publish_all(self, person: Person, device: int = 0, **record: object) -> None:
        """Put a device of a person into the directory, with the pieces of the annex."""
        self.directory.items.update(person.items(device, **record))  # type: ignore[arg-type]

    def pieces_in(self, directory: dict[Slot, bytes]) -> list[Slot]:
        """Return the slots of pieces."""
        return [slot for slot in directory if slot.lookup_key != HERE.lookup_key(DAY)]


class StatementPiecesTests(AnnexTestCase):
    """Statements that have no room."""

    def test_sixteen_devices(self) -> None:
        """All sixteen devices of a person are found, though no item has room for their statement."""
        bob = Person(devices=16)
        for device in range(16):
            self.publish_all(bob, device)
        self.assertEqual(self.outcome().found, 16)
        self.assertEqual(set(self.receiver.device_keys), {device.key for device in bob.devices})

    def test_asked_once(self) -> None:
        """Pieces to which several devices refer are asked for once, and not at all in the next search."""
        bob = Person(devices=16)
        for device in range(16):
            self.publish_all(bob, device)
        lookup = self.memory()
        chain = self.chain(lookup)
        for asked in (3, 1):
            lookup.questions.clear()
            chain.find(BOB, self.own, RecordingFindReceiver())
            self.clock.pump([0.01] * 10)
            self.assertEqual(len(lookup.asked), asked, "the item, and two pieces")

    def test_missing(self) -> None:
        """Whose statement cannot be found is not found either, and the outcome says why; nothing stays behind."""
        bob = Person(devices=16)
        self.publish_all(bob)
        for slot in self.pieces_in(self.directory.items):
            del self.directory.items[slot]
        outcome = self.outcome()
        self.assertEqual(outcome.found, 0)
        self.assertIn("its pieces were not found", outcome.refused[0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """A search that is cancelled while pieces are fetched leaves nothing behind."""
        self.publish_all(Person(devices=16))
        lookup = self.memory(delay=0.2)
        self.find(lookup)
        self.clock.advance(0.2)
        self.assertGreater(len(lookup.asked), 1)
        self.search.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_enough(self) -> None:
        """Whoever has enough at the first of several devices that wait for the same pieces ends the search for all of them."""
        bob = Person(devices=16)
        self.trust.grades[bob.key] = NameGrade.KNOWN
        for device in range(16):
            self.publish_all(bob, device)
        self.find(self.memory(delay=0.1))
        found: list[Found] = []

        def enough(device: Found) -> None:
            found.append(device)
            self.search.cancel()

        self.receiver.device_found = enough  # type: ignore[method-assign, assignment]
        self.clock.pump([0.1] * 3)
        self.assertEqual(len(found), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ChainPiecesTests(AnnexTestCase):
    """Certificates."""

    def test_verified_at_once(self) -> None:
        """A name that an authority of ours vouches for is dialled at once: its certificates come during the search."""
        self.trust.authorities.add(AUTHORITY)
        self.publish_all(self.bob)
        self.find(self.memory(lasting=1.0))
        self.clock.pump([0.001] * 5)
        self.assertEqual([found.verdict.name for found in self.receiver.found], [NameGrade.VERIFIED])
        self.assertEqual(b"".join(self.receiver.found[0].papers.chain), self.bob.chain)

    def test_nobody_asks(self) -> None:
        """Certificates of an authority that we do not trust are not even asked for."""
        self.publish_all(self.bob)
        lookup = self.memory()
        self.assertEqual(self.outcome(lookup).found, 1)
        self.assertEqual(len(lookup.asked), 1)
        self.assertEqual(self.trust.chains, [()])

    def test_none_to_be_had(self) -> None:
        """Where they cannot be found the person is judged without, after a while."""
        self.trust.authorities.add(AUTHORITY)
        self.publish_all(self.bob)
        for slot in self.pieces_in(self.directory.items):
            del self.directory.items[slot]
        self.find(self.memory(lasting=10.0))
        self.clock.pump([0.1] * int(10 * (ANNEX_TIME + 2 * COLLECTING_TIME) + 1))
        self.assertEqual([found.verdict.name for found in self.receiver.found], [NameGrade.UNPROVEN])

    def test_swapped(self) -> None:
        """True papers that a liar sealed anew with other certificates are not held against their owner."""
        self.trust.authorities.add(AUTHORITY)
        eve = Person()
        eve.chain = b"0\x03eve"
        key = self.bob.devices[0].publication_key
        item = seal(HERE, DAY, key, self.bob.statement(), self.bob.record(), chain=eve.chain)
        reference = reference_of(eve.chain)
        self.directory.items[unsigned_slot(HERE.lookup_key(DAY), b"eve")] = item
        piece = seal_piece(HERE, DAY, key, eve.chain)
        self.directory.items[unsigned_slot(HERE.lookup_key(DAY, reference), b"eve")] = piece
        self.publish_all(self.bob)
        self.assertEqual(self.outcome().refused, ())
        self.assertIn(NameGrade.VERIFIED, [found.verdict.name for found in self.receiver.found])
        self.assertEqual(self.journal.counts["lookup.wrong_chain"], 1)

    def test_flood_of_fakes(self) -> None:
        """However many fake pieces are under a key, the true one is found among them and nothing else is taken."""
        self.trust.authorities.add(AUTHORITY)
        key = self.bob.devices[0].publication_key
        first = reference_of(self.bob.chain[:PIECE_LENGTH])
        place = HERE.lookup_key(DAY, first)
        for number in range(200):
            fake = seal_piece(HERE, DAY, key, b"fake %d" % number)
            self.directory.items[unsigned_slot(place, b"%d" % number)] = fake if number % 2 else bytes(960)
        self.publish_all(self.bob)
        self.assertEqual(self.outcome().found, 1)
        self.assertEqual(self.receiver.found[0].verdict.name, NameGrade.VERIFIED)

    def test_bounded_questions(self) -> None:
        """Who knows the name cannot make us ask for more than some pieces, whatever is referred to."""
        self.trust.authorities.add(AUTHORITY)
        for number in range(60):
            eve = Person()
            eve.authority, eve.chain = AUTHORITY, b"%d" % number * 4000
            self.directory.items[unsigned_slot(HERE.lookup_key(DAY), b"%d" % number)] = next(
                iter(eve.items().values())
            )
        lookup = self.memory()
        self.outcome(lookup)
        self.assertLessEqual(len(lookup.asked), 1 + MOST_FETCHED)

    def test_crowd(self) -> None:
        """Who knows the name and refers to many pieces in one lookup does not keep out those of who is found through another."""
        self.trust.authorities.add(AUTHORITY)
        lying = self.memory("lying")
        lying._directory = MemoryDirectory()
        for number in range(20):
            eve = Person()
            eve.authority, eve.chain = AUTHORITY, os.urandom(4000)
            lying._directory.items[unsigned_slot(HERE.lookup_key(DAY), b"%d" % number)] = next(
                iter(eve.items().values())
            )
        self.publish_all(self.bob)
        self.outcome(lying, self.memory("good", delay=COLLECTING_TIME / 2))
        self.assertEqual([each.papers.statement.key for each in self.receiver.found], [self.bob.key])

    def test_copied(self) -> None:
        """Who refers to many pieces, and publishes a copy of a known device's item besides, keeps out neither that nor its pieces."""
        bob, lookup = Person(devices=16), self.memory()
        self.keyring.accept_statement(
            papers_from(bob.statement(), bob.record(), NOW).statement, NOW, keep=True
        )
        self.trust.authorities.add(AUTHORITY)
        self.publish_all(bob)
        item = self.directory.items.pop(next(iter(bob.items())))
        lookup.lasting = 1.0
        self.prove(bob)
        self.find(lookup)
        (part,) = [part for part, _ in self.search._parts]  # type: ignore[attr-defined]
        for _ in range(20):
            eve = Person()
            eve.authority, eve.chain = AUTHORITY, os.urandom(4000)
            part.candidate_received(Candidate(next(iter(eve.items().values())), "memory"))
        for signer, found in ((b"", 0), (bob.devices[0].publication_key, 1)):
            part.candidate_received(Candidate(item, "memory", signer=signer))
            self.clock.advance(0.1)
            keys = [each.papers.statement.key for each in self.receiver.found]
            self.assertEqual(keys.count(bob.key), found)

    def test_store_is_bounded(self) -> None:
        """Only so many pieces are kept."""
        store = PieceStore()
        for number in range(MOST_KEPT + 1):
            store.keep(b"%d" % number, b"piece")
        self.assertEqual((store.get(b"0"), store.get(b"1")), (None, b"piece"))

    def test_lookup_that_fails(self) -> None:
        """A lookup that answers and then fails for the pieces does no more harm than one without them."""
        self.trust.authorities.add(AUTHORITY)
        self.publish_all(self.bob)
        lookup = self.memory()
        self.find(lookup, self.memory("other", failure=RemoteError("down")))
        self.clock.pump([0.01] * 200)
        self.assertEqual(self.receiver.outcome.found, 1)


class RivalTests(AnnexTestCase):
    """Others who claim the name."""

    def changed(self, person: Person) -> None:
        """Have a person's key be another than the confirmed one."""
        self.trust.grades[person.key] = NameGrade.CHANGED

    def test_quick_liar(self) -> None:
        """A liar who answers 10 ms before the pinned key is passed over and told to the journal; nothing is changed."""
        liar = Person()
        self.changed(liar)
        self.trust.grades[self.bob.key] = NameGrade.KNOWN
        quick, slow = self.memory("quick"), self.memory("slow", delay=0.01)
        slow._directory = type(self.directory)()
        slow._directory.items[self.bob.slot()] = self.bob.item()
        self.publish(liar)
        outcome = self.outcome(quick, slow)
        self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key])
        self.assertFalse(outcome.changed)
        self.assertEqual(self.journal.counts["OtherKeyIgnored"], 1)

    def test_changed(self) -> None:
        """Only when nobody with the confirmed key is there does the outcome say that it has changed."""
        liar = Person()
        self.changed(liar)
        self.publish(liar)
        outcome = self.outcome()
        self.assertEqual((outcome.changed, outcome.found, self.receiver.found), (True, 0, []))

    def test_revoked_device(self) -> None:
        """A stolen device that goes on with the statement of before, and ever higher sequences, is not found."""
        self.trust.grades[self.bob.key] = NameGrade.KNOWN
        thief = self.bob.devices[0]
        old = Person()
        old.identity_key, old.key, old.devices = self.bob.identity_key, self.bob.key, [thief]
        self.bob.devices = Person().devices
        self.publish_all(self.bob, version=2)
        for sequence in (10**15, 10**16):
            key = unsigned_slot(HERE.lookup_key(DAY), b"%d" % sequence)
            self.directory.items[key] = old.item(sequence=sequence)
        outcome = self.outcome()
        self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key])
        self.assertIn("a newer statement", " ".join(outcome.refused))
