"""Who of those that are found is dialled, and when: what a search tells, with lookups in memory and a clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from p2pship.errors import RemoteError
from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import ILookup, ISearch
from p2pship.lookup.search import COLLECTING_TIME, WIDE_COLLECTING_TIME
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup
from tests.lookup.people import LOOPBACK, NOW, PRIVATE, PUBLIC, Person
from tests.lookup.test_chain import OWN_NETWORK, ChainTestCase


class WhoIsDialledTests(ChainTestCase):
    """When a device is told of, and when it is not."""

    def setUp(self) -> None:
        super().setUp()
        self.impostor = Person()

    def test_proven_at_once(self) -> None:
        """A proven key is told of at once, though other lookups have not answered."""
        self.publish(self.bob)
        self.prove(self.bob)
        receiver = self.find(self.memory(), self.memory("slow", silent=True))
        self.assertEqual(len(receiver.found), 1)

    def test_unproven_after_the_collecting(self) -> None:
        """An unproven key is told of when the collecting time is over, though lookups are still under way."""
        self.publish(self.bob)
        receiver = self.find(self.memory(lasting=1.0))
        self.clock.advance(COLLECTING_TIME * 0.9)
        self.assertEqual(receiver.found, [])
        self.clock.advance(COLLECTING_TIME * 0.2)
        self.assertEqual(len(receiver.found), 1)

    def wide(self, name: str = "wide", **attributes: Any) -> MemoryLookup:
        """Return a lookup of the wide area with such attributes."""
        return self.memory(name, wide_area=True, **attributes)

    def test_longer_for_the_wide_area(self) -> None:
        """Who is found in the wide area only waits longer for what others there say, if any has not ended."""
        self.publish(self.bob)
        for others in ((self.memory("near", silent=True), self.wide(silent=True)), (self.wide(silent=True),)):
            receiver = self.find(self.wide("quick"), *others)
            self.clock.advance(WIDE_COLLECTING_TIME * 0.9)
            self.assertEqual(receiver.found, [])
            self.clock.advance(WIDE_COLLECTING_TIME * 0.2)
            self.assertEqual(len(receiver.found), 1)

    def test_near_asked_first(self) -> None:
        """Near lookups are asked before all others, so that none of those is in their way."""
        asked: list[str] = []
        lookups = [self.wide("a"), self.memory("b"), self.wide("c"), self.memory("d")]
        for lookup in lookups:
            self.patch(lookup, "find", partial(self.noted, asked, lookup.name, lookup.find))
        self.find(*lookups)
        self.assertEqual(asked, ["b", "d", "a", "c"])

    def noted(self, asked: list[str], name: str, find: Callable[..., ISearch], *given: Any) -> ISearch:
        """Keep who is asked, and ask."""
        asked.append(name)
        return find(*given)

    def test_near_waits_for_nobody(self) -> None:
        """Who is found near is told as soon as if the near lookup had been alone, whatever is under way elsewhere."""
        self.publish(self.bob)
        near = self.memory(lasting=1.0, delay=0.02)
        dead, slow = self.wide(failure=RemoteError("dead")), self.wide("slow", delay=2.0)
        lying = self.wide("lying", lasting=1.0)
        lying._directory = MemoryDirectory()
        lying._directory.items[self.bob.slot()] = b"junk"
        for lookups in ((near,), (near, self.wide(silent=True)), (dead, lying, slow, near)):
            receiver = self.find(*lookups)
            self.clock.advance(0.02)
            self.clock.advance(COLLECTING_TIME * 0.9)
            self.assertEqual(receiver.found, [])
            self.clock.advance(COLLECTING_TIME * 0.2)
            self.assertEqual(len(receiver.found), 1)
            self.search.cancel()

    def test_too_late(self) -> None:
        """Somebody with another key who is found after that in the wide area is not dialled; that there is one is said."""
        self.publish(self.bob)
        wide = self.wide(delay=COLLECTING_TIME * 2)
        wide._directory = MemoryDirectory()
        wide._directory.items[self.impostor.slot()] = self.impostor.item()
        outcome = self.outcome(self.memory(lasting=1.0), wide)
        self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key])
        self.assertFalse(outcome.ambiguous)
        (refused,) = outcome.refused
        self.assertEqual(
            refused,
            f"wide: {fingerprint(self.impostor.key)} claims the name as well, and came too late to be compared",
        )

    def test_near_after_wide(self) -> None:
        """The same where the wide area was quicker; one of another key that comes in time is still seen."""
        self.publish(self.bob)
        for impostor, found in (False, 1), (True, 0):
            near = self.memory(lasting=1.0, delay=0.1)
            near._directory = MemoryDirectory()
            someone = self.impostor if impostor else self.bob
            near._directory.items[someone.slot()] = someone.item()
            receiver = self.find(self.wide(lasting=2.0), near)
            self.clock.pump([0.1, COLLECTING_TIME * 1.1])
            self.assertEqual(len(receiver.found), found)
            self.search.cancel()

    def test_no_longer_than_the_wide_area(self) -> None:
        """A lookup of the wide area that has ended, before anybody was found or since, makes nobody wait."""
        self.publish(self.bob)
        for ends in (0.0, COLLECTING_TIME / 2, COLLECTING_TIME * 2):
            wide = self.wide(lasting=ends)
            wide._directory = MemoryDirectory()
            receiver = self.find(self.memory("near", silent=True), self.wide("quick"), wide)
            collected = max(COLLECTING_TIME, ends)
            self.clock.pump([collected * 0.95])
            self.assertEqual(receiver.found, [])
            self.clock.pump([collected * 0.1])
            self.assertEqual(len(receiver.found), 1)

    def test_no_waiting_for_nobody(self) -> None:
        """When every lookup has ended nobody else can come: an unproven key is told of at once."""
        self.publish(self.bob)
        self.assertEqual(len(self.find().found), 1)

    def test_ambiguous(self) -> None:
        """Two unproven keys for one name: nobody is dialled, and the outcome says why."""
        self.publish(self.bob)
        self.publish(self.impostor)
        outcome = self.outcome()
        self.assertEqual((self.receiver.found, outcome.found, outcome.ambiguous), ([], 0, True))

    def test_ambiguous_across_lookups(self) -> None:
        """The second key may come through another lookup, within the collecting time."""
        self.publish(self.bob)
        other = MemoryLookup(self.clock, MemoryDirectory(), "other")
        other._directory.items[self.impostor.slot()] = self.impostor.item()
        other.delay = COLLECTING_TIME * 0.8
        outcome = self.outcome(self.memory(), other)
        self.assertEqual((self.receiver.found, outcome.ambiguous), ([], True))

    def test_proven_wins(self) -> None:
        """With a proven key, the unproven one is not dialled, whichever came first."""
        self.publish(self.impostor)
        self.publish(self.bob)
        self.prove(self.bob)
        outcome = self.outcome()
        self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key])
        self.assertFalse(outcome.ambiguous)

    def test_changed(self) -> None:
        """A key other than the confirmed one is never dialled, even alone; the outcome says why."""
        self.publish(self.bob)
        self.trust.grades[self.bob.key] = NameGrade.CHANGED
        outcome = self.outcome()
        self.assertEqual((self.receiver.found, len(outcome.refused)), ([], 1))

    def test_doubted(self) -> None:
        """Where only what is over was found, whoever published that knows the name; anybody can publish what is not sealed for it."""
        outcomes = [self.outcome()]
        self.directory.items[self.bob.slot()] = b"garbage"
        outcomes.append(self.outcome())
        self.publish(self.impostor, issued=NOW - 2 * RECORD_LIFETIME)
        outcomes.append(self.outcome())
        self.publish(self.bob)
        outcomes.append(self.outcome())
        self.trust.grades[self.bob.key] = NameGrade.CHANGED
        outcomes.append(self.outcome())
        self.assertEqual([outcome.doubted for outcome in outcomes], [False, False, True, False, False])

    def test_slow_verdict(self) -> None:
        """While one key is being judged another is not dialled: the one judged may be the proven one."""
        verdict: Deferred[Verdict] = Deferred()
        self.trust.waiting[self.bob.key] = verdict
        self.publish(self.impostor)
        self.publish(self.bob)
        receiver = self.find()
        self.clock.advance(1)
        self.assertEqual((receiver.found, receiver.outcomes), ([], []))
        verdict.callback(Verdict(NameGrade.VERIFIED, Acquaintance.CONTACT))
        self.assertEqual(receiver.device_keys, [self.bob.devices[0].key])
        self.assertEqual(receiver.outcome.found, 1)

    def test_collecting_while_judging(self) -> None:
        """Who takes long to judge, as a domain is asked, does not wait for the collecting afterwards."""
        verdict: Deferred[Verdict] = Deferred()
        self.trust.waiting[self.bob.key] = verdict
        self.publish(self.bob)
        receiver = self.find(self.memory(lasting=1.0))
        self.clock.advance(COLLECTING_TIME)
        self.assertEqual(receiver.found, [])
        verdict.callback(Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER))
        self.assertEqual(receiver.device_keys, [self.bob.devices[0].key])

    def test_judged_once(self) -> None:
        """A person is judged once in a search, with however many devices."""
        bob = Person(devices=3)
        for device in range(3):
            self.publish(bob, device)
        self.outcome()
        self.assertEqual(self.trust.judged, [bob.key])

    def test_verdict_never_comes(self) -> None:
        """A verdict that does not come in time ends nothing else, is cancelled, and is said."""
        cancelled: list[object] = []
        self.trust.waiting[self.impostor.key] = Deferred(cancelled.append)
        self.publish(self.bob)
        self.publish(self.impostor)
        outcome = self.outcome()
        self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key])
        self.assertEqual((len(cancelled), len(outcome.refused)), (1, 1))

    def test_trust_fails(self) -> None:
        """A trust policy that fails is logged, and only the person it failed for is not dialled."""
        failing: Deferred[Verdict] = Deferred()
        failing.errback(ZeroDivisionError())
        self.trust.waiting[self.impostor.key] = failing
        self.publish(self.bob)
        self.publish(self.impostor)
        self.outcome()
        self.assertEqual(self.receiver.device_keys, [self.bob.devices[0].key])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class LocatorTests(ChainTestCase):
    """Which locators are told depends on where the candidate came from."""

    def locators(self, *lookups: ILookup) -> list[Any]:
        """Return the locators of each device told."""
        self.publish(self.bob, locators=(LOOPBACK, PRIVATE, PUBLIC))
        self.outcome(*lookups)
        return [found.locators for found in self.receiver.found]

    def test_over_loopback(self) -> None:
        """From this machine all may be dialled."""
        self.assertEqual(self.locators(), [(LOOPBACK, PRIVATE, PUBLIC)])

    def test_on_link(self) -> None:
        """From our own network no loopback address."""
        self.assertEqual(self.locators(self.memory(over_loopback=False)), [(PRIVATE, PUBLIC)])

    def test_wide_area(self) -> None:
        """From far away only public ones, and private ones on our own networks."""
        far = self.memory(over_loopback=False, on_link=False)
        self.assertEqual(self.locators(far), [(PUBLIC,)])
        self.network.change(OWN_NETWORK)
        self.assertEqual(self.locators(far), [(PRIVATE, PUBLIC)])

    def test_moved_meanwhile(self) -> None:
        """What counts as our own network is what it is when somebody is found, not when the search began."""
        self.publish(self.bob, locators=(LOOPBACK, PRIVATE, PUBLIC))
        receiver = self.find(self.memory(over_loopback=False, on_link=False, delay=1.0))
        self.network.change(OWN_NETWORK)
        self.clock.pump([0.1] * 20)
        self.assertEqual([found.locators for found in receiver.found], [(PRIVATE, PUBLIC)])

    def test_the_same_from_two_places(self) -> None:
        """The same papers from nearer by add locators: before it is told, or by being told again."""
        far = self.memory("far", over_loopback=False, on_link=False)
        self.assertEqual(self.locators(far, self.memory("near")), [(LOOPBACK, PRIVATE, PUBLIC)])
        late = self.memory("late", delay=1.0)
        self.assertEqual(self.locators(far, late), [(PUBLIC,), (LOOPBACK, PRIVATE, PUBLIC)])
        self.assertEqual(self.receiver.outcome.found, 1)

    def test_none_left(self) -> None:
        """A device without a locator to dial is told all the same: there may be a link with it."""
        self.publish(self.bob, locators=(LOOPBACK,))
        self.outcome(self.memory(over_loopback=False))
        self.assertEqual([found.locators for found in self.receiver.found], [()])
