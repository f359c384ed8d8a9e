"""Putting slots into a server and asking for them, over real sockets."""

from __future__ import annotations

import time
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.web.client import ResponseNeverReceived

from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.lookup.http.wire import (
    LONGEST_LIFETIME,
    LONGEST_SEALED,
    MOST_SLOTS,
    SKEW,
    SignedSlot,
    parse_slots,
    signed,
    slot_path,
    slots_path,
)
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher, lookup_key
from tests.lookup.http.server.browsing import Browser
from tests.lookup.http.server.servercase import ServerCase, fresh

ALICE, BOB = Publisher(1), Publisher(2)

CONDITIONS = (
    ('ETAG, "other"', 304),
    ('"other",ETAG', 304),
    ("W/ETAG", 304),
    ('"a, b" , W/ETAG', 304),
    ("*", 304),
    ('"other"', 200),
    ("ETA", 200),
)
"Values of If-None-Match: lists, and what a proxy on the way has weakened, as nginx does where it compresses."


class AskingTests(ServerCase):
    """What was put is found."""

    async def test_put_and_asked(self) -> None:
        """A slot that was put is in the list of its lookup key, and at its own path, as it was printed."""
        browser, slot = await self.served(), fresh(ALICE)
        put = await browser.put(slot)
        self.assertEqual((put.status, put.said), (200, {"outcome": "stored", "listed": True}))
        listed = await browser.ask(slots_path(LOOKUP_KEY))
        self.assertEqual((listed.status, parse_slots(listed.body)), (200, (slot,)))
        self.assertEqual(listed.header("content-type"), "application/cbor")
        one = await browser.ask(slot_path(LOOKUP_KEY, ALICE.key))
        self.assertEqual((one.status, one.body), (200, slot.print()))

    async def test_nothing(self) -> None:
        """A lookup key under which nothing is has an empty list; a slot that is not there is 404."""
        browser = await self.served()
        listed = await browser.ask(slots_path(bytes(32)))
        self.assertEqual((listed.status, listed.body), (200, b"\x80"))
        one = await browser.ask(slot_path(bytes(32), bytes(32)))
        self.assertEqual((one.status, one.said["error"]), (404, "unknown"))

    async def test_withdrawn(self) -> None:
        """A slot that was withdrawn is off the list, and at its path is the tombstone, with 410."""
        browser, tombstone = await self.served(), fresh(ALICE, b"", ahead=1)
        await browser.put(fresh(ALICE))
        self.assertEqual((await browser.put(tombstone)).status, 200)
        self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY))).body, b"\x80")
        one = await browser.ask(slot_path(LOOKUP_KEY, ALICE.key))
        self.assertEqual((one.status, SignedSlot.parse(one.body)), (410, tombstone))

    async def test_conditional(self) -> None:
        """Who has seen the list hears that it is the same, until it is not (RFC 9110 §13.1.2)."""
        browser = await self.served()
        await browser.put(fresh(ALICE))
        first = await browser.ask(slots_path(LOOKUP_KEY))
        again = await browser.ask(slots_path(LOOKUP_KEY), if_none_match=first.header("etag"))
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(again.header("etag"), first.header("etag"))
        for known, status in CONDITIONS:
            condition = known.replace("ETAG", first.header("etag"))
            asked = await browser.ask(slots_path(LOOKUP_KEY), if_none_match=condition)
            self.assertEqual((known, asked.status), (known, status))
        await browser.put(fresh(ALICE, ahead=1))
        changed = await browser.ask(slots_path(LOOKUP_KEY), if_none_match=first.header("etag"))
        self.assertEqual(changed.status, 200)
        one = slot_path(LOOKUP_KEY, ALICE.key)
        await browser.put(fresh(ALICE, b"", ahead=2))
        gone = await browser.ask(one, if_none_match=(await browser.ask(one)).header("etag") or "*")
        self.assertEqual(gone.status, 410)
        head = await browser.ask(slots_path(LOOKUP_KEY), "HEAD")
        full = await browser.ask(slots_path(LOOKUP_KEY))
        self.assertEqual((head.status, head.header("etag")), (200, full.header("etag")))

    async def test_squatters(self) -> None:
        """Who fills a lookup key is listed and stays so; the true slot that came later is found by its publication key."""
        browser = await self.served()
        squatters = [Publisher(number) for number in range(100, 100 + MOST_SLOTS)]
        for each in squatters:
            await browser.put(fresh(each))
        true = fresh(ALICE)
        put = await browser.put(true)
        self.assertEqual((put.status, put.said["listed"]), (200, False))
        listed = parse_slots((await browser.ask(slots_path(LOOKUP_KEY))).body)
        self.assertEqual({slot.publication_key for slot in listed}, {each.key for each in squatters})
        one = await browser.ask(slot_path(LOOKUP_KEY, ALICE.key))
        self.assertEqual(one.body, true.print())

    async def test_squatters_come_later(self) -> None:
        """Who was there first stays listed, however many come and however often they put."""
        browser, true = await self.served(), fresh(ALICE)
        await browser.put(true)
        for round_ in range(2):
            for number in range(100, 120):
                await browser.put(fresh(Publisher(number), ahead=round_))
        listed = parse_slots((await browser.ask(slots_path(LOOKUP_KEY))).body)
        self.assertEqual((listed[0], len(listed)), (true, MOST_SLOTS))


