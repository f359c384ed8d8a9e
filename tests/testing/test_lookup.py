"""The lookup in memory, tested: fakes have to be right too."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError
from p2pship.interfaces import ILookup, ISearch
from p2pship.lookup.candidate import Candidate, Question
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup, MemoryLookupDown, unsigned_slot
from tests.lookup.recording import RecordingReceiver

KEY = b"k" * 32
SLOT = unsigned_slot(KEY, b"d" * 32)


class MemoryLookupTests(SynchronousTestCase):
    """What is published is found, as and when the attributes say."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = MemoryDirectory()
        self.lookup = MemoryLookup(self.clock, self.directory)
        self.receiver = RecordingReceiver()

    def test_interfaces(self) -> None:
        """It is a lookup, and gives searches."""
        verifyObject(ILookup, self.lookup)
        verifyObject(ISearch, self.lookup.find(Question(KEY), self.receiver))

    def test_found_by_another(self) -> None:
        """What one publishes another finds that shares the directory, and only with its key; never before it asks."""
        self.successResultOf(self.lookup.publish(SLOT, b"item"))
        other = MemoryLookup(self.clock, self.directory, "other", wide_area=True)
        other.find(Question(KEY), self.receiver)
        self.assertEqual(self.receiver.candidates, [])
        self.clock.pump([0, 0])
        self.assertEqual(self.receiver.candidates, [Candidate(b"item", "other")])
        self.assertEqual(self.receiver.ends, [None])
        self.assertEqual(self.directory.under(b"other key"), [])

    def test_near(self) -> None:
        """Unless it is of the wide area, its candidates come from this machine."""
        self.lookup.publish(SLOT, b"item")
        self.lookup.find(Question(KEY), self.receiver)
        self.clock.advance(0)
        self.assertEqual(self.receiver.candidates, [Candidate(b"item", "memory", True, True)])

    def test_withdrawn(self) -> None:
        """What was taken back is not found."""
        self.lookup.publish(SLOT, b"item")
        self.successResultOf(self.lookup.withdraw(SLOT))
        self.successResultOf(self.lookup.withdraw(SLOT))
        self.assertEqual(self.directory.items, {})

    def test_delay(self) -> None:
        """Answers and publications take as long as said, and a search lasts as long as said."""
        self.lookup.delay, self.lookup.lasting = 1.0, 2.0
        published = self.lookup.publish(SLOT, b"item")
        self.assertNoResult(published)
        self.clock.advance(1.0)
        self.successResultOf(published)
        self.lookup.find(Question(KEY), self.receiver)
        self.clock.advance(0.9)
        self.assertEqual(self.receiver.candidates, [])
        self.clock.advance(0.1)
        self.assertEqual((len(self.receiver.candidates), self.receiver.ends), (1, []))
        self.clock.advance(2.0)
        self.assertEqual(self.receiver.ends, [None])

    def test_failure(self) -> None:
        """While it fails, questions and publications fail."""
        self.lookup.failure = MemoryLookupDown()
        self.failureResultOf(self.lookup.publish(SLOT, b"item"), MemoryLookupDown)
        self.failureResultOf(self.lookup.withdraw(SLOT), MemoryLookupDown)
        self.lookup.find(Question(KEY), self.receiver)
        self.clock.advance(0)
        self.assertEqual(self.receiver.ends, [self.lookup.failure])

    def test_silent(self) -> None:
        """While it is silent, it says nothing at all."""
        self.lookup.silent = True
        self.lookup.find(Question(KEY), self.receiver)
        self.clock.advance(1000)
        self.assertEqual((self.receiver.candidates, self.receiver.ends), ([], []))

    def test_cancelled(self) -> None:
        """A search that was cancelled tells nothing more; one cancelled by the receiver stops there."""
        self.lookup.publish(SLOT, b"item")
        self.lookup.publish(unsigned_slot(KEY, b"e" * 32), b"other")
        search = self.lookup.find(Question(KEY), self.receiver)
        self.receiver.on_candidate = search.cancel
        self.clock.pump([0, 0])
        search.cancel()
        self.assertEqual((len(self.receiver.candidates), self.receiver.ends), (1, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped(self) -> None:
        """Stopping ends the searches, with the reason."""
        self.lookup.find(Question(KEY), self.receiver)
        self.successResultOf(self.lookup.start())
        self.successResultOf(self.lookup.stop())
        self.assertIsInstance(self.receiver.ends[0], MemoryLookupDown)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_long(self) -> None:
        """What no lookup has room for is refused."""
        self.assertRaises(LocalError, self.lookup.publish, SLOT, bytes(961))
        self.assertRaises(LocalError, self.lookup.publish, SLOT, b"")
