"""The search over all lookups, with lookups in memory and a clock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from p2pship.errors import RemoteError
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.place import Place
from p2pship.identity.seal import seal
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import IFinder, IFinding, ILookup, ISearch, ISearchReceiver
from p2pship.journal import Journal
from p2pship.lookup.candidate import Answer, Candidate, FindOutcome, Question
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.part import LOOKUP_TIME
from p2pship.lookup.search import (
    COLLECTING_TIME,
    SEARCH_TIME,
)
from p2pship.network import Interface
from p2pship.storage.database import Database
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup, unsigned_slot
from p2pship.testing.network import StaticNetwork
from tests.lookup.people import (
    BOB,
    DAY,
    NOW,
    PRIVATE,
    PUBLIC,
    Person,
    RecordingFindReceiver,
    TellableTrust,
)

OWN_NETWORK = Interface("eth0", 2, (("10.1.0.1", 16),), loopback=False, multicast=True)


class ChainTestCase(SynchronousTestCase):
    """A chain over one directory, with which lookups a test wants."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.directory = MemoryDirectory()
        self.trust = TellableTrust()
        self.network = StaticNetwork()
        self.journal = Journal()
        database = Database(":memory:", SCHEMAS)
        self.addCleanup(database.close)
        self.keyring = Keyring(Path(self.mktemp()), database, Journal(), self.clock)
        self.own = self.keyring.create("alice@example.com")
        self.bob = Person()

    def memory(self, name: str = "memory", **attributes: Any) -> MemoryLookup:
        """Return a lookup with such attributes."""
        made = MemoryLookup(self.clock, self.directory, name)
        for attribute, value in attributes.items():
            setattr(made, attribute, value)
        return made

    def chain(self, *lookups: ILookup) -> LookupChain:
        """Return a chain of lookups."""
        return LookupChain(
            self.clock, lookups or [self.memory()], self.trust, self.keyring, self.network, self.journal
        )

    def find(self, *lookups: ILookup) -> RecordingFindReceiver:
        """Begin a search for Bob, with time standing still."""
        self.receiver = RecordingFindReceiver()
        self.search = self.chain(*lookups).find(BOB, self.own, self.receiver)
        self.clock.advance(0)
        self.clock.advance(0)
        return self.receiver

    def outcome(self, *lookups: ILookup) -> FindOutcome:
        """Search for Bob until it is over, and return the outcome."""
        self.find(*lookups)
        self.clock.pump([0.01] * int(SEARCH_TIME / 0.01 + 2))
        return self.receiver.outcome

    def publish(self, person: Person, device: int = 0, **record: Any) -> None:
        """Put a device of a person into the directory."""
        self.directory.items[person.slot(device)] = person.item(device=device, **record)

    def prove(self, person: Person) -> None:
        """Have a person's key verified."""
        self.trust.grades[person.key] = NameGrade.VERIFIED


