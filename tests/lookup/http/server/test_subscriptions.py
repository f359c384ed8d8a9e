"""Following a lookup key over real sockets."""

from __future__ import annotations

import socket
import time
from contextlib import closing

from twisted.internet import reactor
from twisted.internet.task import deferLater

from p2pship.lookup.http.wire import events_path, slot_path
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher
from tests.lookup.http.server.browsing import Browser
from tests.lookup.http.server.servercase import ServerCase, fresh
from tests.scale import ALONE

ALICE, BOB = Publisher(1), Publisher(2)

PUSHED = 0.2 if ALONE else 2.0
"Seconds within which a change is to be pushed."


class SubscriptionTests(ServerCase):
    """Slots come as they change."""

    async def test_pushed(self) -> None:
        """First comes what is there; then each change, tombstones too, at once; nothing of other lookup keys."""
        browser = await self.served()
        before, after, tombstone = fresh(ALICE), fresh(ALICE, ahead=1), fresh(ALICE, b"", ahead=2)
        await browser.put(before)
        listener = await browser.follow(events_path(LOOKUP_KEY))
        await listener.until(2)
        self.assertEqual(listener.slots(), [before])
        self.assertEqual(listener.events()[1], ("live", ""))
        await browser.put(fresh(BOB, lookup=bytes(32)))
        began = time.monotonic()
        await browser.put(after)
        await listener.until(3)
        self.assertLess(time.monotonic() - began, PUSHED)
        await browser.put(tombstone)
        await listener.until(4)
        self.assertEqual(listener.slots(), [before, after, tombstone])
        listener.close()

    async def test_form(self) -> None:
        """It is an event stream that nobody on the way may keep."""
        browser = await self.served()
        listener = await browser.follow(events_path(LOOKUP_KEY))
        fields = [listener.head.header(name) for name in ("content-type", "cache-control")]
        self.assertEqual(fields, ["text/event-stream", "no-cache"])
        listener.close()

    async def test_one(self) -> None:
        """Of a publication key that is known its slot is followed alone, listed or not."""
        browser = await self.served()
        for number in range(16):
            await browser.put(fresh(Publisher(100 + number)))
        listener = await browser.follow(slot_path(LOOKUP_KEY, ALICE.key) + "/events")
        everybody = await browser.follow(events_path(LOOKUP_KEY))
        await listener.until(1)
        await everybody.until(17)
        slot = fresh(ALICE)
        await browser.put(slot)
        await browser.put(fresh(Publisher(100), ahead=1))
        await listener.until(2)
        await everybody.until(18)
        self.assertEqual(listener.slots(), [slot])
        self.assertNotIn(slot, everybody.slots())
        listener.close()
        everybody.close()

    async def test_places(self) -> None:
        """There are so many subscriptions and no more, until one ends; a question is answered all the same."""
        browser = await self.served(subscriptions_each=2)
        first, second = [await browser.follow(events_path(LOOKUP_KEY)) for _ in range(2)]
        await second.until(1)
        refused = await browser.ask(events_path(LOOKUP_KEY))
        self.assertEqual((refused.status, refused.said["error"]), (503, "busy"))
        self.assertEqual((await browser.ask("/health")).status, 200)
        first.close()
        while "p2pship_rendezvous_subscriptions 2" in (await browser.ask("/metrics")).body.decode():
            pass
        third = await browser.follow(events_path(LOOKUP_KEY))
        await third.until(1)
        second.close()
        third.close()

    async def test_stopped(self) -> None:
        """When the server stops it ends its answers, and waits for nobody."""
        browser = await self.served()
        listener = await browser.follow(events_path(LOOKUP_KEY))
        await listener.until(1)
        stopping = self.server.stopService()
        await listener.until_end()
        await stopping

    async def test_missed(self) -> None:
        """Where changes may have been missed, as when Redis was gone, the answer ends, so that all is asked for again."""
        browser = await self.served()
        listener = await browser.follow(events_path(LOOKUP_KEY))
        await listener.until(1)
        self.server._store._followers.tell_missed()  # type: ignore[attr-defined]
        await listener.until_end()
        self.assertEqual(listener.slots(), [])

    async def test_slow_reader(self) -> None:
        """Who does not read is cut off, and keeps nobody from putting."""
        browser = await self.served(puts=100_000.0, questions=100_000.0)
        with closing(socket.socket()) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            slow.connect(("127.0.0.1", self.server.addresses()[0][1]))
            slow.sendall(f"GET {events_path(LOOKUP_KEY)} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            for number in range(5000):
                slot = fresh(ALICE, bytes(2048), ahead=number / 100)
                self.assertEqual((await browser.put(slot)).status, 200)
                if number % 50 == 0 and await self.dropped(browser):
                    return
        self.fail("who did not read was never cut off")

    async def dropped(self, browser: Browser) -> bool:
        """Tell whether one was cut off."""
        metrics = (await browser.ask("/metrics")).body
        return b"p2pship_rendezvous_dropped_subscriptions_total 1\n" in metrics

    async def test_gone_at_once(self) -> None:
        """Who asks and goes away at once leaves no place taken."""
        browser = await self.served()
        for _ in range(5):
            with closing(socket.create_connection(("127.0.0.1", self.server.addresses()[0][1]))) as gone:
                gone.sendall(f"GET {events_path(LOOKUP_KEY)} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        await deferLater(reactor, 0, lambda: None)
        while "p2pship_rendezvous_subscriptions 0" not in (await browser.ask("/metrics")).body.decode():
            pass
