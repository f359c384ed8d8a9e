"""Tests of asking one server, which may answer anything: every bad answer is an error that says what it was, and costs little."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from p2pship.interfaces import ISearch
from p2pship.lookup.candidate import Question
from p2pship.lookup.http import remote as remote_module
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.http.asking import ask
from p2pship.lookup.http.remote import ASK_TIME, LONGEST_REASON, PUT_TIME, Remote, ServerFailed, SlotRefused
from p2pship.lookup.http.web import Web, trusting
from p2pship.lookup.http.wire import LONGEST_LIST, MOST_SLOTS, print_slots
from p2pship.webclient import MOST_RECEIVED
from tests.lookup.http.lookupcase import PATIENCE, LookupCase, PuppetServer, response
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher, lookup_key
from tests.lookup.recording import RecordingReceiver

BOB = Publisher(1)
SLOT = BOB.signed(now=time.time())
GOOD = print_slots([SLOT.print()])
FORGED = replace(SLOT, sealed=b"forged")
FOREIGN = BOB.signed(now=time.time(), lookup=lookup_key(3))
OLD = BOB.signed(now=time.time() - 10_000)
GONE = BOB.signed(b"", now=time.time())
WANTED_ETAG = '"1"'


class AskingCase(LookupCase):
    """A remote whose times are a test's own."""

    def setUp(self) -> None:
        """Let it be now."""
        self.time = Clock()
        self.time.advance(time.time())
        self.web = Web(reactor, trusting(b""), {})
        self.addCleanup(self.web.close)

    def remote(self, where: str) -> Remote:
        """Return the client's view of a server."""
        return Remote(self.time, self.web, ServerAddress.parse(where), lambda: 1.0)

    def answering(self, answer: bytes | None) -> tuple[PuppetServer, Remote]:
        """Start a server that always answers this."""
        puppet, where = self.puppet(lambda method, path: answer)
        return puppet, self.remote(where)

    async def told(self, remote: Remote, question: Question | None = None) -> RecordingReceiver:
        """Ask until the end, and return who was told."""
        receiver = RecordingReceiver()
        ask(remote, question or Question(LOOKUP_KEY), receiver, self.time.seconds)
        await receiver.ended.addTimeout(PATIENCE, reactor)
        return receiver

    async def refused(self, remote: Remote) -> str:
        """Ask; nothing is told, and the search fails. Return why."""
        receiver = await self.told(remote)
        self.assertEqual(receiver.candidates, [])
        (error,) = receiver.ends
        self.assertIsInstance(error, ServerFailed)
        return str(error)


