"""A lookup is kept holding what it was last told, one identity apart from the other."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import RemoteError
from p2pship.identity.place import Place
from p2pship.journal import Fact, Journal, Published
from p2pship.lookup.candidate import Slot
from p2pship.lookup.outlet import FIRST_RETRY, LAST_RETRY, PUBLISH_TIME, Outlet
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup, unsigned_slot

ALICE, CAROL = "alice@example.com", "carol@example.com"


def slot(number: int) -> Slot:
    """Return one of many slots."""
    return unsigned_slot(bytes([number]) * 32, bytes(32))


class OutletTests(SynchronousTestCase):
    """Holding, changing and taking back."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = MemoryDirectory()
        self.lookup = MemoryLookup(self.clock, self.directory)
        journal = Journal()
        self.facts: list[Fact] = []
        journal.watch(self.facts.append)
        self.outlet = Outlet(self.clock, self.lookup, journal, lambda seconds: seconds)

    def held(self) -> Mapping[Slot, bytes]:
        """Return what the lookup holds."""
        return self.directory.items

    def test_changed(self) -> None:
        """Slots that are no longer wanted are taken back, others hold what is new."""
        self.outlet.hold(ALICE, {slot(1): b"1", slot(2): b"2"})
        self.outlet.hold(ALICE, {slot(2): b"two", slot(3): b"3"})
        self.assertEqual(self.held(), {slot(2): b"two", slot(3): b"3"})
        self.outlet.hold(ALICE, {})
        self.assertEqual((self.held(), self.clock.getDelayedCalls()), ({}, []))

    def test_apart(self) -> None:
        """What one identity publishes is not touched by another."""
        self.outlet.hold(ALICE, {slot(1): b"1"})
        self.outlet.hold(CAROL, {slot(2): b"2"})
        self.outlet.hold(ALICE, {})
        self.assertEqual(self.held(), {slot(2): b"2"})

    def test_newer(self) -> None:
        """What is still being published when there is something newer is given up, and not told as a failure."""
        self.lookup.delay = 1.0
        self.outlet.hold(ALICE, {slot(1): b"old"})
        self.outlet.hold(ALICE, {slot(1): b"new"})
        self.clock.pump([1.0, 1.0])
        self.assertEqual(self.held(), {slot(1): b"new"})
        self.assertEqual(self.facts, [Published(ALICE, "memory")])

    def test_all_at_once(self) -> None:
        """A slot that the lookup cannot take yet keeps no other one waiting; the reason is that of the slot."""
        publish = self.lookup.publish

        self.patch(
            self.lookup,
            "publish",
            lambda each, item: fail(RemoteError("not yet")) if each == slot(1) else publish(each, item),
        )
        self.outlet.hold(ALICE, {slot(1): b"1", slot(2): b"2", slot(3): b"3"})
        self.assertEqual(self.held(), {slot(2): b"2", slot(3): b"3"})
        self.assertEqual(self.facts, [Published(ALICE, "memory", "not yet")])
        self.outlet.close()

    def test_lookup_gives_up(self) -> None:
        """A lookup that gives up by itself has failed, and is tried again."""
        publish = self.lookup.publish
        self.lookup.publish = lambda slot, item: fail(CancelledError())  # type: ignore[method-assign]
        self.outlet.hold(ALICE, {slot(1): b"1"})
        self.lookup.publish = publish  # type: ignore[method-assign]
        self.clock.advance(FIRST_RETRY)
        self.assertEqual(self.held(), {slot(1): b"1"})

    def test_newer_and_an_error(self) -> None:
        """Nor is it, if the lookup has an error of its own for what is given up."""
        publish = self.lookup.publish
        self.lookup.publish = lambda slot, item: Deferred(lambda one: one.errback(RemoteError("given up")))  # type: ignore[method-assign]
        self.outlet.hold(ALICE, {slot(1): b"old"})
        self.lookup.publish = publish  # type: ignore[method-assign]
        self.outlet.hold(ALICE, {slot(1): b"new"})
        self.assertEqual(self.facts, [Published(ALICE, "memory")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_place_fails(self) -> None:
        """An identity at several places is not published while one of them fails; that is told once, and so is its end."""
        publish, friend = self.lookup.publish, Place(b"f" * 32, is_open=False)

        def refusing(at: Slot, item: bytes) -> Deferred[None]:
            return fail(RemoteError("full")) if at == slot(2) else publish(at, item)

        self.lookup.publish = refusing  # type: ignore[method-assign, assignment]
        for item in (b"1", b"2", b"3"):
            self.outlet.hold(ALICE, {slot(1): item})
            self.outlet.hold(ALICE, {slot(2): item}, friend)
        self.lookup.publish = publish  # type: ignore[method-assign]
        self.clock.advance(FIRST_RETRY)
        self.outlet.hold(ALICE, {slot(1): b"4"})
        told = [fact.error for fact in self.facts if isinstance(fact, Published)]
        self.assertEqual(told, ["", "full", ""])

    def test_newer_and_a_success(self) -> None:
        """Nor does it count as published if the lookup says so of what is given up."""
        publish = self.lookup.publish
        self.lookup.publish = lambda slot, item: Deferred(lambda one: one.callback(None))  # type: ignore[method-assign]
        self.outlet.hold(ALICE, {slot(1): b"old"})
        self.lookup.publish = publish  # type: ignore[method-assign]
        self.outlet.hold(ALICE, {slot(1): b"new"})
        self.assertEqual((self.held(), self.facts), ({slot(1): b"new"}, [Published(ALICE, "memory")]))

    def test_gone_from_one_place(self) -> None:
        """That a name is at one place less is no news, as long as it is published anywhere."""
        friend = Place(b"f" * 32, is_open=False)
        self.outlet.hold(ALICE, {slot(2): b"2"}, friend)
        for items in ({slot(1): b"1"}, {}, {slot(1): b"1"}):
            self.outlet.hold(ALICE, items)
        self.assertEqual(self.facts, [Published(ALICE, "memory")])

    def test_retries_are_bounded(self) -> None:
        """However long it fails, it is tried again before long, and in the end ever at the same distance."""
        self.lookup.failure = RemoteError("down")
        self.outlet.hold(ALICE, {slot(1): b"1"})
        waits: list[float] = []
        for _ in range(12):
            (retry,) = self.clock.getDelayedCalls()
            waits.append(retry.getTime() - self.clock.seconds())
            self.clock.advance(waits[-1])
        self.assertEqual((waits[0], waits[-2:]), (FIRST_RETRY, [LAST_RETRY] * 2))
        self.outlet.close()

    def test_gone_and_back(self) -> None:
        """That a name which was taken back is published again is news."""
        for items in ({slot(1): b"1"}, {}, {slot(1): b"1"}):
            self.outlet.hold(ALICE, items)
        self.assertEqual(self.facts, [Published(ALICE, "memory")] * 2)

    def test_newer_ends_the_waiting(self) -> None:
        """What is newer is published at once, though the last attempt failed and the next was due later."""
        self.lookup.failure = RemoteError("down")
        self.outlet.hold(ALICE, {slot(1): b"old"})
        self.lookup.failure = None
        self.outlet.hold(ALICE, {slot(1): b"new"})
        self.assertEqual((self.held(), self.clock.getDelayedCalls()), ({slot(1): b"new"}, []))
        self.clock.advance(FIRST_RETRY)
        self.assertEqual([fact.error for fact in self.facts if isinstance(fact, Published)], ["down", ""])

    def test_closed(self) -> None:
        """Closing takes everything back, also of what is being published or repeated; failing to is no failure."""
        self.outlet.hold(CAROL, {slot(2): b"2"})
        self.lookup.failure = RemoteError("down")
        self.outlet.hold(ALICE, {slot(1): b"1"})
        self.successResultOf(self.outlet.close())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(PUBLISH_TIME)
        self.assertEqual(self.held(), {slot(2): b"2"})

    def test_closed_slowly(self) -> None:
        """Closing is over when the lookup has taken back the last item."""
        self.outlet.hold(ALICE, {slot(1): b"1"})
        self.lookup.delay = 1.0
        closed: Deferred[object] = self.outlet.close()
        self.assertNoResult(closed)
        self.clock.advance(1.0)
        self.successResultOf(closed)
        self.assertEqual(self.held(), {})
