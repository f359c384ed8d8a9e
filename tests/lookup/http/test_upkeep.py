"""Tests of what one server is kept holding."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.journal import Journal
from p2pship.lookup.candidate import Question
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.http.remote import Remote, ServerFailed, SlotRefused, Stale
from p2pship.lookup.http.upkeep import AGAIN_EVERY, MOST_AT_ONCE, Upkeep, first_success
from p2pship.lookup.http.wire import SKEW, SignedSlot
from p2pship.lookup.selftest import SWALLOWED
from p2pship.status import ServerStatus
from tests.lookup.http.publishers import ITEM, LIFETIME, LOOKUP_KEY, NOW, Publisher, lookup_key

BOB = Publisher(1)
DOWN = ServerFailed("down")


class FakeRemote:
    """A server that answers when, and what, a test says."""

    address = ServerAddress.parse("https://r.example.com")
    trouble = "down"

    def __init__(self) -> None:
        self.left_alone = 0.0
        self.left_alone_urgently: float | None = None
        "if it is another time for what is new"
        self.putting: list[tuple[SignedSlot, Deferred[None]]] = []

    def wait(self, urgent: bool = False) -> float:
        """Return how long it is to be left alone."""
        if urgent and self.left_alone_urgently is not None:
            return self.left_alone_urgently
        return self.left_alone

    async def put(self, slot: SignedSlot) -> None:
        """Wait for the test."""
        answer: Deferred[None] = Deferred()
        self.putting.append((slot, answer))
        await answer

    def forgive(self) -> None:
        """Hear that there is another network."""
        self.left_alone = 0.0

    def status(self) -> ServerStatus:
        """Return that all is well."""
        return {"name": str(self.address), "trouble": "", "since": 0.0}

    def answer(self, error: Exception | None = None) -> SignedSlot:
        """Answer the oldest put."""
        slot, answer = self.putting.pop(0)
        answer.callback(None) if error is None else answer.errback(error)
        return slot


class _Counted(dict[Any, Any]):
    """Counts how often one has looked through it."""

    def __init__(self, looked: list[float]) -> None:
        super().__init__()
        self._looked = looked

    def items(self) -> Any:
        """Note it."""
        self._looked.append(NOW)
        return super().items()


class UpkeepTests(SynchronousTestCase):
    """One server."""

    def setUp(self) -> None:
        """Have one that works."""
        self.clock = Clock()
        self.clock.advance(NOW)
        self.remote = FakeRemote()
        self.facts: list[str] = []
        journal = Journal()
        journal.watch(lambda fact: self.facts.append(str(fact)))
        self.upkeep = Upkeep(self.clock, cast(Remote, self.remote), journal)

    def hold(self, item: bytes = ITEM, number: int = 0) -> Deferred[None]:
        """Publish an item."""
        slot = BOB.slot(lookup_key(number))
        now = self.clock.seconds()
        return self.upkeep.hold(slot, BOB.signed(item, now, lookup=slot.lookup_key))

    def test_held(self) -> None:
        """It is put once, and told then."""
        held = self.hold()
        self.assertNoResult(held)
        self.assertEqual(self.remote.answer().sealed, ITEM)
        self.successResultOf(held)
        self.clock.advance(1000)
        self.assertEqual((self.remote.putting, self.facts), ([], []))

    def test_newest(self) -> None:
        """Of one slot one put is on its way, and after it the newest item."""
        self.hold(b"first")
        second, third = self.hold(b"second"), self.hold(b"third")
        self.successResultOf(second)
        self.remote.answer()
        self.assertEqual(self.remote.answer().sealed, b"third")
        self.successResultOf(third)
        self.assertEqual(self.remote.putting, [])

    def test_few_at_once(self) -> None:
        """So many are on their way at a time; all come to their turn."""
        held = [self.hold(number=number) for number in range(3 * MOST_AT_ONCE)]
        for _ in held:
            self.assertLessEqual(len(self.remote.putting), MOST_AT_ONCE)
            self.remote.answer()
        for each in held:
            self.successResultOf(each)

    def test_thousands(self) -> None:
        """To hold one more takes no look at all the others."""
        looked: list[float] = []
        self.patch(self.upkeep, "_sent", _Counted(looked))
        self.remote.left_alone = 60.0
        for number in range(100):
            self.hold(number=number).addErrback(lambda _: None)
        self.assertEqual(len(looked), 1)

    def test_taken_already(self) -> None:
        """What the server has is not put again when it is published again because another slot failed."""
        self.hold()
        self.remote.answer()
        self.successResultOf(self.hold())
        self.assertEqual(self.remote.putting, [])
        self.hold(b"other")
        self.hold()  # the other one is on its way
        self.assertEqual([self.remote.answer().sealed, self.remote.answer().sealed], [b"other", ITEM])

    def test_turn(self) -> None:
        """What is published anew while it waits keeps its turn: else of thousands those that fail would never have it."""
        for number in range(MOST_AT_ONCE + 2):
            self.hold(number=number)
        self.hold(b"newer", MOST_AT_ONCE)
        for _ in range(MOST_AT_ONCE):
            self.remote.answer()
        self.assertEqual(self.remote.answer().sealed, b"newer")

    def test_failed(self) -> None:
        """A failure is told at once, and it is tried again when the server may be asked, until it works; both is in the journal."""
        held = self.hold()
        self.remote.left_alone = 4.0
        self.remote.answer(DOWN)
        self.failureResultOf(held, ServerFailed)
        later = self.hold(number=1)
        self.assertIn("again in 4 s", str(self.failureResultOf(later, ServerFailed).value))
        self.assertEqual(self.remote.putting, [])
        self.remote.left_alone = 0.0
        self.clock.advance(4.1)
        self.assertEqual(len(self.remote.putting), 2)
        self.remote.answer()
        self.remote.answer()
        self.assertEqual(len(self.facts), 2)
        self.assertIn("again", self.facts[-1])

    def test_many_failed(self) -> None:
        """When one fails, whoever waits behind it hears so at once; nothing of it is lost, and the journal tells it once."""
        held = [self.hold(number=number) for number in range(2 * MOST_AT_ONCE)]
        self.remote.left_alone = 4.0
        for _ in range(MOST_AT_ONCE):
            self.remote.answer(DOWN)
        for each in held:
            self.failureResultOf(each, ServerFailed)
        self.assertEqual((self.remote.putting, len(self.facts)), ([], 1))
        self.remote.left_alone = 0.0
        self.clock.advance(5)
        for _ in held:
            self.remote.answer()
        self.assertEqual(len(self.facts), 2)

    def test_network_back(self) -> None:
        """What is new is tried at once, however long the server did not answer, and what waits goes with it."""
        self.remote.left_alone, self.remote.left_alone_urgently = 300.0, 0.0
        self.hold().addErrback(lambda _: None)
        self.remote.answer(DOWN)
        held = self.hold(number=1)
        self.assertEqual(len(self.remote.putting), 2)
        self.remote.left_alone = 0.0
        self.remote.answer()
        self.remote.answer()
        self.successResultOf(held)
        self.assertEqual(len(self.facts), 2)

    def test_another_network(self) -> None:
        """What is on its way when the network changes, and what waits because that failed, is sent again at once."""
        held = [self.hold(number=number) for number in range(2)]
        self.remote.left_alone = 300.0
        self.remote.answer(DOWN)
        self.failureResultOf(held[0], ServerFailed)
        hanging = [answer for _, answer in self.remote.putting]
        self.remote.putting.clear()
        self.upkeep.begin_anew()
        for each in hanging:
            self.assertTrue(each.called)
        self.assertEqual(len(self.remote.putting), 2)
        self.remote.answer()
        self.remote.answer()
        self.successResultOf(held[1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_status(self) -> None:
        """What is wrong is told in words, with since when, until it is well."""
        self.assertEqual(self.upkeep.status(), {"name": "https://r.example.com", "trouble": "", "since": 0.0})
        self.hold().addErrback(lambda _: None)
        self.remote.left_alone = 5.0
        self.remote.answer(DOWN)
        self.remote.left_alone = 0.0
        self.clock.advance(100)
        self.remote.left_alone = 5.0
        self.remote.answer(DOWN)
        said = self.upkeep.status()
        self.assertEqual((said["trouble"], said["since"]), ("down", NOW))
        self.remote.left_alone = 0.0
        self.clock.advance(100)
        self.remote.answer()
        self.assertEqual(self.upkeep.status()["since"], 0.0)

    def test_expired(self) -> None:
        """What has expired is not tried any more."""
        held = self.hold()
        self.remote.left_alone = LIFETIME
        self.remote.answer(DOWN)
        self.failureResultOf(held, ServerFailed)
        self.remote.left_alone = 0.0
        self.clock.advance(LIFETIME + 1)
        self.assertEqual((self.remote.putting, self.clock.getDelayedCalls()), ([], []))

    def test_refused(self) -> None:
        """What the server does not take is told and not repeated; that it does not tell it either is no further trouble."""
        held = self.hold()
        self.remote.answer(SlotRefused("no room"))
        self.failureResultOf(held, SlotRefused)
        self.assertEqual(self.upkeep.own(Question(lookup_key(0), known=(BOB.key,))), frozenset())
        self.clock.advance(1000)
        self.assertEqual((self.remote.putting, len(self.facts)), ([], 1))

    def test_refused_among_others(self) -> None:
        """That others are taken does not hide that one was refused, until it is taken, is withdrawn or has expired."""
        self.remote.left_alone = 0.0
        for number, error in ((0, SlotRefused("no room")), (1, None)):
            self.hold(number=number).addErrback(lambda _: None)
            self.remote.answer(error)
        self.assertEqual((self.upkeep.status()["trouble"], len(self.facts)), ("no room", 1))
        self.hold()
        self.remote.answer()
        self.assertEqual((self.upkeep.status()["trouble"], len(self.facts)), ("", 2))
        self.hold(number=2).addErrback(lambda _: None)
        self.remote.answer(SlotRefused("no room"))
        self.clock.advance(LIFETIME)
        self.hold(number=1)
        self.remote.answer()
        self.assertEqual(self.upkeep.status()["trouble"], "")

    def test_refused_when_reached(self) -> None:
        """That a server could not be reached is forgotten when it refuses; a refusal that was withdrawn is as well."""
        self.hold().addErrback(lambda _: None)
        self.remote.left_alone = 4.0
        self.remote.answer(DOWN)
        self.remote.left_alone = 0.0
        self.clock.advance(5)
        self.remote.answer(SlotRefused("no room"))
        self.assertEqual(self.upkeep.status()["trouble"], "no room")
        tombstone = BOB.signed(b"", NOW + 6, lookup=lookup_key(0))
        self.upkeep.withdraw(BOB.slot(lookup_key(0)), tombstone)
        self.remote.answer()
        self.assertEqual(self.upkeep.status()["trouble"], "")

    def test_newer_on_another_network(self) -> None:
        """Whoever put what is on its way when the network changes, and has been replaced meanwhile, is told that it is over."""
        first, second = self.hold(b"first"), self.hold(b"second")
        self.remote.putting.clear()
        self.upkeep.begin_anew()
        self.successResultOf(first)
        self.assertEqual(self.remote.answer().sealed, b"second")
        self.successResultOf(second)

    def test_stale(self) -> None:
        """A server that has a later sequence gets a later one still, once, and nothing from far ahead."""
        ahead = int((NOW + 100) * 1000)
        held = self.hold()
        self.remote.answer(Stale("stale", ahead))
        anew = self.remote.answer()
        anew.verify()
        self.assertEqual((anew.sequence, anew.sealed), (ahead + 1, ITEM))
        self.successResultOf(held)
        for sequence in (0, int((NOW + SKEW) * 1000)):
            held = self.hold(b"%d" % sequence, number=1)
            self.remote.answer(Stale("stale", sequence))
            self.failureResultOf(held, Stale)
            self.assertEqual(self.remote.putting, [])
        held = self.hold(number=2)
        self.remote.answer(Stale("stale", ahead))
        self.remote.answer(Stale("stale", ahead + 5))
        self.failureResultOf(held, Stale)

    def test_withdrawn(self) -> None:
        """What was sent is taken back by a tombstone, also if nobody knows whether it came; what was not is forgotten."""
        slot = BOB.slot(lookup_key(0))
        tombstone = BOB.signed(b"", NOW, lookup=slot.lookup_key)
        self.successResultOf(self.upkeep.withdraw(slot, tombstone))
        self.hold().addErrback(lambda _: None)
        self.remote.answer(DOWN)
        self.remote.answer()
        withdrawn = self.upkeep.withdraw(slot, tombstone)
        self.assertTrue(self.remote.answer().withdrawn)
        self.successResultOf(withdrawn)
        self.successResultOf(self.upkeep.withdraw(slot, tombstone))
        self.remote.left_alone = 5.0
        self.hold().addErrback(lambda _: None)
        self.successResultOf(self.upkeep.withdraw(slot, tombstone))
        self.remote.left_alone = 0.0
        self.clock.advance(10)
        self.assertEqual(self.remote.putting, [])

    def test_swallowed(self) -> None:
        """Only what the server has taken, and not what is on its way, should be told by it."""
        question = Question(lookup_key(0), known=(BOB.key,))
        self.hold()
        self.assertEqual(self.upkeep.own(question), frozenset())
        self.remote.answer()
        (own,) = self.upkeep.own(question)
        self.assertEqual(self.upkeep.own(Question(lookup_key(0))), frozenset())
        self.assertEqual(self.upkeep.own(Question(LOOKUP_KEY, known=(BOB.key,))), frozenset())
        self.upkeep.answered((own,), {BOB.key})
        self.upkeep.answered((), ())
        self.assertEqual(self.facts, [])
        self.upkeep.answered((own,), ())
        self.assertEqual(len(self.facts), 1)
        self.assertEqual(self.upkeep.status()["trouble"], SWALLOWED)
        self.hold()
        self.remote.answer()  # it takes that as well, which says nothing
        self.assertEqual(len(self.facts), 1)
        self.upkeep.answered((own,), {BOB.key})
        self.assertIn("again", self.facts[-1])
        self.clock.advance(LIFETIME)
        self.assertEqual(self.upkeep.own(question), frozenset())

    def test_lost(self) -> None:
        """A server that lost what it had gets it anew, signed now, for as long as it is of use; not oftener than every 5 minutes."""
        self.hold(b"first")
        self.hold(b"second", 1)
        first, second = self.remote.answer(), self.remote.answer()
        self.assertEqual(self.upkeep.newest(), second)
        self.clock.advance(1200)
        self.hold(b"third", 2)
        under_way = self.remote.putting[0][0]
        self.upkeep.put_again()
        self.upkeep.put_again()
        self.assertEqual(self.remote.answer(), under_way)
        for before in (first, second):
            again = self.remote.answer()
            again.verify()
            self.assertEqual(again.sealed, before.sealed)
            self.assertEqual(again.sequence, int(self.clock.seconds() * 1000))
        self.assertEqual(self.remote.putting, [])
        slot = BOB.slot(lookup_key(0))
        self.upkeep.withdraw(slot, BOB.signed(b"", self.clock.seconds(), lookup=slot.lookup_key))
        self.remote.answer()
        self.clock.advance(AGAIN_EVERY)
        self.upkeep.put_again()
        self.assertEqual({self.remote.answer().sealed, self.remote.answer().sealed}, {b"second", b"third"})
        self.clock.advance(LIFETIME)
        self.assertIsNone(self.upkeep.newest())

    def test_stopped(self) -> None:
        """Stopping gives up what is under way and what waits."""
        under_way, waiting = self.hold(b"first"), self.hold(b"second")
        later = [self.hold(number=number) for number in range(1, 10)]
        self.upkeep.stop()
        for each in (under_way, waiting, *later):
            self.failureResultOf(each, ServerFailed)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FirstSuccessTests(SynchronousTestCase):
    """Several servers at once."""

    def test_first(self) -> None:
        """The first that works is enough."""
        attempts: list[Any] = [Deferred(), Deferred()]
        done = first_success(attempts)
        attempts[0].errback(DOWN)
        self.assertNoResult(done)
        attempts[1].callback(None)
        self.successResultOf(done)

    def test_none(self) -> None:
        """When all have failed, each reason is told; without any there is none."""
        attempts: list[Any] = [Deferred(), Deferred()]
        done = first_success(attempts)
        for each in attempts:
            each.errback(DOWN)
        self.assertEqual(str(self.failureResultOf(done, ServerFailed).value), "down; down")
        self.failureResultOf(first_success([]), ServerFailed)