class AskingTests(AskingCase):
    """What is answered to a question."""

    async def test_good(self) -> None:
        """A slot that was asked for and is signed is told; one that is old, was withdrawn or expired is passed over."""
        _, remote = self.answering(response(GOOD))
        receiver = await self.told(remote)
        self.assertEqual([each.item for each in receiver.candidates], [ITEM])
        self.assertEqual((receiver.ends, remote.trouble), ([None], ""))
        self.assertTrue(verifyObject(ISearch, ask(remote, Question(LOOKUP_KEY), receiver, self.time.seconds)))
        _, remote = self.answering(response(print_slots([OLD.print(), GONE.print()])))
        receiver = await self.told(remote)
        self.assertEqual((receiver.candidates, receiver.ends), ([], [None]))

    async def test_enough(self) -> None:
        """Whoever has enough at the first slot has nothing more asked, though a slot that is known is not in the list."""
        slots = [Publisher(number).signed(now=time.time()).print() for number in range(2, 2 + MOST_SLOTS)]
        puppet, remote = self.answering(response(print_slots(slots)))
        receiver = RecordingReceiver()
        asking = ask(remote, Question(LOOKUP_KEY, known=(SLOT.publication_key,)), receiver, self.time.seconds)
        receiver.on_candidate = asking.cancel
        await receiver.first.addTimeout(PATIENCE, reactor)
        for _ in range(3):  # so that whatever was asked meanwhile has come
            await remote.listed(LOOKUP_KEY)
        self.assertEqual([path for _, path in puppet.asked if SLOT.publication_key.hex() in path], [])

    async def test_liars(self) -> None:
        """Who tells what nobody signed, or nobody asked for, is not believed, and that is said; what is true beside it is told."""
        for lie, why in ((FORGED, "not signed"), (FOREIGN, "not asked for")):
            _, remote = self.answering(response(print_slots([lie.print()])))
            self.assertRegex(await self.refused(remote), why)
            _, remote = self.answering(response(print_slots([lie.print(), SLOT.print()])))
            receiver = await self.told(remote)
            self.assertEqual([each.item for each in receiver.candidates], [ITEM])
            self.assertEqual(receiver.ends, [None])

    async def test_wrong(self) -> None:
        """Each wrong answer has an error that says what it was; none of them is more than an error."""
        redirection = response(status=302, location="http://127.0.0.1:9/v1/slots/" + LOOKUP_KEY.hex())
        wrong = {
            b"hello\r\n\r\n": "127.0.0.1",
            response(b"<html>hello</html>", content_type="text/html"): "something else than slots",
            response(b""): "something else than slots",
            response(GOOD + b"\0"): "something else than slots",
            response(bytes(LONGEST_LIST + 1)): "longer than",
            response(GOOD, 500): "status 500",
            response(GOOD, 401): "status 401",
            response(b"not here", 404): "status 404",
            response(GOOD, 206): "status 206",
            response(b"", 304): "status 304",
            redirection: "status 302",
            response(GOOD, content_encoding="gzip")[:-20] + bytes(20): "not signed",
        }
        for answer, why in wrong.items():
            _, remote = self.answering(answer)
            self.assertRegex(await self.refused(remote), why)

    async def test_redirection_not_followed(self) -> None:
        """A server cannot send anybody to another one."""
        other, where = self.puppet(lambda method, path: response(GOOD))
        _, remote = self.answering(response(status=307, location=f"{where}/v1/slots/{LOOKUP_KEY.hex()}"))
        await self.refused(remote)
        self.assertEqual(other.asked, [])

    async def test_without_end(self) -> None:
        """Header lines, or a body, without end are cut off."""
        header = b"HTTP/1.1 200 OK\r\n" + b"X: xxxxxxxxxxxx\r\n" * (2 * MOST_RECEIVED // 16)
        body = response(bytes(2 * MOST_RECEIVED), transfer_encoding="chunked")
        for answer in (header, body):
            _, remote = self.answering(answer)
            await self.refused(remote)

    async def test_silent(self) -> None:
        """Who does not answer in time, or not to the end, is given up before the lookup's time is over."""
        for answer in (None, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", response(GOOD)[:-1]):
            puppet, remote = self.answering(answer)
            receiver = RecordingReceiver()
            ask(remote, Question(LOOKUP_KEY), receiver, self.time.seconds)
            await self.eventually(lambda puppet=puppet: bool(puppet.asked))  # type: ignore[misc]
            self.assertEqual(receiver.ends, [])
            self.time.advance(ASK_TIME)
            self.assertRegex(str(receiver.ends), "nothing within 2.5 s")

    def test_silent_to_tls(self) -> None:
        """Who says nothing to HTTPS may speak HTTP, and wait for the end of a line: that is thought of."""
        _, where = self.puppet(lambda method, path: None)
        receiver = RecordingReceiver()
        ask(self.remote(where.replace("http:", "https:")), Question(LOOKUP_KEY), receiver, self.time.seconds)
        self.time.advance(ASK_TIME)
        self.assertRegex(str(receiver.ends), "nothing within 2.5 s: is its address right, https:// too")

    async def test_full(self) -> None:
        """If a lookup key is full, slots whose publication key is known are asked for by themselves."""
        crowd = print_slots(
            [Publisher(50 + each).signed(now=time.time()).print() for each in range(MOST_SLOTS)]
        )
        puppet, where = self.puppet(lambda method, path: response(SLOT.print() if len(path) > 90 else crowd))
        receiver = await self.told(
            self.remote(where), Question(LOOKUP_KEY, known=(BOB.key, Publisher(50).key))
        )
        self.assertEqual(len(puppet.asked), 2)
        self.assertEqual([each.item for each in receiver.candidates].count(ITEM), MOST_SLOTS + 1)
        puppet.reply = lambda method, path: response(*((b"", 404) if len(path) > 90 else (crowd, 200)))
        receiver = await self.told(self.remote(where), Question(LOOKUP_KEY, known=(BOB.key,)))
        self.assertEqual((len(receiver.candidates), receiver.ends), (MOST_SLOTS, [None]))

    async def test_full_and_slow(self) -> None:
        """A second question has only the time that the first has left."""
        crowd = print_slots(
            [Publisher(50 + each).signed(now=time.time()).print() for each in range(MOST_SLOTS)]
        )
        puppet, where = self.puppet(lambda method, path: None if len(path) > 90 else crowded(path))

        def crowded(path: str) -> bytes:
            self.time.advance(2.0)
            return response(crowd)

        receiver = RecordingReceiver()
        remote = self.remote(where)
        ask(remote, Question(LOOKUP_KEY, known=(BOB.key,)), receiver, self.time.seconds)
        await self.eventually(lambda: len(puppet.asked) == 2)
        self.assertEqual((len(receiver.candidates), receiver.ends), (MOST_SLOTS, []))
        self.time.advance(ASK_TIME - 2.0)
        self.assertRegex(str(receiver.ends), "nothing within 0.5 s")

    async def test_conditional(self) -> None:
        """What has not changed is not sent again."""
        puppet, where = self.puppet(lambda method, path: response(GOOD, etag=WANTED_ETAG))
        remote = self.remote(where)
        await self.told(remote)
        puppet.reply = lambda method, path: response(status=304)
        for _ in range(2):
            receiver = await self.told(remote)
            self.assertEqual([each.item for each in receiver.candidates], [ITEM])
        self.assertEqual([WANTED_ETAG in head for head in puppet.heads], [False, True, True])

    async def test_not_remembered(self) -> None:
        """Nobody fills the memory: long answers are not remembered, nor more than so many."""
        crowd = print_slots(Publisher(each).signed(now=time.time()).print() for each in range(MOST_SLOTS))
        puppet, where = self.puppet(lambda method, path: response(crowd, etag=WANTED_ETAG))
        remote = self.remote(where)
        for _ in range(2):
            await self.told(remote)
        self.assertNotIn(WANTED_ETAG, "".join(puppet.heads))
        self.patch(remote_module, "MOST_KEPT", 2)
        puppet.reply = lambda method, path: response(print_slots(()), etag=WANTED_ETAG)
        for number in range(5):
            await self.told(remote, Question(lookup_key(number)))
        self.assertEqual(len(remote._kept), 2)

    async def test_strange_fields(self) -> None:
        """Header fields that are not text, or as long as books, do nothing."""
        for name in (b"ETag", b"Retry-After", b"Content-Type"):
            for value in (b"\xff\xfe", b'"' + b"x" * 5000 + b'"', b"-1", b"9" * 500, b"Mon, 99 Foo"):
                for status in (b"200 OK", b"429 No", b"304 No"):
                    body = GOOD if status == b"200 OK" else b""
                    head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n" % (status, len(body))
                    puppet, remote = self.answering(head + name + b": " + value + b"\r\n\r\n" + body)
                    receiver = await self.told(remote)
                    self.assertEqual(len(receiver.candidates), len(body) // len(GOOD))
                    self.assertLessEqual(remote.wait(), 3600)
                    self.assertTrue(
                        all(len(line) < 300 for head in puppet.heads for line in head.splitlines())
                    )

    async def test_left_alone(self) -> None:
        """A server that wants to be left alone is, for as long as it says, but no longer than an hour."""
        for status, after, seconds in ((429, "30", 30), (503, "999999999", 3600), (429, "soon", 0)):
            puppet, remote = self.answering(response(status=status, retry_after=after))
            await self.refused(remote)
            self.time.advance(1.1)
            if seconds:
                self.assertRegex(await self.refused(remote), r"asked again in [1-9]\d* s")
                self.assertEqual(len(puppet.asked), 1)
                self.time.advance(seconds)
            await self.refused(remote)
            self.assertEqual(len(puppet.asked), 2)

    async def test_date(self) -> None:
        """It may also say so by a date."""
        _, remote = self.answering(response(status=429, retry_after="Fri, 31 Dec 2100 23:59:59 GMT"))
        await self.refused(remote)
        self.assertGreater(remote.wait(True), 3000)


class PuttingTests(AskingCase):
    """What is answered to a put."""

    async def test_refused(self) -> None:
        """A refusal says why in the server's own words, as far as they can be shown, and is not one for others."""
        said = b'{"error": "full", "text": "no\\u001b[2Jroom' + b"!" * 1000 + b'"}'
        for status in (400, 403, 413, 507):
            _, remote = self.answering(response(said, status))
            error = await self.assertFailure(_deferred(remote.put(SLOT)), SlotRefused)
            self.assertRegex(str(error), rf"status {status}\): no\[2Jroom!+$")
            self.assertLess(len(str(error)), LONGEST_REASON + 100)
            self.assertEqual(remote.wait(), 0.0)
        for body in (b"", b"[]", b"[" * 10_000, b'{"text": 5, "sequence": "x"}'):
            _, remote = self.answering(response(body, 403))
            error = await self.assertFailure(_deferred(remote.put(SLOT)), SlotRefused)
            self.assertIn("does not say why", str(error))

    async def test_too_many(self) -> None:
        """A server that is busy, or that nobody knows what is wrong with, is asked again later."""
        for status in (429, 503, 500, 302):
            _, remote = self.answering(response(status=status, retry_after="20"))
            await self.assertFailure(_deferred(remote.put(SLOT)), ServerFailed)
            self.assertEqual(remote.wait() > 10, status in (429, 503))
            self.assertGreater(remote.wait(), 0)

    async def test_silent(self) -> None:
        """A server that says nothing to a put is given up, and left alone for a while."""
        puppet, remote = self.answering(None)
        putting = _deferred(remote.put(SLOT))
        await self.eventually(lambda: bool(puppet.asked))
        self.time.advance(PUT_TIME)
        await self.assertFailure(putting, ServerFailed)
        self.assertGreater(remote.wait(), 0.0)


def _deferred(coroutine: Any) -> Any:
    return Deferred.fromCoroutine(coroutine)
