"""Tests of following a lookup key, with real servers and with ones that do what a test says."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock

from p2pship.lookup.candidate import Question
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.http.eventwire import LONGEST_EVENT
from p2pship.lookup.http.following import AGAIN, LAST_AGAIN, SILENCE, Following, Stream
from p2pship.lookup.http.remote import Remote
from p2pship.lookup.http.web import Web, trusting
from p2pship.lookup.http.wire import print_event
from tests.lookup.http.lookupcase import LookupCase, address, response
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher, lookup_key
from tests.lookup.recording import RecordingReceiver
from tests.scale import scaled

BOB = Publisher(1)
QUESTION = Question(LOOKUP_KEY)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"

PUSHED = 0.2
"Seconds in which a change is pushed."


def event(item: bytes, **wrong: Any) -> bytes:
    """Return the event of a slot that Bob puts now."""
    return print_event(BOB.signed(item, time.time(), **wrong).print())


class FollowingTests(LookupCase):
    """What is pushed by real servers."""

    async def test_pushed(self) -> None:
        """What is there is told at once, and what comes within 0.2 s; nothing after it was cancelled."""
        server = await self.server()
        bob, alice = self.lookup(address(server)), self.lookup(address(server))
        await bob.publish(BOB.slot(), b"before")
        receiver = RecordingReceiver()
        following = alice.follow(QUESTION, receiver)
        assert following is not None
        await self.eventually(lambda: len(receiver.candidates) == 1)
        took = []
        for number in range(scaled(5, 50)):
            began = time.monotonic()
            await bob.publish(BOB.slot(), b"%d" % number)
            await self.eventually(lambda number=number: len(receiver.candidates) == number + 2)  # type: ignore[misc]
            took.append(time.monotonic() - began)
        self.assertLess(min(took), PUSHED)
        last = receiver.candidates[-1]
        self.assertEqual((last.item, last.source), (b"%d" % number, address(server)))
        await bob.withdraw(BOB.slot())
        following.cancel()
        following.cancel()
        await bob.publish(BOB.slot(), b"after")
        self.assertEqual((receiver.candidates[-1], receiver.ends), (last, []))

    async def test_cancelled_when_told(self) -> None:
        """Whoever cancels when told of one slot is told of no other, though several came at once."""
        server = await self.server()
        bob, alice = self.lookup(address(server)), self.lookup(address(server))
        for publisher in (BOB, Publisher(2), Publisher(3)):
            await bob.publish(publisher.slot(), ITEM)
        receiver = RecordingReceiver()
        following = alice.follow(QUESTION, receiver)
        assert following is not None
        receiver.on_candidate = following.cancel
        await self.eventually(lambda: not alice._followings)
        self.assertEqual((len(receiver.candidates), receiver.ends), (1, []))

    async def test_restarted(self) -> None:
        """If one of two servers is restarted, it is followed again, and everything it then has is told."""
        state = Path(self.mktemp())
        state.mkdir()
        one, other = await self.server(), await self.server(state)
        where, port = (address(one), address(other)), other.addresses()[0][1]
        alice, receiver = self.lookup(*where), RecordingReceiver()
        alice.follow(QUESTION, receiver)
        bob = self.lookup(where[1])
        await bob.publish(BOB.slot(), ITEM)
        await self.eventually(lambda: len(receiver.candidates) == 1)
        await other.stopService()
        await self.server(state, port=port)
        await self.eventually(lambda: len(receiver.candidates) == 2)
        self.assertEqual(receiver.ends, [])

    async def test_gone(self) -> None:
        """When no server pushes any more, that is told: whoever wants to know has to ask."""
        server = await self.server()
        alice, receiver = self.lookup("http://127.0.0.1:9", address(server)), RecordingReceiver()
        alice.follow(QUESTION, receiver)
        await self.eventually(lambda: alice._upkeeps[0].remote.trouble != "")
        self.assertEqual(receiver.ends, [])
        await server.stopService()
        await self.eventually(lambda: receiver.ends != [])
        self.assertRegex(str(receiver.ends[0]), "9: .*refused.*; .*ended what it pushed")


class BadServerTests(LookupCase):
    """What is pushed by servers that are broken, or worse."""

    def setUp(self) -> None:
        """Let it be now."""
        self.time = Clock()
        self.time.advance(time.time())
        self.web = Web(reactor, trusting(b""), {})
        self.addCleanup(self.web.close)

    def following(self, answer: bytes | None) -> RecordingReceiver:
        """Follow on a server that answers this, and return who is told."""
        self.server_asked, where = self.puppet(lambda method, path: answer)
        remote = Remote(self.time, self.web, ServerAddress.parse(where), lambda: 1.0)
        receiver = RecordingReceiver()
        self.follows = Following(self.time, [remote], QUESTION, receiver, "http", lambda _: None)
        self.addCleanup(self.follows.cancel)
        self.follows.begin()
        return receiver

    async def test_wrong(self) -> None:
        """Each wrong answer ends it, with words for what it was; what was true before is told."""
        for answer, told, why in (
            (response(b"hello"), 0, "pushes nothing .status 200"),
            (response(b"hello", 404), 0, "pushes nothing .status 404"),
            (response(b"", 302, location="http://127.0.0.1:9/"), 0, "pushes nothing .status 302"),
            (b"HTTP/1.1 200 OK\r\nContent-Type: \xff\r\n\r\n", 0, "pushes nothing"),
            (HEAD + b"event: slot\ndata: hello\n\n", 0, "not Base64"),
            (HEAD + b"data: \xff\n\n", 0, "not UTF-8"),
            (HEAD + bytes(LONGEST_EVENT + 1), 0, "too long"),
            (HEAD + event(ITEM, lookup=lookup_key(2)), 0, "not asked for"),
            (HEAD + event(ITEM) + event(ITEM, lookup=lookup_key(2)), 1, "not asked for"),
        ):
            receiver = self.following(answer)
            await self.eventually(lambda receiver=receiver: receiver.ends != [])  # type: ignore[misc]
            self.assertRegex(str(receiver.ends), why)
            self.assertEqual([each.item for each in receiver.candidates], [ITEM] * told)

    async def test_silent(self) -> None:
        """A stream on which not even a comment comes is dead; one with comments lives on."""
        receiver = self.following(HEAD + event(ITEM))
        await self.eventually(lambda: receiver.candidates != [])
        self.time.advance(SILENCE - 1)
        self.assertEqual(receiver.ends, [])
        self.time.advance(1)
        self.assertRegex(str(receiver.ends), "nothing for 65 s")
        silent = self.following(None)
        await self.eventually(lambda: self.server_asked.asked != [])
        self.time.advance(SILENCE)
        self.assertRegex(str(silent.ends), "nothing within")

    async def test_lasted(self) -> None:
        """A stream that lasted is opened again as soon as one that never failed."""
        receiver = self.following(HEAD + event(ITEM))
        (stream,) = self.follows._streams
        stream._delay = LAST_AGAIN
        await self.eventually(lambda: receiver.candidates != [])
        self.time.advance(SILENCE / 2)
        body = stream._body
        assert body is not None
        body.dataReceived(b":\n\n")
        self.time.advance(SILENCE)
        self.assertEqual((stream.open, stream._delay), (False, AGAIN))

    async def test_bad_proxy(self) -> None:
        """A proxy that cannot be used is a failure like others."""
        self.web._environment = {"all_proxy": "socks5://127.0.0.1:9"}
        receiver = self.following(None)
        self.assertRegex(str(receiver.ends), "the proxy cannot be used")

    async def test_ends_again_and_again(self) -> None:
        """A server that ends each stream at once is left alone for longer and longer."""
        _, where = self.puppet(lambda method, path: HEAD + b"data: \xff\n\n")
        remote = Remote(self.time, self.web, ServerAddress.parse(where), lambda: 1.0)
        ended: list[float] = []
        stream = Stream(self.time, remote, LOOKUP_KEY, lambda remote, slot: None)
        stream.begin(lambda: ended.append(self.time.seconds()))
        self.addCleanup(stream.stop)
        for number in range(12):
            await self.eventually(lambda number=number: len(ended) > number)  # type: ignore[misc]
            (waiting,) = [call for call in self.time.getDelayedCalls() if call.active()]
            self.time.advance(waiting.getTime() - self.time.seconds())
        waits = [later - sooner for sooner, later in pairwise(ended)]
        self.assertEqual(sorted(waits), waits)
        self.assertGreater(waits[-1], LAST_AGAIN)
