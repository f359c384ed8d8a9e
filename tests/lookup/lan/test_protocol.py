"""The LAN lookup over real sockets: multicast on loopback, each test on a port of its own."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship import datagrams
from p2pship.errors import LocalError
from p2pship.interfaces import ILookup, ISearch
from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Slot
from p2pship.lookup.lan.protocol import LANLookup, NotAsked
from p2pship.lookup.lan.settings import LANSettings
from p2pship.lookup.lan.wire import Answer, Question
from p2pship.network import Interface
from p2pship.testing.network import StaticNetwork, loopback
from tests.lookup.recording import RecordingReceiver

KEY, OTHER_KEY, FENCE_KEY = b"k" * 32, b"o" * 32, b"f" * 32
SLOT = Slot(KEY, b"d" * 32)
GONE = Interface("gone0", 999_999, (("192.0.2.77", 24),), loopback=False, multicast=True)
"An interface that cannot be used: neither its number nor its address is this machine's."

FLOOD = 80
"Questions at once: more than one address is answered, but no more than the listener's socket has room for."


def free_port() -> int:
    """Return a UDP port that nobody uses, so that tests run side by side do not hear each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Outsider(DatagramProtocol):
    """A program on this machine that says what it likes."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.on_datagram: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.heard.append(datagram)
        if not self.on_datagram.called:
            self.on_datagram.callback(datagram)


class LANTestCase(TestCase):
    """Makes lookups on loopback, and stops them."""

    timeout = 20

    def setUp(self) -> None:
        self.settings = LANSettings(port=free_port())
        self.journals: list[Journal] = []

    async def lookup(self, network: StaticNetwork | None = None, **changes: Any) -> LANLookup:
        """Return a lookup that has started."""
        self.journals.append(Journal())
        settings = replace(self.settings, **changes)
        made = LANLookup(
            reactor, settings, network or StaticNetwork(loopback()), os.urandom, self.journals[-1]
        )
        await made.start()
        self.addCleanup(made.stop)
        return made

    def outsider(self, host: str = "127.0.0.1") -> tuple[Outsider, Any]:
        """Return somebody with a socket on loopback who can send to the group, and its port."""
        protocol = Outsider()
        port: Any = reactor.listenUDP(0, protocol, interface=host, maxPacketSize=2000)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        port.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
        return protocol, port

    async def found_by(self, asker: LANLookup, holder: LANLookup) -> list[bytes]:
        """Return the items that ``asker`` finds under KEY.

        Nobody waits until the search is over: another is begun after it for something that ``holder`` surely has, and
        when that is found all answers to the first are there.
        """
        slot = Slot(FENCE_KEY, b"x" * 32)
        await holder.publish(slot, b"fence")
        receiver, fence = RecordingReceiver(), RecordingReceiver()
        searches = [asker.find(KEY, receiver), asker.find(FENCE_KEY, fence)]
        await fence.first
        for search in searches:
            search.cancel()
        await holder.withdraw(slot)
        return [candidate.item for candidate in receiver.candidates]

    @property
    def group(self) -> tuple[str, int]:
        """Where questions go."""
        return self.settings.group, self.settings.port


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
        verifyObject(ISearch, lookup.find(KEY, RecordingReceiver()))

    async def test_found(self) -> None:
        """What one publishes the other finds, marked as come over loopback; then the search completes."""
        one, other = await self.lookup(), await self.lookup()
        await one.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        other.find(KEY, receiver)
        await receiver.ended
        self.assertEqual(receiver.candidates, [Candidate(b"item", "lan", over_loopback=True, on_link=True)])
        self.assertEqual(receiver.ends, [None])

    async def test_everybody_who_holds_it_answers(self) -> None:
        """Nodes share the port of the group, and each of them hears and answers; also the one that asks."""
        nodes = [await self.lookup() for _ in range(3)]
        for number, node in enumerate(nodes):
            await node.publish(Slot(KEY, bytes([number]) * 32), b"item%d" % number)
        receiver = RecordingReceiver()
        nodes[0].find(KEY, receiver)
        await receiver.ended
        self.assertEqual({each.item for each in receiver.candidates}, {b"item0", b"item1", b"item2"})

    async def test_nobody_holds_it(self) -> None:
        """Without an answer the search completes: it was asked."""
        one, other = await self.lookup(), await self.lookup()
        await one.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        other.find(OTHER_KEY, receiver)
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
        one.find(KEY, receiver)
        await deferLater(reactor, 0.1, lambda: None)
        await other.publish(SLOT, b"item")
        self.assertEqual((await receiver.first).item, b"item")

    async def test_cancelled(self) -> None:
        """A search that was cancelled tells nothing more, and cancelling twice is harmless."""
        lookup = await self.lookup()
        await lookup.publish(SLOT, b"item")
        cancelled = RecordingReceiver()
        search = lookup.find(KEY, cancelled)
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
        lookup.find(KEY, receiver)
        await lookup.stop()
        self.assertEqual(len(receiver.ends), 1)
        self.assertIsInstance(receiver.ends[0], NotAsked)


class OutsiderTests(LANTestCase):
    """What anybody on the network can do."""

    async def answered(self, lookup: LANLookup, *questions: bytes) -> list[bytes]:
        """Send datagrams to the group, then a good question, and return what came until that was answered."""
        await lookup.publish(Slot(OTHER_KEY, b"x" * 32), b"the end")
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
        lookup.find(KEY, receiver)
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


class InterfaceTests(LANTestCase):
    """Interfaces that cannot be used, and that come and go."""

    async def test_one_fails(self) -> None:
        """An interface that cannot be used is off by itself; the others work."""
        network = StaticNetwork(GONE, loopback())
        one, other = await self.lookup(network), await self.lookup()
        self.assertEqual(len(await self.found_by(one, other)), 0)
        await other.publish(SLOT, b"item")
        network.change(GONE, loopback())
        self.assertEqual(await self.found_by(one, other), [b"item"])

    async def test_told(self) -> None:
        """What cannot be used is said once, and not while a new IPv6 address is being tested, however often that is tried."""
        clock, network = Clock(), StaticNetwork(GONE)
        lookup = LANLookup(clock, self.settings, network, os.urandom, Journal())
        said: list[list[str]] = []
        for seconds in (0, 1, 1, 1, 4, 8, 16):
            with capturedLogs() as logged:
                clock.advance(seconds)
                if seconds:
                    network.change(GONE)
                else:
                    await lookup.start()
            said.append([line for line in map(formatEvent, logged) if line and "gone0" in line])
        await lookup.stop()
        self.assertEqual([len(lines) for lines in said], [0, 0, 0, 1, 0, 0, 0])
        self.assertIn("cannot be asked on gone0", said[3][0])

    async def test_tried_again(self) -> None:
        """What cannot be used is tried again, rarer and rarer, soon again when the network changes, and not after the end."""
        clock = Clock()
        network = StaticNetwork(GONE)
        lookup = LANLookup(clock, self.settings, network, os.urandom, Journal())
        await lookup.start()
        waits = []
        for _ in range(9):
            (timer,) = clock.getDelayedCalls()
            waits.append(timer.getTime() - clock.seconds())
            clock.advance(waits[-1])
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])
        network.change(replace(GONE, index=999_998))
        (timer,) = clock.getDelayedCalls()
        self.assertEqual(timer.getTime() - clock.seconds(), 1)
        await lookup.stop()
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_broken_socket(self) -> None:
        """If the reactor gives up one of the sockets, the interface is opened anew."""
        one, other = await self.lookup(), await self.lookup()
        (attachment,) = one._attachments._open.values()
        attachment._ports[0].connectionLost(Failure(ConnectionDone()))
        self.assertEqual(one._attachments._open, {})
        await other.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        one.find(KEY, receiver)
        await receiver.ended
        self.assertEqual(len(one._attachments._open), 1)

    async def test_none_usable(self) -> None:
        """With no interface at all the search ends with an error that says so."""
        lookup = await self.lookup(StaticNetwork())
        receiver = RecordingReceiver()
        lookup.find(KEY, receiver)
        await receiver.ended
        self.assertIn("no usable interface", str(receiver.ends[0]))

    async def test_all_fail(self) -> None:
        """If none works the error names the interface and what is wrong with it."""
        lookup = await self.lookup(StaticNetwork(GONE))
        receiver = RecordingReceiver()
        lookup.find(KEY, receiver)
        await receiver.ended
        self.assertIsInstance(receiver.ends[0], NotAsked)
        self.assertIn("gone0", str(receiver.ends[0]))

    async def test_named_interfaces(self) -> None:
        """With interfaces named in the settings, others are not used."""
        lookup = await self.lookup(interfaces=("eth7",))
        receiver = RecordingReceiver()
        lookup.find(KEY, receiver)
        await receiver.ended
        self.assertIsInstance(receiver.ends[0], NotAsked)

    async def test_comes(self) -> None:
        """An interface that comes while a search is under way is asked with the next repetition."""
        network = StaticNetwork()
        one, other = await self.lookup(network), await self.lookup()
        await other.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        one.find(KEY, receiver)
        network.change(loopback())
        self.assertEqual((await receiver.first).item, b"item")

    async def test_goes(self) -> None:
        """An interface that went away is not answered on."""
        network = StaticNetwork(loopback())
        one, other = await self.lookup(network), await self.lookup()
        await one.publish(SLOT, b"item")
        network.change()
        self.assertEqual(await self.found_by(other, other), [])
        network.change(loopback())
        self.assertEqual(await self.found_by(other, one), [b"item"])

    async def test_stops_watching(self) -> None:
        """A lookup that stopped watches nothing."""
        network = StaticNetwork(loopback())
        lookup = await self.lookup(network)
        self.assertEqual(len(network.watchers), 1)
        await lookup.stop()
        self.assertEqual(network.watchers, [])


class LANSettingsTests(TestCase):
    """The section ``[lookup.lan]``."""

    def test_groups(self) -> None:
        """Only a multicast group will do, for IPv6 one that no router passes on."""
        checks = {name: field.metadata["check"] for name, field in LANSettings.__dataclass_fields__.items()}
        checks["group"]("239.255.55.66")
        checks["group6"]("ff12::5566")
        self.assertRaises(ValueError, checks["group"], "192.0.2.1")
        self.assertRaises(ValueError, checks["group"], "ff12::1")
        self.assertRaises(ValueError, checks["group6"], "ff1e::1")
        self.assertRaises(ValueError, checks["group6"], "fe80::1")
