"""The LAN lookup over real sockets: multicast on loopback, each test on a port of its own."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship import datagrams
from p2pship.errors import LocalError
from p2pship.interfaces import ILookup, ISearch
from p2pship.lookup.candidate import Candidate
from p2pship.lookup.lan.protocol import LANLookup, NotAsked
from p2pship.lookup.lan.settings import LANSettings
from p2pship.lookup.lan.wire import Answer, Question
from p2pship.testing.lookup import unsigned_slot
from tests.lookup.lan.lancase import KEY, OTHER_KEY, OTHER_QUESTION, QUESTION, SLOT, LANTestCase
from tests.lookup.recording import RecordingReceiver

FLOOD = 80
"Questions at once: more than one address is answered, but no more than the listener's socket has room for."


class LANLookupTests(LANTestCase):
    """Two nodes on one machine."""

    async def test_absent_interface(self) -> None:
        """An interface that is named in the configuration and is not there is said once; the others are used."""
        with capturedLogs() as logs:
            lookup = await self.lookup(interfaces=("lo", "nope0"))
        said = [formatEvent(event) or "" for event in logs]
        self.assertEqual(len([line for line in said if "there is no interface nope0" in line]), 1)
        self.assertEqual(await self.found_by(lookup, lookup), [])

    async def test_interfaces(self) -> None:
        """It provides what it says."""
        lookup = await self.lookup()
        verifyObject(ILookup, lookup)
        verifyObject(ISearch, lookup.find(QUESTION, RecordingReceiver()))

    async def test_found(self) -> None:
        """What one publishes the other finds, marked as come over loopback; then the search completes."""
        one, other = await self.lookup(), await self.lookup()
        await one.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        other.find(QUESTION, receiver)
        await receiver.ended
        self.assertEqual(receiver.candidates, [Candidate(b"item", "lan", over_loopback=True, on_link=True)])
        self.assertEqual(receiver.ends, [None])

    async def test_everybody_who_holds_it_answers(self) -> None:
        """Nodes share the port of the group, and each of them hears and answers; also the one that asks."""
        nodes = [await self.lookup() for _ in range(3)]
        for number, node in enumerate(nodes):
            await node.publish(unsigned_slot(KEY, bytes([number]) * 32), b"item%d" % number)
        receiver = RecordingReceiver()
        nodes[0].find(QUESTION, receiver)
        await receiver.ended
        self.assertEqual({each.item for each in receiver.candidates}, {b"item0", b"item1", b"item2"})

    async def test_nobody_holds_it(self) -> None:
        """Without an answer the search completes: it was asked."""
        one, other = await self.lookup(), await self.lookup()
        await one.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        other.find(OTHER_QUESTION, receiver)
        await receiver.ended
        self.assertEqual((receiver.candidates, receiver.ends), ([], [None]))

    async def test_withdrawn(self) -> None:
        """What was withdrawn is found no more."""
        one, other = await self.lookup(), await self.lookup()
        await one.publish(SLOT, b"item")
        self.assertEqual(await self.found_by(other, one), [b"item"])
        await one.withdraw(SLOT)
        self.assertEqual(await self.found_by(other, one), [])

    async def test_published_later(self) -> None:
        """What is published just after the first question is found with its repetition."""
        one, other = await self.lookup(), await self.lookup()
        receiver = RecordingReceiver()
        one.find(QUESTION, receiver)
        await deferLater(reactor, 0.1, lambda: None)
        await other.publish(SLOT, b"item")
        self.assertEqual((await receiver.first).item, b"item")

    async def test_cancelled(self) -> None:
        """A search that was cancelled tells nothing more, and cancelling twice is harmless."""
        lookup = await self.lookup()
        await lookup.publish(SLOT, b"item")
        cancelled = RecordingReceiver()
        search = lookup.find(QUESTION, cancelled)
        search.cancel()
        search.cancel()
        self.assertEqual(await self.found_by(lookup, lookup), [b"item"])
        self.assertEqual((cancelled.candidates, cancelled.ends), ([], []))

    async def test_too_long(self) -> None:
        """An item that no answer can carry is refused at once."""
        lookup = await self.lookup()
        self.assertRaises(LocalError, lookup.publish, SLOT, bytes(961))

    async def test_stopped(self) -> None:
        """Stopping ends what is under way, with the reason."""
        lookup = await self.lookup()
        receiver = RecordingReceiver()
        lookup.find(QUESTION, receiver)
        await lookup.stop()
        self.assertEqual(len(receiver.ends), 1)
        self.assertIsInstance(receiver.ends[0], NotAsked)


class OutsiderTests(LANTestCase):
    """What anybody on the network can do."""

    async def answered(self, lookup: LANLookup, *questions: bytes) -> list[bytes]:
        """Send datagrams to the group, then a good question, and return what came until that was answered."""
        await lookup.publish(unsigned_slot(OTHER_KEY, b"x" * 32), b"the end")
        outsider, port = self.outsider()
        for datagram in (*questions, Question(b"e" * 16, OTHER_KEY).print()):
            port.write(datagram, self.group)
        end = Answer(b"e" * 16, b"the end").print()
        while end not in outsider.heard:
            await outsider.on_datagram
            outsider.on_datagram = Deferred()
        return outsider.heard[:-1]

    async def test_answer_is_no_longer_than_the_question(self) -> None:
        """Whoever asks is sent at most as much as it sent."""
        lookup = await self.lookup()
        await lookup.publish(SLOT, bytes(960))
        question = Question(b"q" * 16, KEY).print()
        heard = await self.answered(lookup, question)
        self.assertEqual(heard, [Answer(b"q" * 16, bytes(960)).print()])
        self.assertLessEqual(len(heard[0]), len(question))

    async def test_short_question(self) -> None:
        """A question that is too short, too long or no question gets no answer at all, and is counted."""
        lookup = await self.lookup()
        await lookup.publish(SLOT, b"item")
        question = Question(b"q" * 16, KEY).print()
        bad = [question[:60], question[:-1], question + b"\0", b"", b"\xff" * 1000]
        self.assertEqual(await self.answered(lookup, *bad), [])
        self.assertEqual(self.journals[0].counts["lan.garbage"], len(bad))

    async def test_rate(self) -> None:
        """Who asks without end is answered at the rate, not more; another asker is not disturbed."""
        lookup = await self.lookup()
        await lookup.publish(SLOT, b"item")
        (greedy, port), (modest, other_port) = self.outsider(), self.outsider("127.0.0.2")
        for _ in range(FLOOD):
            port.write(Question(b"q" * 16, KEY).print(), self.group)
        other_port.write(Question(b"m" * 16, KEY).print(), self.group)
        await modest.on_datagram
        await deferLater(reactor, 0, lambda: None)
        self.assertGreaterEqual(len(greedy.heard), 1)
        self.assertLess(len(greedy.heard), FLOOD)

    async def asked(self, lookup: LANLookup) -> tuple[RecordingReceiver, Question, tuple[str, int]]:
        """Let a lookup ask, and return its receiver, the question as heard in the group, and where it came from."""
        asked: Deferred[tuple[bytes, tuple[str, int]]] = Deferred()

        class Listener(DatagramProtocol):
            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                if not asked.called:
                    asked.callback((datagram, addr))

        port: Any = reactor.listenMulticast(self.settings.port, Listener(), listenMultiple=True)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        await port.protocol.transport.joinGroup(self.settings.group, "127.0.0.1")
        receiver = RecordingReceiver()
        lookup.find(QUESTION, receiver)
        datagram, asker = await asked
        return receiver, Question.parse(datagram), asker

    async def test_answer_to_no_question(self) -> None:
        """Answers with another id, answers cut short and garbage are dropped; the right one is taken, once."""
        lookup = await self.lookup()
        receiver, question, asker = await self.asked(lookup)
        _, port = self.outsider()
        good = Answer(question.query_id, b"good").print()
        for datagram in (Answer(b"?" * 16, b"bad").print(), good[:-1], b"", os.urandom(1500), good, good):
            port.write(datagram, asker)
        await receiver.ended
        self.assertEqual([each.item for each in receiver.candidates], [b"good"])
        counts = self.journals[0].counts
        self.assertEqual((counts["lan.garbage"], counts["lan.ignored"]), (3, 2))

    async def test_flood(self) -> None:
        """Of a flood, be it of empty datagrams, only so many are read before the rest of the node has its turn."""
        self.patch(datagrams, "MOST_READ", 20)
        lookup = await self.lookup()
        (attachment,) = lookup._attachments._open.values()
        *_, listener = attachment._ports
        _, port = self.outsider()
        for _ in range(30):
            port.write(b"", self.group)
        for garbage in (20, 30):
            listener.doRead()
            self.assertEqual(self.journals[0].counts["lan.garbage"], garbage)

    async def test_asks_from_the_interface(self) -> None:
        """A question comes from an address of the interface and not from the port of the group, and is 1,000 octets."""
        lookup = await self.lookup()
        _, question, (host, port) = await self.asked(lookup)
        self.assertEqual((host, question.lookup_key), ("127.0.0.1", KEY))
        self.assertNotEqual(port, self.settings.port)

    async def test_answer_to_the_group(self) -> None:
        """An answer that is sent to the group instead of the asker is not taken."""
        lookup = await self.lookup()
        receiver, question, _ = await self.asked(lookup)
        _, port = self.outsider()
        port.write(Answer(question.query_id, b"bad").print(), self.group)
        await receiver.ended
        self.assertEqual(receiver.candidates, [])


class LANSettingsTests(TestCase):
    """The section ``[lookup.lan]``."""

    def test_groups(self) -> None:
        """Only a multicast group will do, for IPv6 one that no router passes on."""
        checks = {name: field.metadata["check"] for name, field in LANSettings.__dataclass_fields__.items()}
        checks["group"]("239.255.55.66")
        checks["group6"]("ff12::5566")
        for wrong in ("192.0.2.1", "ff12::1", "all"):
            self.assertIn("such as 239.255.55.66", str(self.assertRaises(ValueError, checks["group"], wrong)))
        for wrong in ("ff1e::1", "fe80::1", "ff12::5566%eth0", "239.255.55.66"):
            self.assertIn("such as ff12::5566", str(self.assertRaises(ValueError, checks["group6"], wrong)))