class RefusalTests(ServerCase):
    """What is not taken, and with which words."""

    async def refused(self, browser: Browser, slot: SignedSlot | bytes) -> tuple[int, str]:
        """Put what is refused, and return status and word; what was there before is still there, and nothing new."""
        octets = slot if isinstance(slot, bytes) else slot.print()
        before = (await browser.ask(slots_path(LOOKUP_KEY))).body
        put = await browser.ask(slot_path(LOOKUP_KEY, ALICE.key), "PUT", octets)
        self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY))).body, before)
        self.assertEqual(put.header("content-type"), "application/json")
        return put.status, put.said["error"]

    async def test_forged(self) -> None:
        """Without the publication key nothing can be put in its name: not in a new slot, nor over or away with an old one."""
        browser, slot = await self.served(), fresh(ALICE)
        mallory = Publisher(66).slot().private_key
        later = replace(slot, sequence=slot.sequence + 1)
        other_key = signed(
            replace(ALICE.slot(), private_key=mallory), b"mine", slot.sequence + 1, slot.expiry
        )
        for forged in (later, other_key, replace(later, sealed=b""), replace(slot, signature=bytes(64))):
            self.assertEqual(await self.refused(browser, forged), (403, "signature"))
        await browser.put(slot)
        for forged in (later, other_key, replace(later, sealed=b"")):
            self.assertEqual(await self.refused(browser, forged), (403, "signature"))

    async def test_stale(self) -> None:
        """An older slot does not replace a newer one, and the answer says which sequence is there."""
        browser, newer = await self.served(), fresh(ALICE, ahead=5)
        await browser.put(newer)
        self.assertEqual(await self.refused(browser, fresh(ALICE)), (409, "stale"))
        other = signed(ALICE.slot(), b"other", newer.sequence, newer.expiry)
        put = await browser.put(other)
        self.assertEqual((put.status, put.said["sequence"]), (409, newer.sequence))

    async def test_repeated(self) -> None:
        """The same slot again is confirmed, as its sender may not have heard the answer."""
        browser, slot = await self.served(), fresh(ALICE)
        await browser.put(slot)
        again = await browser.put(slot)
        self.assertEqual((again.status, again.said["outcome"]), (200, "repeated"))

    async def test_replayed_after_withdrawal(self) -> None:
        """What was withdrawn cannot be brought back by whoever has kept a copy."""
        browser, slot = await self.served(), fresh(ALICE)
        await browser.put(slot)
        await browser.put(fresh(ALICE, b"", ahead=1))
        self.assertEqual(await self.refused(browser, slot), (410, "withdrawn"))

    async def test_clock(self) -> None:
        """A slot that was signed long ago, or is of the future, is refused: nobody can lock a publisher out by a great number."""
        browser = await self.served()
        for ahead in (-SKEW - 5, SKEW + 5, 10**9):
            self.assertEqual(await self.refused(browser, fresh(ALICE, ahead=ahead)), (400, "clock"))
        self.assertEqual((await browser.put(fresh(ALICE, ahead=-SKEW + 60))).status, 200)

    async def test_lifetime(self) -> None:
        """A slot lives for 30 days at most, and is not dead yet."""
        browser, now = await self.served(), time.time()
        month = ALICE.signed(now=now, lifetime=LONGEST_LIFETIME + SKEW + 60)
        self.assertEqual(await self.refused(browser, month), (400, "lifetime"))
        self.assertEqual(await self.refused(browser, ALICE.signed(now=now, lifetime=-1)), (400, "expired"))
        self.assertEqual((await browser.put(ALICE.signed(now=now, lifetime=LONGEST_LIFETIME))).status, 200)

    async def test_lifetime_in_a_crowd(self) -> None:
        """When half of the room is taken nothing new stays for longer than a record holds, so that it is soon free again."""
        browser = await self.served(slots=4)
        for publisher in (ALICE, BOB):
            await browser.put(fresh(publisher))
        await self.server._sweep()
        long, short = (ALICE.signed(now=time.time() + 1, lifetime=each) for each in (5400, RECORD_LIFETIME))
        self.assertEqual(await self.refused(browser, long), (400, "lifetime"))
        self.assertEqual((await browser.put(short)).status, 200)

    async def test_elsewhere(self) -> None:
        """A slot for another place than its path is refused, well signed or not."""
        browser = await self.served()
        for elsewhere in (fresh(ALICE, lookup=bytes(32)), fresh(Publisher(2))):
            self.assertEqual(await self.refused(browser, elsewhere), (400, "malformed"))

    async def test_garbage(self) -> None:
        """What is no slot is refused: cut short, with octets after it, or anything else."""
        browser, printed = await self.served(), fresh(ALICE).print()
        for garbage in (b"", printed[:-1], printed + b"\0", b"hello", b"\x9f" * 100, bytes(2000)):
            self.assertEqual(await self.refused(browser, garbage), (400, "malformed"))

    async def test_oversized(self) -> None:
        """More than a slot can have is refused, in the body's form or for its length; a far longer body is cut off."""
        browser = await self.served()
        longest = fresh(ALICE, bytes(LONGEST_SEALED))
        self.assertEqual((await browser.put(longest)).status, 200)
        self.assertEqual(await self.refused(browser, longest.print() + bytes(100)), (400, "malformed"))
        self.assertEqual(await self.refused(browser, bytes(100_000)), (413, "too-long"))

    async def test_paths(self) -> None:
        """A path has one spelling; what is none of ours is 404, and another method than those for a path 405."""
        browser = await self.served()
        statuses = {
            "/": 404,
            "/v1/slots": 404,
            "/v2/slots/" + "00" * 32: 404,
            "/v1/slots/" + "0" * 63: 400,
            "/v1/slots/" + "AB" * 32: 400,
            "/v1/slots/" + "g" * 64: 400,
            "/v1/slots/" + "00" * 32 + "/": 400,
            "/v1/slots/" + "00" * 32 + "/events/more": 404,
            "/get": 404,
        }
        for path, status in statuses.items():
            self.assertEqual(((await browser.ask(path)).status, path), (status, path))
        for method in ("POST", "DELETE", "PUT"):
            self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY), method)).status, 405)