class FindTests(ChainTestCase):
    """Who is found, and how the search ends."""

    def test_interfaces(self) -> None:
        """Everything provides what it says."""
        chain = self.chain()
        verifyObject(IFinder, chain)
        verifyObject(IFinding, chain.find(BOB, self.own, RecordingFindReceiver()))
        verifyObject(ILookup, self.memory())

    def test_found(self) -> None:
        """A person who is published is found, with locators, verdict and lookup."""
        self.publish(self.bob, locators=(PRIVATE, PUBLIC))
        outcome = self.outcome()
        (found,) = self.receiver.found
        self.assertEqual(found.papers.aor, BOB)
        self.assertEqual(found.locators, (PRIVATE, PUBLIC))
        self.assertEqual(found.verdict, Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER))
        self.assertEqual(found.lookup, "memory")
        self.assertEqual((outcome.found, outcome.ambiguous, outcome.refused), (1, False, ()))
        self.assertEqual(
            [(each.lookup, each.answer) for each in outcome.asked], [("memory", Answer.COMPLETED)]
        )

    def test_nobody(self) -> None:
        """A name that nobody has: every lookup completed, nobody found."""
        outcome = self.outcome()
        self.assertEqual((outcome.found, self.receiver.found), (0, []))
        self.assertEqual(outcome.asked[0].answer, Answer.COMPLETED)

    def test_no_lookups(self) -> None:
        """Without a lookup the search ends at once, with nobody asked."""
        receiver = RecordingFindReceiver()
        chain = LookupChain(self.clock, [], self.trust, self.keyring, self.network, self.journal)
        chain.find(BOB, self.own, receiver)
        self.assertEqual(receiver.outcomes, [])
        self.clock.advance(0)
        self.assertEqual(receiver.outcome, FindOutcome((), 0))

    def test_asks_with_todays_key(self) -> None:
        """Every lookup is asked once, at once, with the key of the name and the day."""
        lookups = [self.memory("one"), self.memory("two")]
        self.find(*lookups)
        for lookup in lookups:
            self.assertEqual(lookup.asked, [Place.of_name(BOB).lookup_key(DAY)])

    def test_nothing_before_find_returns(self) -> None:
        """The receiver hears nothing while ``find`` is still running, even from a lookup that answers at once."""
        self.publish(self.bob)
        self.prove(self.bob)
        receiver = RecordingFindReceiver()
        self.chain(Hasty(self.directory)).find(BOB, self.own, receiver)
        self.assertEqual((receiver.found, receiver.outcomes), ([], []))
        self.clock.advance(0)
        self.assertEqual((len(receiver.found), receiver.outcome.found), (1, 1))

    def test_several_devices(self) -> None:
        """Each device of a person is found, once, through however many lookups."""
        bob = Person(devices=3)
        for device in range(3):
            self.publish(bob, device)
        outcome = self.outcome(self.memory("one"), self.memory("two", delay=0.3))
        self.assertEqual(sorted(self.receiver.device_keys), sorted(device.key for device in bob.devices))
        self.assertEqual(outcome.found, 3)

    def test_own_device(self) -> None:
        """Our own device is found like any other: what to do with it is the overlay's."""
        aor = self.own.aor
        record = self.keyring.record_for(self.own, [PUBLIC], NOW)
        slot = unsigned_slot(Place.of_name(aor).lookup_key(DAY), self.keyring.device.publication_key)
        self.directory.items[slot] = seal(
            Place.of_name(aor), DAY, self.keyring.device.publication_key, self.own.statement, record
        )
        receiver = RecordingFindReceiver()
        self.chain().find(aor, self.own, receiver)
        self.clock.pump([0, 0, 0.1])
        self.assertEqual(receiver.device_keys, [self.keyring.device.key])

    def test_cancelled(self) -> None:
        """A search that was cancelled tells nothing more and leaves nothing behind; cancelling twice is harmless."""
        self.publish(self.bob)
        for moment in ([], [0], [0, 0], [0, 0, COLLECTING_TIME / 2]):
            receiver = RecordingFindReceiver()
            search = self.chain(self.memory(lasting=1.0)).find(BOB, self.own, receiver)
            self.clock.pump(moment)
            search.cancel()
            search.cancel()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual((receiver.found, receiver.outcomes), ([], []))

    def test_cancelled_by_the_receiver(self) -> None:
        """A receiver that cancels when it hears of the first device hears of no second."""
        bob = Person(devices=2)
        self.publish(bob, 0)
        self.publish(bob, 1)
        receiver = Satisfied()
        receiver.search = self.chain().find(BOB, self.own, receiver)
        self.clock.pump([0, 0, 1])
        self.assertEqual((len(receiver.found), receiver.outcomes), (1, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_left(self) -> None:
        """A search that has ended leaves no timer behind."""
        self.publish(self.bob)
        self.outcome()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RefusedTests(ChainTestCase):
    """Candidates that are not believed."""

    def refused(self, item: bytes) -> str:
        """Search with a bad item and Bob's good one published; return why the bad one was refused."""
        self.publish(self.bob)
        self.directory.items[unsigned_slot(Place.of_name(BOB).lookup_key(DAY), b"bad")] = item
        outcome = self.outcome()
        self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key])
        (reason,) = outcome.refused
        self.assertEqual(self.journal.counts["PapersRefused"], 1)
        return reason

    def test_garbage(self) -> None:
        """Garbage is refused, and nothing else is disturbed."""
        for garbage in (b"", b"\0", os.urandom(500), os.urandom(2000)):
            self.setUp()
            self.assertIn("memory: ", self.refused(garbage))

    def test_another_name(self) -> None:
        """Papers of another name, though sealed for this one, are refused."""
        eve = Person("eve@example.com")
        item = seal(Place.of_name(BOB), DAY, eve.devices[0].publication_key, eve.statement(), eve.record())
        self.assertIn("eve@example.com", self.refused(item))

    def test_another_publication_key(self) -> None:
        """Papers published under a key that the statement does not list are refused."""
        item = seal(Place.of_name(BOB), DAY, b"p" * 32, self.bob.statement(), self.bob.record())
        self.assertIn("another key", self.refused(item))

    def test_expired(self) -> None:
        """A record that has expired is refused."""
        self.assertIn("expired", self.refused(self.bob.item(issued=NOW - 10_000)))

    def test_no_statement(self) -> None:
        """An item without the statement, for which there was no room, cannot be verified."""
        crowd = Person(devices=9)
        self.assertIn("statement", self.refused(crowd.item()))

    def test_stale(self) -> None:
        """Papers older than those that a hello proved are refused; the same and newer ones are found."""
        for sequence, count in ((6, 0), (7, 1), (8, 1)):
            self.setUp()
            accepted = papers_from(self.bob.statement(), self.bob.record(sequence=7), NOW)
            self.keyring.accept(accepted, NOW, keep=True)
            self.publish(self.bob, sequence=sequence)
            self.assertEqual(self.outcome().found, count)


