"""What a traced search tells of itself."""

from __future__ import annotations

from p2pship.errors import RemoteError
from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.hit import format_hit, hit_of
from p2pship.identity.place import Place
from p2pship.identity.verdict import NameGrade
from p2pship.interfaces import ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, Question
from p2pship.lookup.part import LOOKUP_TIME
from p2pship.lookup.privacy import Privacy
from p2pship.lookup.search import SEARCH_TIME
from p2pship.lookup.trace import LONGEST_WORDS, MOST_STEPS, KeptTrace, Trace
from p2pship.status import TraceStep
from p2pship.testing.lookup import MemoryLookup
from tests.lookup.people import BOB, PRIVATE, PUBLIC, Person, RecordingFindReceiver
from tests.lookup.test_chain import ChainTestCase


class TraceTests(ChainTestCase):
    """The steps of searches for Bob."""

    def traced(self, *lookups: MemoryLookup) -> list[TraceStep]:
        """Search until it is over, and return the steps."""
        trace = KeptTrace(self.clock.seconds)
        self.chain(*lookups).find(BOB, self.own, RecordingFindReceiver(), trace)
        self.clock.pump([0.01] * int(SEARCH_TIME / 0.01 + 2))
        return trace.steps()

    def words(self, steps: list[TraceStep], step: str) -> list[str]:
        """Return what is said of one kind of step."""
        return [each["words"] for each in steps if each["step"] == step]

    def test_found(self) -> None:
        """Who was asked, who answered what after how long, why it was believed, and where it would be dialled."""
        self.publish(self.bob, locators=(PUBLIC, PRIVATE))
        self.prove(self.bob)
        steps = self.traced(self.memory(delay=0.2, lasting=0.3, on_link=False))
        kinds = [(each["step"], round(each["at"], 1)) for each in steps]
        expected = [("asked", 0.0), ("answered", 0.2), ("judged", 0.2), ("left out", 0.2), ("found", 0.2)]
        self.assertEqual(kinds, [*expected, ("completed", 0.5)])
        self.assertEqual({each["lookup"] for each in steps}, {"memory"})
        self.assertEqual(self.words(steps, "asked"), ["where everybody looks"])
        self.assertEqual(self.words(steps, "answered"), ["960 octets from this machine"])
        (judged,) = self.words(steps, "judged")
        self.assertIn(f"verified, stranger, key {fingerprint(self.bob.key)}; device ", judged)
        self.assertEqual(self.words(steps, "left out"), [f"{PRIVATE}: not to be dialled from here"])
        hit = format_hit(hit_of(self.bob.devices[0].key))
        self.assertEqual(self.words(steps, "found"), [f"{hit} at {PUBLIC}"])

    def test_on_the_way(self) -> None:
        """Whom a lookup asks is a step, and so is that an answer came before."""
        self.publish(self.bob)
        first, second = self.memory(), self.memory("second", delay=0.1)
        find = second.find

        def noting(question: Question, receiver: ISearchReceiver) -> ISearch:
            receiver.noted("asks 192.0.2.1:5568")
            return find(question, receiver)

        self.patch(second, "find", noting)
        steps = self.traced(first, second)
        self.assertEqual(self.words(steps, "on the way"), ["asks 192.0.2.1:5568", "it came before"])

    def test_refused(self) -> None:
        """What is not believed is told, with why."""
        stranger = Person("mallory@example.com")
        self.directory.items[self.bob.slot()] = stranger.item()
        steps = self.traced()
        self.assertIn("was not sealed for this place", self.words(steps, "refused")[0])
        self.assertEqual(self.words(steps, "found"), [])

    def test_trouble(self) -> None:
        """A lookup that fails says why; one that says nothing is given up, and that is told."""
        failing = self.memory("failing", failure=RemoteError("no network"))
        steps = self.traced(failing, self.memory("silent", silent=True))
        ends = [(each["lookup"], each["step"], each["words"]) for each in steps if each["step"] != "asked"]
        self.assertEqual(ends, [("failing", "failed", "no network"), ("silent", "timed out", "")])
        self.assertEqual(round(steps[-1]["at"], 1), LOOKUP_TIME)

    def test_ambiguous(self) -> None:
        """Two keys of which neither is proven: it is said that nobody is dialled."""
        for person in (self.bob, Person()):
            self.publish(person)
        steps = self.traced()
        self.assertEqual(len(self.words(steps, "ambiguous")), 1)
        self.assertEqual(self.words(steps, "found"), [])

    def test_judged_why(self) -> None:
        """One with another key than the confirmed one is judged as such, and refused."""
        self.publish(self.bob)
        self.trust.grades[self.bob.key] = NameGrade.CHANGED
        steps = self.traced()
        self.assertTrue(self.words(steps, "judged")[0].startswith("changed, "))
        self.assertEqual(self.words(steps, "refused"), ["the key is not the confirmed one"])

    def test_pieces(self) -> None:
        """That a statement had no room in the item, and whether its pieces were found, is told."""
        many = Person(devices=12)
        self.directory.items.update(many.items())
        self.assertEqual(self.words(self.traced(), "fetched"), ["the statement, 2 pieces: found"])
        self.directory.items = {
            slot: item
            for slot, item in self.directory.items.items()
            if slot.lookup_key == many.slot().lookup_key
        }
        steps = self.traced(self.memory(lasting=0.1))
        self.assertEqual(self.words(steps, "fetched"), ["the statement, 2 pieces: not found in time"])

    def test_between_two(self) -> None:
        """Where only the two look is told apart; so is how many devices are asked for by their keys."""
        privacy = Privacy(secrets_of=lambda own: [(BOB, 1, bytes(32))])
        chain = self.chain()
        chain._privacy = privacy
        known = [bytes(32), bytes(32)]
        self.keyring.publication_keys = lambda aor: known  # type: ignore[method-assign]
        trace = KeptTrace(self.clock.seconds)
        chain.find(BOB, self.own, RecordingFindReceiver(), trace)
        self.clock.advance(0)
        asked = self.words(trace.steps(), "asked")
        self.assertEqual(
            asked,
            [
                "where only the two of you look, and for 2 known devices",
                "where everybody looks, and for 2 known devices",
            ],
        )
        del known[1:]
        self.assertEqual(
            self.words(self.traced(), "asked"), ["where everybody looks, and for 1 known device"]
        )


class KeptTraceTests(ChainTestCase):
    """What is kept, whatever a stranger does."""

    def test_flood(self) -> None:
        """A flood of answers fills no memory."""
        trace = KeptTrace(self.clock.seconds)
        for _ in range(MOST_STEPS + 10):
            trace.refused("lan", "x" * 10_000)
        self.assertEqual(len(trace.steps()), MOST_STEPS)
        self.assertEqual(len(trace.steps()[0]["words"]), LONGEST_WORDS)

    def test_terminal(self) -> None:
        """A stranger's words steer no terminal."""
        trace = KeptTrace(self.clock.seconds)
        trace.received(Candidate(b"", "dns", source="\x1b[2Jevil\n"))
        self.assertEqual(trace.steps()[0]["words"], "0 octets from ?[2Jevil?")

    def test_untraced(self) -> None:
        """A search that nobody watches tells nothing, and costs nothing."""
        trace = Trace()
        trace.asked("lan", Place.of_name(BOB), Question(bytes(32)))
        trace.refused("lan", "no")
        trace.fetched("statement", 2, True)
        self.assertEqual(vars(trace), {})