class FloodTests(ServerCase):
    """Who wants too much."""

    async def test_puts(self) -> None:
        """Too many puts from one address are refused, with when to come again, and cost no check of a signature."""
        browser = await self.served(puts=0.1)
        statuses = [(await browser.put(fresh(ALICE, ahead=number))).status for number in range(6)]
        self.assertEqual(statuses, [200] * 6)
        refused = await browser.put(replace(fresh(ALICE), signature=bytes(64)))
        self.assertEqual((refused.status, refused.said["error"]), (429, "too-often"))
        self.assertTrue(1 <= int(refused.header("retry-after")) <= 10)
        self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY))).status, 200)

    async def test_questions(self) -> None:
        """Nor may one address ask too often."""
        browser = await self.served(questions=0.1)
        statuses = [(await browser.ask(slots_path(bytes(32)))).status for _ in range(7)]
        self.assertEqual(statuses, [200] * 6 + [429])
        self.assertEqual((await browser.put(fresh(ALICE))).status, 200)

    async def test_behind_a_proxy(self) -> None:
        """Behind a proxy of ours each address has its own allowance; from others what they say of themselves counts nothing."""
        path = slots_path(LOOKUP_KEY)
        behind = await self.served(questions=0.1, proxies=("127.0.0.1",))
        asked = [await behind.ask(path, x_forwarded_for=f"203.0.113.9, 192.0.2.{n}") for n in range(8)]
        self.assertEqual({answer.status for answer in asked}, {200})
        direct = await self.served(questions=0.1)
        asked = [await direct.ask(path, x_forwarded_for=f"192.0.2.{n}") for n in range(8)]
        self.assertEqual(asked[-1].status, 429)
        garbage = await behind.ask(path, x_forwarded_for="not an address")
        self.assertEqual(garbage.status, 400)

    async def test_quotas(self) -> None:
        """Slots beyond what an address may have, or all, are refused with 507, and the reason."""
        browser = await self.served(slots_each=2)
        for number in range(2):
            await browser.put(fresh(ALICE, lookup=lookup_key(number)))
        refused = await browser.put(fresh(ALICE))
        self.assertEqual((refused.status, refused.said["error"]), (507, "quota"))
        full = await self.served(slots=1)
        await full.put(fresh(ALICE))
        refused = await full.put(fresh(Publisher(2)))
        self.assertEqual((refused.status, refused.said["error"]), (507, "full"))

    async def test_connections(self) -> None:
        """One address has so many connections and no more."""
        first = await self.served(connections_each=1)
        second = self.browser()
        self.assertEqual((await first.ask(slots_path(bytes(32)))).status, 200)
        asking = Deferred.fromCoroutine(second.ask(slots_path(bytes(32)), "PUT"))
        await self.assertFailure(asking, ResponseNeverReceived)
        self.assertEqual((await first.ask(slots_path(bytes(32)))).status, 200)
