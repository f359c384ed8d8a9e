"""Contacts are kept fresh: searched for in time, not too often, and not at all where a lookup tells by itself."""

from __future__ import annotations

from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.lookup.cache import LOOKUP_LATER, CachingFinder
from p2pship.lookup.chance import SPREAD
from p2pship.lookup.edition import ANNOUNCING_TIME
from p2pship.lookup.keepfresh import (
    FIRST_ABSENCE,
    FIRST_TIME,
    LAST_ABSENCE,
    MOST_CONTACTS,
    SHORTEST_TIME,
    KeepFresh,
)
from p2pship.lookup.privacy import Privacy
from p2pship.lookup.search import SEARCH_TIME
from p2pship.testing.lookup import MemoryLookup
from tests.lookup.people import BOB, RecordingFindReceiver
from tests.lookup.test_chain import OWN_NETWORK, ChainTestCase

HOUR = 3600


class KeepFreshTests(ChainTestCase):
    """Bob is Alice's contact."""

    def setUp(self) -> None:
        super().setUp()
        self.prove(self.bob)
        self.contacts = [BOB]
        self.random = b"\x80\x00"
        self.lookup: MemoryLookup = self.memory()
        self.chain_behind = chain = self.chain(self.lookup)
        self.finder = CachingFinder(self.clock, chain, self.network, self.trust)
        self.keeper = KeepFresh(
            self.clock,
            self.keyring,
            chain,
            self.finder,
            self.network,
            lambda own: self.contacts,
            lambda length: self.random[:length],
        )
        self.addCleanup(self.keeper.stop)

    def start(self) -> None:
        """Begin, and let the first searches be."""
        self.keeper.start()
        self.wait(FIRST_TIME)

    def wait(self, seconds: float) -> None:
        """Let time pass, as a reactor would."""
        self.clock.pump([1.0] * int(seconds))

    def put(self, sequence: int = 1) -> None:
        """Let Bob publish now."""
        slot, item = self.bob.slot(), self.bob.item(sequence=sequence, issued=self.clock.seconds())
        self.directory.put(slot, item)

    def call(self) -> RecordingFindReceiver:
        """Search as a call does, and return what is told within a tenth of a second."""
        receiver = RecordingFindReceiver()
        self.search = self.finder.find(BOB, self.own, receiver)
        self.clock.advance(0)
        self.clock.advance(0.1)
        return receiver

    def test_no_lookup(self) -> None:
        """A call to a contact asks no lookup when it succeeds at once, and waits for none."""
        self.put()
        self.start()
        asked = len(self.lookup.questions)
        receiver = self.call()
        self.search.cancel()
        self.wait(SEARCH_TIME)
        self.assertEqual((len(receiver.found), len(self.lookup.questions)), (1, asked))

    def test_all_day(self) -> None:
        """Hour after hour what is kept holds, with few searches, though one of them fails."""
        self.put()
        self.start()
        for minute in range(6 * 60):
            if minute % 15 == 0:
                self.put()
            self.lookup.failure = ZeroDivisionError() if 80 < minute < 95 else None
            self.wait(60)
            self.assertEqual(len(self.call().found), 1, minute)
            self.search.cancel()
        self.assertLess(len(self.lookup.questions), 6 * 4)

    def test_half(self) -> None:
        """The next search is at half of what is left of the record, give or take a tenth."""
        for sequence, (random, part) in enumerate(((b"\x00\x00", -SPREAD), (b"\xff\xff", SPREAD))):
            self.put(sequence)
            self.random = bytes(2)
            self.keeper.start()
            self.random = random
            self.clock.advance(0)
            self.wait(SEARCH_TIME)
            asked = len(self.lookup.questions)
            self.wait(RECORD_LIFETIME / 2 * (1 + part) - 3 * SEARCH_TIME)
            self.assertEqual(len(self.lookup.questions), asked)
            self.wait(4 * SEARCH_TIME)
            self.assertEqual(len(self.lookup.questions), asked + 1)
            self.keeper.stop()

    def test_absent(self) -> None:
        """Who is not found is searched for less and less often, and as before once they are back."""
        self.start()
        self.wait(10 * HOUR)
        searches = 1 + 5 + 10 * HOUR / LAST_ABSENCE
        self.assertLess(len(self.lookup.questions), searches)
        self.put()
        self.wait(LAST_ABSENCE * (1 + SPREAD) + SEARCH_TIME)
        self.assertEqual(len(self.keeper._kept), 1)
        (contact,) = self.keeper._kept.values()
        self.assertLess(contact._timer.getTime() - self.clock.seconds(), LAST_ABSENCE)

    def test_ends_soon(self) -> None:
        """A record that nobody renews is not asked for over and over in its last minutes."""
        self.put()
        self.start()
        self.wait(RECORD_LIFETIME - FIRST_TIME)
        self.assertLess(len(self.lookup.questions), 9)
        asked = len(self.lookup.questions)
        self.wait(FIRST_ABSENCE)
        self.assertLessEqual(len(self.lookup.questions) - asked, 3 + FIRST_ABSENCE / SHORTEST_TIME)

    def test_told(self) -> None:
        """Where the lookup tells what changes, there is one search and no more, and what comes is kept at once."""
        self.lookup.follows = True
        self.put()
        self.start()
        for sequence in range(2, 30):
            self.wait(ANNOUNCING_TIME)
            self.put(sequence)
            (found,) = self.call().found
            self.search.cancel()
            self.assertEqual(found.papers.record.sequence, sequence)
        self.assertEqual(len(self.lookup.questions), 1)

    def test_told_no_longer(self) -> None:
        """When it tells no more, one searches again, and follows anew."""
        self.lookup.follows = True
        self.put()
        self.start()
        self.directory.followers.clear()
        for ear in tuple(next(iter(self.keeper._kept.values()))._following._ears):  # type: ignore[union-attr]
            ear.search_ended(None)
        self.wait(RECORD_LIFETIME * 0.6)
        self.assertEqual((len(self.lookup.questions), len(self.directory.followers)), (2, 1))

    def test_other_secrets(self) -> None:
        """With a new pair secret, the contact is searched for and followed at the new place as well."""
        self.lookup.follows = True
        self.put()
        self.start()
        self.chain_behind._privacy = Privacy(secrets_of=lambda own: [(BOB, 1, bytes(32))])
        self.keeper.privacy_changed("carol@example.com")
        self.wait(FIRST_TIME)
        self.assertEqual(len(self.lookup.questions), 1)
        self.keeper.privacy_changed(self.own.aor)
        self.wait(FIRST_TIME)
        self.assertEqual((len(self.lookup.questions), len(self.directory.followers)), (3, 2))

    def test_in_vain(self) -> None:
        """When a device was dialled in vain, the lookups are asked at once; also when nobody was reached in half a second."""
        self.put()
        self.start()
        asked = len(self.lookup.questions)
        self.call()
        self.finder.forget(BOB, self.bob.devices[0].key)
        self.clock.pump([0, 0])
        self.assertEqual(len(self.lookup.questions), asked + 1)
        self.wait(SEARCH_TIME)
        self.call()
        self.clock.pump([LOOKUP_LATER, 0])
        self.assertEqual(len(self.lookup.questions), asked + 2)

    def test_search_with_a_bug(self) -> None:
        """A search that cannot even begin, as when the disk fails, is not the last one."""
        find = self.chain_behind.find
        self.chain_behind.find = lambda *_: 1 / 0  # type: ignore[method-assign, assignment]
        with self.assertRaises(ZeroDivisionError):
            self.start()
        self.chain_behind.find = find  # type: ignore[method-assign]
        self.put()
        self.wait(FIRST_ABSENCE * (1 + SPREAD))
        self.assertEqual(len(self.finder.kept((self.own.aor, BOB))), 1)

    def test_spread(self) -> None:
        """Many contacts are not all searched for in one moment, and not more than there is room for."""
        numbers = iter(range(0, 1 << 30, 7919))
        self.keeper._random = lambda length: (next(numbers) & 0xFFFF).to_bytes(2, "big")
        self.contacts = [f"p{number}@example.com" for number in range(2 * MOST_CONTACTS)]
        self.keeper.start()
        most = 0
        for _ in range(int(FIRST_TIME * (1 + SPREAD)) + 1):
            asked = len(self.lookup.questions)
            self.wait(1)
            most = max(most, len(self.lookup.questions) - asked)
        self.assertEqual(len(self.lookup.questions), MOST_CONTACTS)
        self.assertLess(most, MOST_CONTACTS / 10)

    def test_contacts_change(self) -> None:
        """A new contact is searched for; one who was removed is not, nor told from then on as if fresh."""
        self.contacts = []
        self.start()
        self.assertEqual(self.lookup.questions, [])
        self.put()
        self.contacts = [BOB, self.own.aor]
        self.keeper.contacts_changed()
        self.wait(FIRST_TIME)
        self.assertEqual(len(self.lookup.questions), 1)
        self.contacts = []
        self.keeper.contacts_changed()
        self.wait(RECORD_LIFETIME)
        self.assertEqual(len(self.lookup.questions), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.put(2)
        self.call()
        self.wait(SEARCH_TIME)
        self.call()
        self.search.cancel()
        self.assertEqual(len(self.lookup.questions), 3, "kept or not, the lookups are asked at once")

    def test_new_identity(self) -> None:
        """An identity that is made later has its contacts kept fresh as well; one that is removed has not."""
        self.start()
        self.keyring.create("carol@example.com")
        self.assertEqual(len(self.keeper._kept), 2)
        self.keyring.remove("carol@example.com")
        self.assertEqual(len(self.keeper._kept), 1)

    def test_changed_identity(self) -> None:
        """One that changed is searched for as it is now."""
        self.start()
        self.keyring.rotate(self.own.aor)
        (contact,) = self.keeper._kept.values()
        self.assertIs(contact.identity, self.keyring.identity(self.own.aor))

    def test_moved(self) -> None:
        """When our own addresses change, what was kept is told no more, and everybody is searched for anew."""
        self.put()
        self.start()
        self.network.change(OWN_NETWORK)
        self.lookup.silent = True
        self.assertEqual(self.call().found, [])
        self.search.cancel()
        self.lookup.silent = False
        asked = len(self.lookup.questions)
        self.wait(FIRST_TIME)
        self.assertEqual(len(self.lookup.questions), asked + 1)
        self.assertEqual(len(self.call().found), 1)

    def test_keys_are_remembered(self) -> None:
        """The devices of a contact who was found are asked for by their keys from then on; a stranger's would not be."""
        self.put()
        self.start()
        expected = self.bob.devices[0].publication_key
        self.assertEqual(list(self.keyring.publication_keys(BOB)), [expected])
        self.wait(RECORD_LIFETIME)
        self.assertEqual(self.lookup.questions[-1].known, (expected,))

    def test_unproven(self) -> None:
        """Of who is only found, with a key that nothing proves, no keys are remembered."""
        self.trust.grades.clear()
        self.put()
        self.start()
        self.assertEqual(list(self.keyring.publication_keys(BOB)), [])

    def test_stopped(self) -> None:
        """Stopping leaves no search, no timer and no watcher; changes that come later are harmless."""
        self.lookup.follows = True
        self.lookup.lasting = 10.0
        self.put()
        self.keeper.start()
        self.wait(FIRST_TIME / 2 + 2)
        self.keeper.stop()
        self.keeper.contacts_changed()
        pending = (self.clock.getDelayedCalls(), self.network.watchers, self.directory.followers)
        self.assertEqual(pending, ([], [], []))
