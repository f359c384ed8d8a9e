"""When our own clock is doubted: if the dates of several people say so, and nobody's that it is right."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.place import Place, day_of
from p2pship.identity.seal import seal
from p2pship.identity.validity import RECORD_LIFETIME, SKEW, STATEMENT_LIFETIME
from p2pship.lookup.candidate import FindOutcome
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.clockdoubt import MEMORY, MOST_WITNESSES, ClockDoubt
from p2pship.lookup.search import SEARCH_TIME
from p2pship.testing.lookup import unsigned_slot
from tests.lookup.people import BOB, NOW, Person, RecordingFindReceiver
from tests.lookup.test_chain import ChainTestCase

FUTURE, RIGHT, OVER = -(SKEW + 600.0), 1000.0, RECORD_LIFETIME + 3 * 3600.0


class ClockDoubtTests(SynchronousTestCase):
    """What the ages of records say."""

    def words(self, *ages: float) -> str:
        """Return what is said when people's records are so old."""
        doubt = ClockDoubt()
        for number, age in enumerate(ages):
            doubt.heard(f"p{number}@example.com", age, NOW)
        self.assertEqual(doubt.witnesses(NOW), len(ages))
        return doubt.words(NOW)

    def test_right(self) -> None:
        """Records as they should be raise no doubt, and neither do two that are wrong to different sides."""
        for ages in ((), (RIGHT,), (RIGHT, RIGHT), (-SKEW, RECORD_LIFETIME + SKEW), (FUTURE, OVER)):
            self.assertEqual(self.words(*ages), "", ages)

    def test_wrong(self) -> None:
        """Two people whose records are from the future, or over, do; how far off it is, is said."""
        self.assertEqual(
            self.words(FUTURE, FUTURE),
            "it is behind by about 25 minutes: the records of 2 people are from the future",
        )
        self.assertIn(
            "it is ahead by at least 3 hours: the records of 3 people", self.words(OVER, OVER, OVER)
        )
        self.assertIn("20 days", self.words(-20 * 86400.0, -20 * 86400.0))

    def test_one_is_no_witness(self) -> None:
        """One person's wrong clock is theirs; one whose record is right clears ours."""
        self.assertEqual(self.words(FUTURE), "")
        self.assertEqual(self.words(FUTURE, FUTURE, RIGHT), "")

    def test_old_beside_new(self) -> None:
        """An old record that somebody puts beside the new one in the same search changes nothing; later it is the new one."""
        doubt = ClockDoubt()
        for name in ("bob", "carol"):
            doubt.heard(name, RIGHT, NOW)
            doubt.heard(name, OVER, NOW + 1)
        self.assertEqual(doubt.words(NOW + 2), "")
        for name in ("bob", "carol"):
            doubt.heard(name, OVER, NOW + 600)
        self.assertIn("ahead", doubt.words(NOW + 601))

    def test_server(self) -> None:
        """A server's clock is enough by itself; one that agrees with ours, or a person's record that does, clears it."""
        for ahead, words in (
            (-1500.0, "it is behind by about 25 minutes: https://r.example has another time"),
            (7200.0, "it is ahead by at least 2 hours: https://r.example has another time"),
            (SKEW, ""),
        ):
            doubt = ClockDoubt()
            doubt.server_said("https://r.example", ahead, NOW)
            self.assertEqual((doubt.words(NOW), doubt.witnesses(NOW)), (words, 1))
        doubt.server_said("https://r.example", 7200.0, NOW)
        doubt.heard("p@example.com", OVER, NOW)
        self.assertIn("the records of 1 person are all over; https://r.example has", doubt.words(NOW))
        doubt.heard("p@example.com", RIGHT, NOW)
        self.assertEqual(doubt.words(NOW), "")

    def test_forgotten(self) -> None:
        """After an hour nothing is said any more, and no crowd fills the memory."""
        doubt = ClockDoubt()
        for number in range(2 * MOST_WITNESSES):
            doubt.heard(str(number), FUTURE, NOW)
        self.assertEqual(doubt.witnesses(NOW), MOST_WITNESSES)
        self.assertEqual(doubt.words(NOW + MEMORY), "")


class SearchTests(ChainTestCase):
    """Searches tell how old the records are."""

    def searched(self, chain: LookupChain, person: Person) -> FindOutcome:
        """Search for somebody until it is over."""
        receiver = RecordingFindReceiver()
        chain.find(person.aor, self.own, receiver)
        self.clock.pump([0.01] * int(SEARCH_TIME / 0.01 + 2))
        return receiver.outcome

    def test_behind(self) -> None:
        """Records from the future are refused, and say that the clock may be behind; the statement's date says nothing."""
        chain = self.chain()
        for name in ("bob", "carol"):
            person = Person(f"{name}@example.com")
            self.publish(person, issued=NOW + 1800)
            self.assertEqual(self.searched(chain, person).found, 0)
        self.assertIn("behind by about 30 minutes", chain.clock_doubt.words(self.clock.seconds()))

    def test_statements(self) -> None:
        """A statement from the future says so as well, whatever the record's date; one that has long expired says nothing."""
        for off, witnesses in ((-1800, 1), (STATEMENT_LIFETIME + 1800, 0)):
            self.clock = Clock()
            self.clock.advance(NOW + off)
            chain = self.chain()
            self.directory.items.clear()
            day = day_of(NOW + off)
            place, device, record = Place.of_name(BOB), self.bob.devices[0], self.bob.record(issued=NOW + off)
            item = seal(place, day, device.publication_key, self.bob.statement(), record)
            self.directory.items[unsigned_slot(place.lookup_key(day), device.publication_key)] = item
            self.assertIn("statement", self.searched(chain, self.bob).refused[0])
            self.assertEqual(chain.clock_doubt.witnesses(NOW + off), witnesses)

    def test_right(self) -> None:
        """Those that hold say that it is right."""
        chain = self.chain()
        self.publish(self.bob)
        self.searched(chain, self.bob)
        self.assertEqual(chain.clock_doubt.witnesses(self.clock.seconds()), 1)
