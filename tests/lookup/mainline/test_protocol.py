"""The Mainline lookup in a DHT of 24 other nodes on loopback."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.protocol import DatagramProtocol
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError
from p2pship.interfaces import ILookup, ISearch
from p2pship.lookup.candidate import Candidate, Question, Slot
from p2pship.lookup.mainline import mutable, protocol, search
from p2pship.lookup.mainline.protocol import MainlineLookup
from p2pship.lookup.mainline.search import CROWD, NotAsked
from p2pship.lookup.mainline.session import Cancel, PeerReceived
from p2pship.lookup.questions.keys import handle
from p2pship.lookup.questions.targets import MOST_OF_ADDRESS, MOST_QUESTIONS
from p2pship.testing.dht import NODES, PrivateDHT
from p2pship.testing.network import StaticNetwork, loopback
from tests.lookup.mainline.privatedht import MainlineTestCase
from tests.lookup.recording import RecordingReceiver

KEY = b"k" * 32
DEVICE = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
SLOT = Slot(KEY, DEVICE.public_key().public_bytes_raw(), DEVICE)
KNOWN = Question(KEY, known=(SLOT.publication_key,))

JUNK = 40
"Junk announcements of one node; ten nodes make them."


class Eavesdropper(DatagramProtocol):
    """Somebody who announces himself under the handle, and passes on what he is asked."""

    def __init__(self, victim: tuple[str, int]) -> None:
        self._victim = victim
        self.asked = 0
        self.got: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if addr == self._victim:
            self.got.append(datagram)
            return
        self.asked += 1
        assert self.transport is not None
        self.transport.write(datagram, self._victim)


class Relay(DatagramProtocol):
    """Passes questions on to a node, and its answers back to who asked last."""

    def __init__(self, node: tuple[str, int]) -> None:
        self._node = node
        self._asker = node

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        to = self._asker if addr == self._node else self._node
        self._asker = addr if to == self._node else self._asker
        assert self.transport is not None
        self.transport.write(datagram, to)


class MainlineLookupTests(MainlineTestCase):
    """One who publishes, and one who searches."""

    async def first(self, lookup: MainlineLookup, question: Question) -> Candidate:
        """Return the first candidate of a search."""
        receiver = RecordingReceiver()
        under_way = lookup.find(question, receiver)
        both: list[Deferred[Any]] = [receiver.first, receiver.ended]
        await DeferredList(both, fireOnOneCallback=True)
        under_way.cancel()
        self.assertTrue(receiver.candidates, "nothing was found")
        return receiver.candidates[0]

    async def found_in_time(self, lookup: MainlineLookup, question: Question) -> set[bytes]:
        """Return the items that a whole search finds."""
        receiver = RecordingReceiver()
        lookup.find(question, receiver)
        await receiver.ended
        self.assertEqual(receiver.ends, [None])
        return {candidate.item for candidate in receiver.candidates}

    async def published(self, lookup: MainlineLookup, item: bytes) -> None:
        """Publish an item, and wait until those nodes have it that are to."""
        await lookup.publish(SLOT, item)
        await self.announced(lookup, lookup)

    async def announced(self, asker: MainlineLookup, holder: MainlineLookup, number: int = 1) -> None:
        """Wait until a node is among so many who are found under the handle."""
        found: set[tuple[str, int]] = set()
        true = (self.host(holder), holder.exchange.port)
        while true not in found or len(found) < number:
            cancel = asker.session.get_peers(handle(KEY), lambda host, port: found.add((host, port)))
            await self.pause(0.1)
            cancel()

    async def test_interfaces(self) -> None:
        """It provides what it says; what it finds on loopback may have private addresses."""
        lookup = await self.lookup(1)
        verifyObject(ILookup, lookup)
        search = lookup.find(KNOWN, RecordingReceiver())
        verifyObject(ISearch, search)
        search.cancel()
        self.assertIsNone(lookup.follow(KNOWN, RecordingReceiver()))  # type: ignore[func-returns-value]
        self.assertFalse(lookup.wide_area)

    async def test_found(self) -> None:
        """A stranger who knows the name finds the node, and asks it; a newer item replaces the older one."""
        one, other = await self.lookup(1), await self.lookup(2)
        await self.published(one, b"item")
        found = await self.first(other, Question(KEY))
        self.assertEqual(found, Candidate(b"item", "mainline", over_loopback=True, source="127.0.101.1"))
        await one.publish(SLOT, b"newer")
        self.assertEqual((await self.first(other, Question(KEY))).item, b"newer")
        self.assertRaises(LocalError, one.publish, SLOT, bytes(961))

    async def test_refreshed(self) -> None:
        """Each round of the publisher announces the node again: nodes of the DHT that came meanwhile know it."""
        one, other = await self.lookup(1), await self.lookup(2)
        announced: list[bytes] = []
        self.patch(one, "announce", announced.append)
        await one.publish(SLOT, b"item")
        await self.until(lambda: len(announced) == 1)
        self.patch(one, "announce", one._announce_here)
        await one.publish(SLOT, b"item")
        await self.announced(other, one)

    async def test_relayed(self) -> None:
        """A node that nobody can ask is found through a relay, which announces itself for it and passes questions on."""
        one, other = await self.lookup(1), await self.lookup(2)
        relay = Relay((self.host(one), one.exchange.port))
        port: Any = reactor.listenUDP(0, relay, interface="127.0.10.1", maxPacketSize=2000)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        one.announce = lambda infohash: self.dht.announce(9, infohash, port.getHost().port)
        one.exchange.told_external("127.0.10.1")
        await one.publish(SLOT, b"item")
        found: list[str] = []
        while not found:
            self.addCleanup(other.session.get_peers(handle(KEY), lambda host, port: found.append(host)))
            await self.pause(0.1)
        self.assertEqual(
            await self.first(other, Question(KEY)),
            Candidate(b"item", "mainline", over_loopback=True, source="127.0.10.1"),
        )
        self.assertEqual(set(found), {"127.0.10.1"})

    async def test_found_though_away(self) -> None:
        """Who knows the publication key finds what is in the DHT when the node is gone, the newest."""
        one, other = await self.lookup(1), await self.lookup(2)
        await one.publish(SLOT, b"item")
        await self.until_put(one)
        await one.publish(SLOT, b"newer")
        await self.until_put(one)
        await one.stop()
        receiver = RecordingReceiver()
        search = other.find(KNOWN, receiver)
        newer = (b"newer", SLOT.publication_key)
        await self.until(lambda: newer in {(each.item, each.signer) for each in receiver.candidates})
        search.cancel()

    async def test_withdrawn(self) -> None:
        """What was taken back is found neither with the node nor in the DHT."""
        one, other = await self.lookup(1), await self.lookup(2)
        await self.published(one, b"item")
        await self.until_put(one)
        await one.withdraw(SLOT)
        self.patch(search, "FIND_TIME", 1.0)
        self.assertEqual(await self.found_in_time(other, KNOWN), set())

    async def until_put(self, lookup: MainlineLookup) -> None:
        """Wait until no item is on its way into the DHT."""
        await self.until(lambda: not lookup._items._under_way)

    async def test_junk(self) -> None:
        """Hundreds announce themselves under the handle; the true node is found, and few of the others are asked."""
        one, other = await self.lookup(1, listen=("127.0.15.77",)), await self.lookup(2)
        infohash = handle(KEY)
        for port in range(20000, 20000 + JUNK):
            for number in range(10, 20):
                self.dht.announce(number, infohash, port)
            await self.pause(0.03)  # libtorrent drops most of what it is to announce at one moment
        await self.published(one, b"item")
        await self.announced(other, one, 5 * JUNK)
        asked: list[str] = []
        send = other.exchange._send

        def count(datagram: bytes, host: str, port: int, source: str | None = None) -> None:
            asked.append(host)
            send(datagram, host, port, source)

        self.patch(other.exchange, "_send", count)
        self.patch(search, "FIND_TIME", 2.5)
        self.assertEqual(await self.found_in_time(other, Question(KEY)), {b"item"})
        self.assertLessEqual(len(asked), MOST_QUESTIONS)
        self.assertLessEqual(max(Counter(asked).values()), MOST_OF_ADDRESS)
        self.assertGreater(len(set(asked)), 5)

    async def test_eavesdropper(self) -> None:
        """Who knows the handle alone, announces himself, and passes on what he is asked gets nothing from the true node."""
        one, other = await self.lookup(1), await self.lookup(2)
        await self.published(one, b"item")
        eavesdropper = Eavesdropper((self.host(one), one.exchange.port))
        port: Any = reactor.listenUDP(0, eavesdropper, interface="127.0.50.1", maxPacketSize=2000)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        noted: list[str] = []
        asking = other.exchange.ask(KEY, lambda candidate: None, noted.append)
        asking.found("127.0.50.1", port.getHost().port)
        await self.until(lambda: eavesdropper.asked)
        self.assertEqual(noted, [f"asks 127.0.50.1:{port.getHost().port}"])
        self.assertEqual((await self.first(other, Question(KEY))).item, b"item")
        asking.cancel()
        self.assertEqual(eavesdropper.got, [])
        self.assertEqual(self.journals[0].counts["mainline.silent.not_to_us"], 1)

    async def test_half_die(self) -> None:
        """Half of the nodes die, of those that have known each other for a while: the name is found, both ways."""
        await self.until(self.dht.is_old)
        one, other = await self.lookup(1), await self.lookup(2)
        await self.published(one, b"item")
        await self.until_put(one)
        self.dht.kill_half()
        self.assertEqual(len(self.dht.sessions), NODES // 2)
        self.assertEqual((await self.first(other, Question(KEY))).item, b"item")
        await one.stop()
        self.assertEqual((await self.first(other, KNOWN)).item, b"item")

    async def test_state(self) -> None:
        """A node that knows the DHT from its last run finds it though those that one begins with are gone."""
        self.patch(protocol, "SAVE_EVERY", 0.1)
        state = Path(self.mktemp())
        one = await self.lookup(1, state)
        await self.until(state.exists)  # also by a node that is killed
        await one.stop()
        again = await self.lookup(1, state, bootstrap=())
        await self.published(again, b"item")

    async def test_many(self) -> None:
        """A node that publishes for many people is found by each name."""
        one, other = await self.lookup(1), await self.lookup(2)
        keys = [bytes([number]) * 32 for number in range(12)]
        for key in keys:
            await one.publish(Slot(key, SLOT.publication_key, DEVICE), key)
        last: set[tuple[str, int]] = set()
        while not last:
            cancel = other.session.get_peers(handle(keys[-1]), lambda host, port: last.add((host, port)))
            await self.pause(0.1)
            cancel()
        for key in keys:
            self.assertEqual((await self.first(other, Question(key))).item, key)

    async def test_published_at_once(self) -> None:
        """What is published before the first node is known waits for it; if the lookup is stopped before, it fails."""
        early, other = self.make(1), await self.lookup(2)
        await early.start()
        self.addCleanup(early.stop)
        self.assertEqual(early.session.nodes, 0)
        await early.publish(SLOT, b"item")
        await self.announced(other, early)
        self.assertEqual((await self.first(other, Question(KEY))).item, b"item")
        alone = self.make(3, bootstrap=())
        await alone.start()
        publishing = alone.publish(SLOT, b"item")
        await alone.stop()
        await self.assertFailure(publishing, CancelledError)

    async def test_stopped(self) -> None:
        """Stopping ends what is under way, with the reason; a second time is harmless, and what is asked afterwards is not asked."""
        lookup = await self.lookup(1)
        receiver = RecordingReceiver()
        lookup.find(KNOWN, receiver)
        await lookup.stop()
        await lookup.stop()
        self.assertEqual(len(receiver.ends), 1)
        self.assertIsInstance(receiver.ends[0], NotAsked)
        later = RecordingReceiver()
        lookup.find(KNOWN, later).cancel()
        self.assertIsInstance(later.ends[0], NotAsked)
        await self.assertFailure(lookup.publish(SLOT, b"item"), NotAsked)
        await lookup.withdraw(SLOT)


class LonelyLookupTests(MainlineTestCase):
    """A lookup with one node of a DHT, or none."""

    def make_dht(self) -> PrivateDHT:
        """Make the one."""
        return PrivateDHT(["127.0.1.1"])

    async def test_bad_state(self) -> None:
        """A state file that is garbage is left aside."""
        state = Path(self.mktemp())
        for garbage in (
            b"garbage",
            b"le",
            b"d9:dht statelee",
            b"d9:dht stated5:nodesi3eee",
            b"d9:dht stated5:nodesdeee",
            b"d9:dht stated5:nodesl1:xi1eeee",
        ):
            state.write_bytes(garbage)
            state.chmod(0o600)
            lookup = self.make(1, state)
            await lookup.start()
            await lookup.stop()

    async def test_two(self) -> None:
        """Two nodes that name each other are a DHT of their own: who is named first is one of it, too."""
        one = self.make(1, bootstrap=(f"127.0.102.1:{self.dht.port}",))
        other = self.make(2, bootstrap=(f"127.0.101.1:{self.dht.port}",))
        for each in (one, other):
            await each.start()
            self.addCleanup(each.stop)
        await one.publish(SLOT, b"item")
        await other.publish(SLOT, b"item")
        self.assertEqual([one.session.nodes, other.session.nodes], [1, 1])

    async def test_nobody_there(self) -> None:
        """Without any other node nothing is published, and a search says that it was not asked."""
        alone = self.make(1, bootstrap=())
        await alone.start()
        self.addCleanup(alone.stop)
        self.patch(protocol, "FIRST_NODES_TIME", 0.1)
        self.patch(search, "FIND_TIME", 0.1)
        await self.assertFailure(alone.publish(SLOT, b"item"), NotAsked)
        receiver = RecordingReceiver()
        alone.find(KNOWN, receiver)
        await receiver.ended
        self.assertIsInstance(receiver.ends[0], NotAsked)

    async def test_crowd(self) -> None:
        """Nodes tell some of the many that they know, others each time: a crowd is asked for again until the search is over."""
        self.patch(search, "AGAIN", 0.01)
        lookup = self.make(1)
        await lookup.start()
        self.addCleanup(lookup.stop)
        for told in (CROWD - 1, CROWD):
            answers: list[PeerReceived] = []

            def answer(
                infohash: bytes,
                receive: PeerReceived,
                told: int = told,
                answers: list[PeerReceived] = answers,
            ) -> Cancel:
                for number in range(told):
                    receive("127.0.50.1", 20000 + number)
                answers.append(receive)
                return lambda: None

            self.patch(lookup.session, "get_peers", answer)
            receiver = RecordingReceiver()
            self.patch(search, "FIND_TIME", 0.2 if told < CROWD else 60.0)
            under_way = lookup.find(Question(KEY), receiver)
            if told < CROWD:
                await receiver.ended
                self.assertEqual(len(answers), 1)
            else:
                await self.until(lambda answers=answers: len(answers) > 2)
                under_way.cancel()

    async def test_moved(self) -> None:
        """What is published after our addresses have changed is put, even if it comes as late as a round of the publisher."""
        lookup = self.make(1)
        await lookup.start()
        self.addCleanup(lookup.stop)
        puts: list[bytes] = []

        def put(
            key: bytes, public: bytes, salted: bytes, item: bytes, ended: Callable[[int], object]
        ) -> None:
            puts.append(item)
            ended(8)

        self.patch(lookup.session, "put_item", put)
        self.patch(mutable, "NEWS", 0.0)
        for item in (b"one", b"two", b"three"):
            lookup.session.nodes = 1
            await lookup.publish(SLOT, item)
            if item == b"two":
                network = lookup._network
                assert isinstance(network, StaticNetwork)
                network.change(loopback())
        self.assertEqual(puts, [b"one", b"three"])
