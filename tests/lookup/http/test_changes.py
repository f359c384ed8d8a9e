"""What a lookup makes of another network, and what it tells of its servers."""

from __future__ import annotations

import time
from email.utils import formatdate

from p2pship.interfaces import IAsksServers
from p2pship.lookup.candidate import Question
from p2pship.lookup.http.remote import PUT_TIME
from p2pship.lookup.http.wire import print_slots
from tests.lookup.http.lookupcase import LookupCase, address, response
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher
from tests.lookup.recording import RecordingReceiver

BOB = Publisher(1)
QUESTION = Question(LOOKUP_KEY)
NOTHING = response(print_slots(()))
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n\n"
DEAD = "http://127.0.0.1:9"
FAR = "http://rendezvous.example"


class NetworkTests(LookupCase):
    """The machine has other addresses than before; what went over the old ones hangs."""

    async def test_published_at_once(self) -> None:
        """A put that hangs is put again over another connection at once, and not when its time is over."""
        answers = [None, response()]
        puppet, where = self.puppet(lambda method, path: answers.pop(0))
        lookup = self.lookup(where)
        published = lookup.publish(BOB.slot(), ITEM)
        await self.eventually(lambda: len(puppet.asked) == 1)
        began = time.monotonic()
        self.network.change()
        await published
        self.assertLess(time.monotonic() - began, PUT_TIME / 2)
        self.assertEqual(puppet.asked[0], puppet.asked[1])
        self.assertEqual(len(set(puppet.peers)), 2)
        self.assertEqual(self.facts, [])

    async def test_what_failed(self) -> None:
        """A server that could not be reached is tried again at once, however long it has been away."""
        server = await self.server()
        where, port = address(server), server.addresses()[0][1]
        await server.stopService()
        lookup = self.lookup(where)
        for _ in range(12):
            lookup._upkeeps[0].remote.failed("there is no network")
            lookup._upkeeps[0].remote._patience._until = 0.0
        lookup._upkeeps[0].remote.failed("there is no network")
        lookup.publish(BOB.slot(), ITEM).addErrback(lambda _: None)
        self.assertGreater(lookup._upkeeps[0].remote.wait(), 60)
        await self.server(port=port)
        self.network.change()
        await self.eventually(lambda: not lookup._upkeeps[0]._waiting and not lookup._upkeeps[0]._under_way)
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])

    async def test_asked_anew(self) -> None:
        """The connections that wait for the next question are made anew."""
        puppet, where = self.puppet(lambda method, path: NOTHING)
        lookup = self.lookup(where)
        for _ in range(2):
            await self.found(lookup, QUESTION)
        self.assertEqual(len(set(puppet.peers)), 1)
        self.network.change()
        await self.found(lookup, QUESTION)
        self.assertEqual(len(set(puppet.peers)), 2)

    async def test_followed_anew(self) -> None:
        """Streams are opened anew, which is no end of following, even if another server cannot be reached."""
        puppet, where = self.puppet(lambda method, path: STREAM)
        lookup, receiver = self.lookup(where, DEAD), RecordingReceiver()
        lookup.follow(QUESTION, receiver)
        (following,) = lookup._followings
        await self.eventually(lambda: all(stream.tried or stream.open for stream in following._streams))
        self.network.change()
        await self.eventually(lambda: len(puppet.asked) == 2)
        await self.eventually(lambda: following._streams[0].open)
        self.assertEqual(receiver.ends, [])
        self.assertEqual(len(set(puppet.peers)), 2)

    async def test_stopped(self) -> None:
        """Whoever has stopped does nothing when the network changes."""
        lookup = self.lookup(DEAD)
        await lookup.stop()
        self.network.change()


class ServersTests(LookupCase):
    """What is told of servers."""

    async def test_trouble(self) -> None:
        """Of each server it is told whether it is of use, and if not why, and since when."""
        server = await self.server()
        lookup = self.lookup(address(server), DEAD)
        self.assertTrue(IAsksServers.providedBy(lookup))
        self.assertEqual([each["trouble"] for each in lookup.servers()], ["", ""])
        began = time.time()
        await lookup.publish(BOB.slot(), ITEM)
        await self.eventually(lambda: lookup.servers()[1]["since"] > 0)
        good, dead = lookup.servers()
        self.assertEqual(good, {"name": address(server), "trouble": "", "since": 0.0})
        self.assertRegex(dead["trouble"], "^connection refused")
        self.assertGreaterEqual(dead["since"], began)

    async def test_clock(self) -> None:
        """A server that has another time makes our clock doubted; one that has ours does not, nor does a date that is none."""
        dates = [formatdate(time.time() + ahead, usegmt=True) for ahead in (1500, -7200)]
        dates += ["", "yesterday", "Fri, 32 Foo 99999999999999999999 00:00:00 GMT"]
        _, proxy = self.puppet(lambda method, path: response(print_slots(()), date=dates.pop(0)))
        far = {"http_proxy": proxy}
        for words in ("behind by about 25 minutes", "ahead by at least 2 hours"):
            lookup = self.lookup(FAR, environment=far)
            await self.found(lookup, QUESTION)
            self.assertIn(words, self.clock_doubt.words(time.time()))
        while dates:
            await self.found(self.lookup(FAR, environment=far), QUESTION)
            self.assertEqual(self.clock_doubt.witnesses(time.time()), 0)
        dates.append(formatdate(usegmt=True))
        await self.found(self.lookup(FAR, environment=far), QUESTION)
        said = self.clock_doubt
        self.assertEqual((said.witnesses(time.time()), said.words(time.time())), (1, ""))

    async def test_own_clock(self) -> None:
        """A server on this machine has the same clock, and is no witness that it is right."""
        await self.found(self.lookup(address(await self.server())), QUESTION)
        self.assertEqual(self.clock_doubt.witnesses(time.time()), 0)
