"""What was published is read back: a lookup that swallows it is told, and disturbs no other."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import RemoteError
from p2pship.identity.place import Place
from p2pship.journal import Fact, Journal
from p2pship.lookup.candidate import Publishing, Question, Slot
from p2pship.lookup.edition import ANNOUNCING_TIME
from p2pship.lookup.facts import ReadBack
from p2pship.lookup.part import LOOKUP_TIME
from p2pship.lookup.publisher import COALESCING_TIME
from p2pship.lookup.selftest import EARLIEST, LATEST, SWALLOWED, TEST_EVERY, TRIES, SelfTest
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup
from tests.lookup.people import BOB, NOW, Person
from tests.lookup.test_publisher import ALICE, PublisherTestCase

HERE = Place.of_name(BOB)


class SelfTestTests(SynchronousTestCase):
    """One lookup, and what is read back from it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.directory = MemoryDirectory()
        self.lookup = MemoryLookup(self.clock, self.directory)
        self.bob = Person()
        journal = Journal()
        self.facts: list[Fact] = []
        journal.watch(self.facts.append)
        self.test = SelfTest(self.clock, self.lookup, journal, lambda: 0.5)

    def publish(self, *, swallowed: bool = False, sequence: int = 1) -> Slot:
        """Publish Bob's item of today, and tell that it was."""
        slot, item = self.bob.slot(), self.bob.item(sequence=sequence)
        if not swallowed:
            self.directory.items[slot] = item
        self.test.published(BOB, HERE, slot, item)
        return slot

    def wait(self, seconds: float = TRIES * LATEST) -> None:
        """Let time pass, as a reactor would."""
        self.clock.pump([1.0] * int(seconds))

    def test_found(self) -> None:
        """What is found is no news; it is asked as one who knows the device asks, and not before its time."""
        slot = self.publish()
        self.wait(EARLIEST)
        self.assertEqual(self.lookup.questions, [])
        self.wait(LATEST)
        self.assertEqual(self.lookup.questions, [Question(slot.lookup_key, "", (slot.publication_key,))])
        self.assertEqual((self.facts, self.test.trouble), ([], ""))
        self.assertAlmostEqual(self.test.found, NOW + (EARLIEST + LATEST) / 2, delta=2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_swallowed(self) -> None:
        """A lookup that takes what is published and does not tell it is tried twice, and then told once."""
        for _ in range(3):
            self.publish(swallowed=True)
            self.wait()
        self.assertEqual(len(self.lookup.questions), 3 * TRIES)
        self.assertEqual(self.facts, [ReadBack("memory", BOB, SWALLOWED)])
        self.assertIn("may not be found through memory", str(self.facts[0]))
        self.assertEqual((self.test.trouble, self.test.found), (SWALLOWED, 0.0))

    def test_found_again(self) -> None:
        """That it tells again is news as well."""
        self.publish(swallowed=True)
        self.wait()
        self.publish()
        self.wait()
        self.assertEqual(self.facts[1:], [ReadBack("memory", BOB, "")])
        self.assertIn("again", str(self.facts[1]))
        self.assertEqual(self.test.trouble, "")

    def test_one_in_vain(self) -> None:
        """One attempt that finds nothing, as where a datagram is lost, is not told."""
        slot, item = self.publish(swallowed=True), self.bob.item()
        self.wait(LATEST)
        self.directory.items[slot] = item
        self.wait()
        self.assertEqual((len(self.lookup.questions), self.facts), (TRIES, []))

    def test_same_edition(self) -> None:
        """Any item of the same edition will do, as one that is renewed has another seal; one of an older edition will not."""
        for sequence, told in ((7, []), (6, [ReadBack("memory", BOB, SWALLOWED)])):
            slot = self.publish(swallowed=True, sequence=7)
            self.directory.items[slot] = self.bob.item(sequence=sequence)
            self.wait()
            self.assertEqual(self.facts, told)
            self.clock.advance(TEST_EVERY)

    def test_junk(self) -> None:
        """Junk, and the item of another person, are not taken for ours."""
        slot = self.publish(swallowed=True)
        for number, item in enumerate((b"junk", bytes(960), Person().item())):
            self.directory.items[Slot(slot.lookup_key, bytes([number]), slot.private_key)] = item
        self.wait()
        self.assertEqual(self.facts, [ReadBack("memory", BOB, SWALLOWED)])

    def test_not_asked(self) -> None:
        """A lookup that fails, or does not answer, is told as such."""
        self.lookup.failure = RemoteError("no network")
        self.publish()
        self.wait()
        self.assertIn("could not be read back: no network", self.test.trouble)
        self.lookup.failure, self.lookup.silent = None, True
        self.publish()
        self.wait(TRIES * (LATEST + LOOKUP_TIME))
        self.assertIn("could not be read back: timed out", self.test.trouble)

    def test_seldom(self) -> None:
        """While it is well, it is tried once an hour, however often something is published."""
        for _ in range(8):
            self.publish()
            self.wait(ANNOUNCING_TIME)
        self.assertEqual(len(self.lookup.questions), 2)

    def test_withdrawn(self) -> None:
        """What is taken back is not looked for; neither is anything once it is stopped."""
        self.publish()
        self.test.withdrawn("carol@example.com", HERE)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.test.withdrawn(BOB, HERE)
        self.publish()
        self.test.stop()
        self.wait()
        self.assertEqual((self.lookup.questions, self.facts, self.clock.getDelayedCalls()), ([], [], []))

    def test_news_meanwhile(self) -> None:
        """What is published anew meanwhile is what is read back, also while it is being asked; others wait for their turn."""
        self.lookup.silent = True
        self.publish(sequence=1)
        self.wait(LATEST)
        self.lookup.silent = False
        self.test.published("carol@example.com", Place.of_name("carol@example.com"), self.bob.slot(), b"hers")
        self.publish(sequence=2)
        self.wait()
        self.assertEqual((self.facts, self.test.found > 0), ([], True))


class PublisherTests(PublisherTestCase):
    """The publisher tries each lookup by itself."""

    def test_one_swallows(self) -> None:
        """One that swallows what it gets is told, in the journal and in the status; the other is well."""
        self.wide._directory.put = lambda slot, item: None  # type: ignore[method-assign]
        self.start(ALICE)
        self.clock.pump([1.0] * int(TRIES * LATEST))
        self.assertIn(ReadBack("wide", ALICE, SWALLOWED), self.facts)
        near, wide = self.publisher.status()
        self.assertEqual((near["trouble"], wide["trouble"]), ("", SWALLOWED))
        self.assertEqual((near["read_back"] > 0, wide["read_back"]), (True, 0.0))

    def test_nobody_left(self) -> None:
        """When nobody is published any longer, there is nothing that might not be found."""
        self.wide._directory.put = lambda slot, item: None  # type: ignore[method-assign]
        self.start(ALICE)
        self.clock.pump([1.0] * int(TRIES * LATEST))
        self.keyring.remove(ALICE)
        self.clock.advance(COALESCING_TIME)
        self.assertEqual([each["trouble"] for each in self.publisher.status()], ["", ""])

    def test_not_kept(self) -> None:
        """A lookup that keeps nothing, but only tells where to look, is not tried."""
        self.near.publishing = self.wide.publishing = Publishing.UNTESTED
        self.publisher = self.made()
        self.start(ALICE)
        self.clock.pump([1.0] * int(LATEST))
        self.assertEqual((self.near.questions, self.wide.questions), ([], []))

    def test_failing(self) -> None:
        """The status says why a lookup takes nothing."""
        self.wide.failure = RemoteError("full")
        self.start(ALICE)
        self.assertEqual([each["trouble"] for each in self.publisher.status()], ["", "full"])

    def test_stopped(self) -> None:
        """Stopping leaves nothing to be tried."""
        self.start(ALICE)
        self.clock.advance(COALESCING_TIME)
        self.successResultOf(self.publisher.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