class TimeTests(ChainTestCase):
    """Lookups that are slow, silent or broken."""

    def test_one_silent(self) -> None:
        """A lookup that says nothing is given up after its time; the others are not held up."""
        self.publish(self.bob)
        outcome = self.outcome(self.memory(), self.memory("silent", silent=True))
        self.assertEqual(outcome.found, 1)
        good, silent = outcome.asked
        self.assertEqual((good.answer, silent.answer), (Answer.COMPLETED, Answer.TIMED_OUT))
        self.assertAlmostEqual(silent.seconds, LOOKUP_TIME, 1)

    def test_in_all(self) -> None:
        """Whatever happens, a search is over after its time."""
        self.trust.waiting[self.bob.key] = Deferred()
        self.publish(self.bob)
        self.find(self.memory(delay=LOOKUP_TIME * 0.9), self.memory("silent", silent=True))
        self.clock.advance(LOOKUP_TIME * 0.95)
        self.clock.advance(SEARCH_TIME)
        self.assertEqual(self.receiver.outcome.found, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_fails(self) -> None:
        """A lookup that cannot be asked says why in the outcome; the others are asked all the same."""
        self.publish(self.bob)
        outcome = self.outcome(self.memory("broken", failure=RemoteError("no way out")), self.memory())
        self.assertEqual(outcome.found, 1)
        broken = outcome.asked[0]
        self.assertEqual((broken.answer, broken.reason), (Answer.FAILED, "no way out"))

    def test_one_is_buggy(self) -> None:
        """A lookup that raises is logged and counts as failed."""
        self.publish(self.bob)
        outcome = self.outcome(Buggy(), self.memory())
        self.assertEqual((outcome.found, outcome.asked[0].answer), (1, Answer.FAILED))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_late_answers(self) -> None:
        """What a lookup says after its time is not heard."""
        self.publish(self.bob)
        outcome = self.outcome(self.memory(delay=LOOKUP_TIME + 0.5))
        self.assertEqual((outcome.found, outcome.asked[0].answer), (0, Answer.TIMED_OUT))


class Hasty(MemoryLookup):
    """A lookup that answers before ``find`` has returned."""

    def __init__(self, directory: MemoryDirectory) -> None:
        super().__init__(None, directory, "hasty")

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        for item in self._directory.under(question.lookup_key):
            receiver.candidate_received(Candidate(item, self.name))
        receiver.search_ended(None)
        return Ended()


@implementer(ISearch)
class Ended:
    """A search that was over before it was returned."""

    def cancel(self) -> None:
        """Do nothing."""


class Buggy(MemoryLookup):
    """A lookup with a bug."""

    def __init__(self) -> None:
        super().__init__(None, MemoryDirectory(), "buggy")

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        raise ZeroDivisionError


class Satisfied(RecordingFindReceiver):
    """Cancels the search with the first device."""

    search: ISearch

    def device_found(self, found: Any) -> None:
        super().device_found(found)
        self.search.cancel()
