"""What a lookup tells of a person by itself is taken if it is proven, and only then."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from p2pship.errors import RemoteError
from p2pship.identity.place import DAY as DAY_SECONDS
from p2pship.identity.place import Place
from p2pship.identity.seal import seal
from p2pship.identity.verdict import NameGrade, Verdict
from p2pship.interfaces import ILookup, ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, Found, Question
from p2pship.lookup.following import MOST_OPENED, MOST_SEEN, Following
from p2pship.testing.lookup import MemoryLookup, unsigned_slot
from tests.lookup.people import BOB, DAY, LOOPBACK, PUBLIC, Person
from tests.lookup.test_chain import ChainTestCase
from tests.lookup.test_pieces import AUTHORITY, AnnexTestCase


class Buggy(MemoryLookup):
    """A lookup that cannot be followed, because of a bug."""

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        raise ZeroDivisionError


class Ending(MemoryLookup):
    """A lookup whose following ends at once, before it is returned."""

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch | None:
        receiver.search_ended(RemoteError("the server was stopped"))
        return super().follow(question, receiver)


class FollowingCase(ChainTestCase):
    """Bob can be followed."""

    def setUp(self) -> None:
        super().setUp()
        self.taken: list[Found] = []

    def follow(self, *lookups: ILookup, **attributes: Any) -> Following:
        """Follow Bob in lookups, one in memory if none is said."""
        chain = self.chain(*(lookups or [self.memory(follows=True, **attributes)]))
        self.following = chain.follow(BOB, self.own, self.taken.append)
        self.addCleanup(self.following.cancel)
        return self.following

    def push(self, person: Person | None = None, device: int = 0, **record: Any) -> None:
        """Publish a device of Bob, as long as somebody follows."""
        person = person or self.bob
        self.directory.put(person.slot(device), person.item(device=device, **record))


class FollowingTests(FollowingCase):
    """Bob, followed."""

    def test_proven(self) -> None:
        """What is there and what comes is taken at once, once each."""
        self.prove(self.bob)
        self.publish(self.bob)
        verifyObject(ISearch, self.follow())
        self.push(sequence=2, locators=(PUBLIC, LOOPBACK))
        item = self.bob.item(sequence=3)
        for number in range(3):
            self.directory.put(unsigned_slot(self.bob.slot().lookup_key, b"%d" % number), item)
        self.assertEqual([found.papers.record.sequence for found in self.taken], [1, 2, 3])
        self.assertEqual(self.taken[1].locators, (PUBLIC, LOOPBACK))
        self.assertFalse(self.following.over)

    def test_not_proven(self) -> None:
        """Of one whose key nothing proves, or that is another than the confirmed one, nothing is taken."""
        self.follow()
        self.push()
        self.trust.grades[self.bob.key] = NameGrade.CHANGED
        self.push(sequence=2)
        self.assertEqual(self.taken, [])

    def test_loopback(self) -> None:
        """An address of this machine is not dialled when it came from elsewhere."""
        self.prove(self.bob)
        self.follow(over_loopback=False, on_link=False)
        self.push(locators=(LOOPBACK, PUBLIC))
        self.assertEqual(self.taken[0].locators, (PUBLIC,))

    def test_refused(self) -> None:
        """Junk, forged papers and an item of another day are counted, and nothing else comes of them."""
        self.prove(self.bob)
        self.follow()
        key = self.bob.slot().lookup_key
        stranger = Person("mallory@example.com")
        stale = seal(Place.of_name(BOB), DAY + 1, bytes(32), self.bob.statement(), self.bob.record())
        forged = seal(Place.of_name(BOB), DAY, bytes(32), self.bob.statement(), stranger.record())
        for number, item in enumerate((b"junk", bytes(960), stranger.item(), stale, forged)):
            self.directory.put(unsigned_slot(key, bytes([number])), item)
        self.assertEqual((self.taken, self.journal.counts["lookup.refused"]), ([], 5))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_bug(self) -> None:
        """A judgement that fails is logged, and the next device is taken all the same."""
        self.follow()
        waiting: Deferred[Verdict] = Deferred()
        self.trust.waiting[self.bob.key] = waiting
        self.push()
        waiting.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del self.trust.waiting[self.bob.key]
        self.prove(self.bob)
        self.push(sequence=2)
        self.assertEqual(len(self.taken), 1)

    def test_flood_of_items(self) -> None:
        """Who knows the name can have so many verified; then nobody is followed until it is begun anew."""
        self.follow()
        for sequence in range(MOST_OPENED + 5):
            self.push(sequence=sequence + 1)
        self.assertEqual(len(self.trust.judged), MOST_OPENED)
        self.assertTrue(self.following.over)

    def test_flood_of_junk(self) -> None:
        """Who does not know it can only fill what is remembered."""
        self.follow()
        for number in range(MOST_SEEN + 5):
            slot = unsigned_slot(self.bob.slot().lookup_key, b"eve")
            self.directory.put(slot, b"%d" % number)
        self.assertEqual((len(self.following._seen), self.following.over), (MOST_SEEN, True))

    def test_cannot(self) -> None:
        """Where no lookup tells by itself, it is over at once; a bug, or an early end, does not keep another from telling."""
        buggy, ending = Buggy(self.clock, self.directory), Ending(self.clock, self.directory)
        ending.follows = True
        self.assertTrue(self.follow(self.memory(), buggy, ending).over)
        self.assertEqual(self.directory.followers, [])
        self.assertFalse(self.follow(buggy, self.memory(follows=True)).over)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_next_day(self) -> None:
        """With the day the keys change, and so it is over."""
        self.follow()
        self.clock.advance(DAY_SECONDS)
        self.assertTrue(self.following.over)

    def test_cancelled(self) -> None:
        """Cancelled, it leaves nothing behind, whatever is under way."""
        self.follow()
        self.trust.waiting[self.bob.key] = Deferred()
        self.push()
        self.following.cancel()
        self.following.cancel()
        self.assertEqual((self.directory.followers, self.clock.getDelayedCalls()), ([], []))
        self.following.received(Place.of_name(BOB), Candidate(self.bob.item(sequence=5), "memory"))
        self.assertEqual(self.taken, [])


class PiecesTests(AnnexTestCase, FollowingCase):
    """Bob, followed, with certificates that have no room in his item."""

    def test_cancelled(self) -> None:
        """Cancelled while his certificates are fetched, it tells nothing more, though his papers hold without them."""
        self.prove(self.bob)
        self.trust.authorities.add(AUTHORITY)
        self.follow(delay=0.2)
        self.directory.put(self.bob.slot(), self.bob.items()[self.bob.slot()])
        self.assertEqual(self.trust.judged, [])
        self.following.cancel()
        self.clock.advance(1)
        self.assertEqual((self.taken, self.trust.judged, self.clock.getDelayedCalls()), ([], [], []))
