"""What every store of a rendezvous server promises; each store's tests are these, with a store of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from zope.interface.verify import verifyObject

from p2pship.lookup.http.server.store import Change, IRendezvousStore, Kept, Outcome, Put, Quotas
from p2pship.lookup.http.wire import MOST_SLOTS, SignedSlot
from tests.lookup.http.publishers import ITEM, LIFETIME, LOOKUP_KEY, NOW, Publisher, lookup_key

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase
else:
    TestCase = object

QUOTAS = Quotas(slots=60, each=25)
HOME = "192.0.2.1"

STORED = Kept(Outcome.STORED, True)


class StoreContract(TestCase):
    """The tests of any store."""

    async def opened(self) -> IRendezvousStore:
        """Return a store with these quotas that is open, empty, and closed after the test."""
        raise NotImplementedError

    async def put(
        self, store: IRendezvousStore, slot: SignedSlot, now: float = NOW, source: str = HOME
    ) -> Kept:
        """Put a slot."""
        kept: Kept = await store.put(Put(slot, slot.print(), source, now))
        return kept

    async def outcome(
        self, store: IRendezvousStore, slot: SignedSlot, now: float = NOW, source: str = HOME
    ) -> Outcome:
        """Put a slot, and return what became of it."""
        return (await self.put(store, slot, now, source)).outcome

    async def items(self, store: IRendezvousStore, now: float = NOW) -> list[bytes]:
        """Return the publication keys of the listed slots."""
        listed: Sequence[bytes] = await store.listed(LOOKUP_KEY, now)
        return [SignedSlot.parse(printed).publication_key for printed in listed]

    async def test_interface(self) -> None:
        """It is a store."""
        self.assertTrue(verifyObject(IRendezvousStore, await self.opened()))

    async def test_put_and_asked(self) -> None:
        """What was put is listed, and found by its publication key, as it was printed."""
        store, slot = await self.opened(), Publisher().signed()
        self.assertEqual(await self.put(store, slot), Kept(Outcome.STORED, True, slot.sequence))
        self.assertEqual(await store.listed(LOOKUP_KEY, NOW), [slot.print()])
        self.assertEqual(await store.one(LOOKUP_KEY, slot.publication_key, NOW), slot.print())
        self.assertEqual(await store.listed(bytes(32), NOW), [])
        self.assertIsNone(await store.one(LOOKUP_KEY, bytes(32), NOW))
        self.assertEqual(await store.held(), 1)

    async def test_replaced(self) -> None:
        """A newer slot replaces an older one; the same again is confirmed, an older or other one of that sequence is stale."""
        store, publisher = await self.opened(), Publisher()
        first, second = publisher.signed(), publisher.signed(now=NOW + 1)
        await self.put(store, first)
        self.assertIs(await self.outcome(store, second), Outcome.STORED)
        self.assertEqual(await self.put(store, second), Kept(Outcome.REPEATED, sequence=second.sequence))
        stale = Kept(Outcome.STALE, sequence=second.sequence)
        self.assertEqual(await self.put(store, first), stale)
        self.assertEqual(await self.put(store, publisher.signed(b"other", NOW + 1)), stale)
        self.assertEqual(await store.listed(LOOKUP_KEY, NOW), [second.print()])
        self.assertEqual(await store.held(), 1)

    async def test_withdrawn(self) -> None:
        """A tombstone takes the slot off the list and stays to be seen; what was signed before cannot come back, newer can."""
        store, publisher = await self.opened(), Publisher()
        first, tombstone = publisher.signed(), publisher.signed(b"", NOW + 1)
        await self.put(store, first)
        self.assertIs(await self.outcome(store, tombstone), Outcome.STORED)
        self.assertEqual(await self.items(store), [])
        self.assertEqual(await store.one(LOOKUP_KEY, publisher.key, NOW), tombstone.print())
        self.assertEqual(await self.put(store, first), Kept(Outcome.WITHDRAWN, sequence=tombstone.sequence))
        self.assertIs(await self.outcome(store, publisher.signed(now=NOW + 2)), Outcome.STORED)
        self.assertEqual(await self.items(store), [publisher.key])

    async def test_nothing_to_withdraw(self) -> None:
        """A tombstone for what is not there takes no room."""
        store = await self.opened()
        self.assertIs(await self.outcome(store, Publisher().signed(b"")), Outcome.ABSENT)
        self.assertEqual(await store.held(), 0)

    async def test_longest_standing(self) -> None:
        """Of more than 16 those are listed that were there first, however often the others come; all are found by their keys."""
        store = await self.opened()
        publishers = [Publisher(number) for number in range(MOST_SLOTS + 4)]
        listed = [(await self.put(store, each.signed())).listed for each in publishers]
        self.assertEqual(listed, [True] * MOST_SLOTS + [False] * 4)
        for each in reversed(publishers):
            await self.put(store, each.signed(now=NOW + 1))
        first = [each.key for each in publishers[:MOST_SLOTS]]
        self.assertEqual(await self.items(store), first)
        for each in publishers:
            found = await store.one(LOOKUP_KEY, each.key, NOW)
            self.assertEqual(found, each.signed(now=NOW + 1).print())

    async def test_next_in_line(self) -> None:
        """When a listed one is withdrawn the next is listed; who comes back before it expires has its old standing."""
        store = await self.opened()
        publishers = [Publisher(number) for number in range(MOST_SLOTS + 1)]
        for each in publishers:
            await self.put(store, each.signed())
        await self.put(store, publishers[0].signed(b"", NOW + 1))
        self.assertEqual(await self.items(store), [each.key for each in publishers[1:]])
        self.assertTrue((await self.put(store, publishers[0].signed(now=NOW + 2))).listed)
        self.assertEqual(await self.items(store), [each.key for each in publishers[:-1]])

    async def test_listed_after_expired(self) -> None:
        """What has expired and is not swept yet keeps nobody off the list, and whoever follows is told so."""
        store, late = await self.opened(), NOW + 10
        for number in range(MOST_SLOTS):
            await self.put(store, Publisher(number).signed(lifetime=5))
        last = Publisher(MOST_SLOTS)
        self.assertFalse((await self.put(store, last.signed())).listed)
        self.assertTrue((await self.put(store, last.signed(now=late), now=late)).listed)
        self.assertTrue((await self.put(store, last.signed(b"", late + 1), now=late + 1)).listed)

    async def test_expired(self) -> None:
        """What has expired is not told, swept or not, and sweeping it makes room."""
        store, late = await self.opened(), NOW + LIFETIME
        old, young = Publisher(1).signed(), Publisher(2).signed(lifetime=LIFETIME + 10)
        await self.put(store, old)
        await self.put(store, young)
        self.assertEqual(await self.items(store, late - 1), [old.publication_key, young.publication_key])
        self.assertEqual(await self.items(store, late), [young.publication_key])
        self.assertIsNone(await store.one(LOOKUP_KEY, old.publication_key, late))
        self.assertEqual([await store.sweep(late), await store.sweep(late), await store.held()], [1, 0, 1])

    async def test_expired_and_put_again(self) -> None:
        """Whose slot expired before it was swept may put anew, and stands at the end of the line."""
        store, first, second = await self.opened(), Publisher(1), Publisher(2)
        await self.put(store, first.signed(lifetime=5))
        await self.put(store, second.signed())
        self.assertIs(await self.outcome(store, first.signed(b"new"), NOW + 5), Outcome.STORED)
        self.assertEqual(await self.items(store), [second.key, first.key])
        self.assertEqual(await store.held(), 2)

    async def test_quota(self) -> None:
        """From one address come so many slots and no more, whatever their keys; what is there may still change."""
        store, publisher = await self.opened(), Publisher()
        for number in range(QUOTAS.each):
            kept = await self.outcome(store, publisher.signed(lookup=lookup_key(number)))
            self.assertIs(kept, Outcome.STORED)
        self.assertIs(await self.outcome(store, publisher.signed()), Outcome.QUOTA)
        changed = publisher.signed(now=NOW + 1, lookup=lookup_key(0))
        self.assertIs(await self.outcome(store, changed), Outcome.STORED)
        self.assertIs(await self.outcome(store, publisher.signed(), source="192.0.2.2"), Outcome.STORED)

    async def test_quota_is_given_back(self) -> None:
        """What has expired counts no longer."""
        store, publisher = await self.opened(), Publisher()
        for number in range(QUOTAS.each):
            await self.put(store, publisher.signed(lookup=lookup_key(number)))
        await store.sweep(NOW + LIFETIME)
        kept = await self.outcome(store, publisher.signed(now=NOW + LIFETIME), NOW + LIFETIME)
        self.assertIs(kept, Outcome.STORED)

    async def test_full(self) -> None:
        """There are so many slots in all and no more."""
        store, publisher = await self.opened(), Publisher()
        for number in range(QUOTAS.slots):
            slot = publisher.signed(lookup=lookup_key(number))
            await self.put(store, slot, source=f"192.0.2.{number}")
        self.assertIs(await self.outcome(store, publisher.signed()), Outcome.FULL)
        await store.sweep(NOW + LIFETIME)
        later = publisher.signed(now=NOW + LIFETIME)
        self.assertIs(await self.outcome(store, later, NOW + LIFETIME), Outcome.STORED)

    async def test_room_for_others(self) -> None:
        """Those whose quotas add up to more than there is do not fill it: whoever comes later has room, for a while longer."""
        store, publisher = await self.opened(), Publisher()
        had = []
        for attacker in range(3):
            slots = [publisher.signed(lookup=lookup_key(100 * attacker + number)) for number in range(25)]
            puts = [store.put(Put(each, each.print(), f"198.51.100.{attacker}", NOW)) for each in slots]
            outcomes = [kept.outcome for kept in await gatherResults(puts)]
            self.assertLessEqual(set(outcomes), {Outcome.STORED, Outcome.QUOTA})
            had.append(outcomes.count(Outcome.STORED))
        self.assertEqual(had, [25, 16, 9])
        self.assertIs(await self.outcome(store, publisher.signed()), Outcome.STORED)

    async def test_at_once(self) -> None:
        """Of many puts to one slot at once, however they are batched, the newest stays."""
        store, publisher = await self.opened(), Publisher()
        slots = [publisher.signed(now=NOW + (7 * number) % 20) for number in range(20)]
        outcomes = await gatherResults([store.put(Put(each, each.print(), HOME, NOW)) for each in slots])
        self.assertIn(Outcome.STALE, {kept.outcome for kept in outcomes})
        newest = publisher.signed(now=NOW + 19)
        self.assertEqual(await store.listed(LOOKUP_KEY, NOW), [newest.print()])

    async def test_followed_though_given_up(self) -> None:
        """Followers hear of what was stored, though whoever put it is gone and was not told."""
        store, slot = await self.opened(), Publisher().signed()
        heard: Deferred[Change | None] = Deferred()
        await store.follow(LOOKUP_KEY, heard.callback)
        putting = store.put(Put(slot, slot.print(), HOME, NOW))
        given_up = self.assertFailure(putting, CancelledError)
        putting.cancel()
        await given_up
        change = await heard.addTimeout(10, self.reactor)
        self.assertEqual(change, Change(slot.publication_key, slot.print(), True))

    async def test_followed(self) -> None:
        """Whoever follows a lookup key hears every change under it, no others, and none that is refused, until that ends."""
        store, publisher = await self.opened(), Publisher()
        changes: list[Change | None] = []
        heard: list[Deferred[None]] = []

        def follower(change: Change | None) -> None:
            changes.append(change)
            heard.pop(0).callback(None)

        async def put(slot: SignedSlot) -> None:
            heard.append(Deferred())
            waiting = heard[-1].addTimeout(10, self.reactor)
            await self.put(store, slot)
            await waiting

        unfollow = await store.follow(LOOKUP_KEY, follower)
        first, tombstone = publisher.signed(), publisher.signed(b"", NOW + 1)
        await put(first)
        await self.put(store, first)
        await self.put(store, publisher.signed(lookup=bytes(32)))
        await put(tombstone)
        expected = [Change(publisher.key, slot.print(), True) for slot in (first, tombstone)]
        self.assertEqual(changes, expected)
        unfollow()
        unfollow()
        await self.put(store, publisher.signed(ITEM, NOW + 2))
        self.assertEqual(changes, expected)

    reactor: Any
