"""Questions and answers over real sockets, on addresses of this machine."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate
from p2pship.lookup.questions.exchange import ASKED_IN_ALL, ASKED_OF_NETWORK, MOST_EXTERNAL, Asking, Exchange
from p2pship.lookup.questions.keys import handle, question_secret
from p2pship.lookup.questions.machine import AT_ONCE
from p2pship.lookup.questions.port import open_socket
from p2pship.lookup.questions.wire import Answer, Question, packed
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, NoPortFree, Ports
from p2pship.testing.lookup import unsigned_slot
from p2pship.testing.network import StaticNetwork, loopback

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SLOT = unsigned_slot(KEY, b"d" * 32)
HOLDER, ASKER, STRANGER = "127.0.1.1", "127.0.2.1", "127.0.3.1"


class Received:
    """Keeps what is found."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.first: Deferred[Candidate] = Deferred()

    def __call__(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        if len(self.candidates) == 1:
            self.first.callback(candidate)


class Stranger(DatagramProtocol):
    """Somebody who announced himself as well."""

    def __init__(self) -> None:
        self.asked: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if not self.asked.called:
            self.asked.callback(datagram)


class ExchangeTests(TestCase):
    """One who holds an item, and one who asks."""

    def setUp(self) -> None:
        self.journals: dict[str, Journal] = {}

    def exchange(
        self, *listen: str, network: StaticNetwork | None = None, private: bool = True, **options: Any
    ) -> Exchange:
        """Return an exchange that has started."""
        database = Database(":memory:", [SCHEMA])
        self.addCleanup(database.close)
        journal = self.journals[listen[0]] = Journal()
        made = Exchange(
            reactor,
            "test",
            network or StaticNetwork(loopback()),
            Ports(database),
            os.urandom,
            journal,
            listen=listen,
            private=private,
            **options,
        )
        made.start()
        self.addCleanup(made.stop)
        return made

    def asking(self, exchange: Exchange, receive: Received, key: bytes = KEY) -> Asking:
        """Return a search that is cancelled at the end."""
        asking = exchange.ask(key, receive, lambda words: None)
        self.addCleanup(asking.cancel)
        return asking

    async def test_found(self) -> None:
        """Who is asked answers, from the address that was asked."""
        holder, asker = self.exchange(HOLDER), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        received = Received()
        self.assertTrue(self.asking(asker, received).found(HOLDER, holder.port))
        self.assertEqual(await received.first, Candidate(b"item", "test", over_loopback=True, source=HOLDER))

    async def test_every_address(self) -> None:
        """A node that listens everywhere answers from the address that was asked, not from that which its system prefers."""
        network = StaticNetwork(replace(loopback(), addresses=(("127.0.0.1", 8), (HOLDER, 8))))
        holder, asker = self.exchange("0.0.0.0", network=network), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        received = Received()
        self.asking(asker, received).found(HOLDER, holder.port)
        self.assertEqual((await received.first).source, HOLDER)

    async def test_address_learnt(self) -> None:
        """Behind a router a node is asked at an address that only others see, once they have said so."""
        holder, asker = self.exchange("0.0.0.0"), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        holder.told_external("no address")
        holder.told_external("0.0.0.0")
        forwarded = Question(b"q" * 16, handle(KEY), packed("9.9.9.9"), int(reactor.seconds()))
        stranger = Stranger()
        port: Any = reactor.listenUDP(0, stranger, interface=STRANGER, maxPacketSize=2000)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        port.write(forwarded.print(question_secret(KEY)), ("127.0.0.1", holder.port))
        received = Received()
        self.asking(asker, received).found("127.0.0.1", holder.port)
        await received.first
        self.assertFalse(stranger.asked.called)
        for host in (*(f"8.8.4.{number + 1}" for number in range(MOST_EXTERNAL)), "9.9.9.9"):
            holder.told_external(host)  # those told last are believed
        port.write(forwarded.print(question_secret(KEY)), ("127.0.0.1", holder.port))
        self.assertEqual(Answer.parse(await stranger.asked).item, b"item")

    async def test_lies_about_the_address(self) -> None:
        """A node that has a public address itself lets nobody tell it another one: they could pass on to it what they are asked."""
        public = replace(loopback(), addresses=(("127.0.0.1", 8), ("8.8.8.8", 24)))
        holder, asker = self.exchange("0.0.0.0", network=StaticNetwork(public)), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        holder.told_external("9.9.9.9")
        forwarded = Question(b"q" * 16, handle(KEY), packed("9.9.9.9"), int(reactor.seconds()))
        stranger = Stranger()
        port: Any = reactor.listenUDP(0, stranger, interface=STRANGER, maxPacketSize=2000)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        port.write(forwarded.print(question_secret(KEY)), ("127.0.0.1", holder.port))
        received = Received()
        self.asking(asker, received).found("127.0.0.1", holder.port)
        await received.first
        self.assertFalse(stranger.asked.called)
        self.assertEqual(self.journals["0.0.0.0"].counts["test.silent.not_to_us"], 1)

    async def test_ipv6(self) -> None:
        """IPv6 is asked and answered through a socket of its own, with the same port."""
        holder, asker = self.exchange("127.0.0.1", "::1"), self.exchange("::1")
        holder.publish(SLOT, b"item")
        received = Received()
        self.asking(asker, received).found("::1", holder.port)
        self.assertEqual((await received.first).source, "::1")

    async def test_several_items(self) -> None:
        """Two devices of one node are both found."""
        holder, asker = self.exchange(HOLDER), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        holder.publish(unsigned_slot(KEY, b"e" * 32), b"other")
        received, last = Received(), Received()
        self.asking(asker, received).found(HOLDER, holder.port)
        await received.first
        holder.publish(unsigned_slot(OTHER_KEY, b"e" * 32), b"last")
        self.asking(asker, last, OTHER_KEY).found(HOLDER, holder.port)
        await last.first  # its answer comes after those to what was asked before
        self.assertEqual({each.item for each in received.candidates}, {b"item", b"other"})

    async def test_question_passed_on(self) -> None:
        """Whoever is asked and passes the question on, from any address, gets nothing: it names who was asked."""
        holder, asker = self.exchange(HOLDER), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        stranger = Stranger()
        port: Any = reactor.listenUDP(0, stranger, interface=STRANGER, maxPacketSize=2000)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        received = Received()
        asking = self.asking(asker, received)
        asking.found(STRANGER, port.getHost().port)
        question = await stranger.asked
        port.write(question, (HOLDER, holder.port))
        asking.found(HOLDER, holder.port)
        await received.first
        self.assertEqual(self.journals[HOLDER].counts["test.silent.not_to_us"], 1)

    async def test_forged(self) -> None:
        """Who knows the handle alone, and sends garbage besides, gets nothing and stops nobody."""
        holder, asker = self.exchange(HOLDER), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        forged = Question(b"q" * 16, handle(KEY), packed(HOLDER), int(reactor.seconds())).print(b"guessed")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
            forger.bind((STRANGER, 0))
            for datagram in (forged, b"", b"P2PQ", bytes(1000), bytes(1400)):
                forger.sendto(datagram, (HOLDER, holder.port))
            received = Received()
            self.asking(asker, received).found(HOLDER, holder.port)
            await received.first
            forger.setblocking(False)
            self.assertRaises(BlockingIOError, forger.recv, 2000)
        counters = self.journals[HOLDER].counts
        self.assertEqual((counters["test.silent.wrong_mac"], counters["test.garbage"]), (1, 4))

    async def test_nobody_there(self) -> None:
        """An address at which nobody is changes nothing for the others."""
        holder, asker = self.exchange(HOLDER), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        received = Received()
        asking = self.asking(asker, received)
        for n in range(1, 9):
            asking.found(f"127.0.9.{n}", holder.port)
        asking.found("not an address", holder.port)
        asking.found(HOLDER, holder.port)
        self.assertEqual((await received.first).item, b"item")

    def test_many_searches(self) -> None:
        """However many searches are led to a victim, its network and all together are sent so many questions."""
        asker = self.exchange(ASKER)
        sent: list[str] = []
        self.patch(asker, "_send", lambda datagram, host, port: sent.append(host))
        for number in range(40):
            asking = self.asking(asker, Received(), bytes([number]) * 32)
            for other in range(1, 60):
                asking.found(f"127.9.9.{other}", 5568)
                asking.found(f"127.8.{other}.1", 5568)
        self.assertLessEqual(sum(host.startswith("127.9.9.") for host in sent), ASKED_OF_NETWORK.burst + 40)
        self.assertLessEqual(len(sent), ASKED_IN_ALL.burst + 320)  # two seconds of a slow machine

    def test_crowd(self) -> None:
        """Of a crowd that is told at once, those who cannot be asked now cost no look at what is due."""
        asker = self.exchange(ASKER)
        looks: list[None] = []
        asking = self.asking(asker, Received())
        advance = asker.advance

        def look() -> None:
            looks.append(None)
            advance()

        self.patch(asker, "advance", look)
        for other in range(1, 250):
            self.assertTrue(asking.found(f"127.8.{other}.1", 5568))
        self.assertLessEqual(len(looks), 2 * AT_ONCE)

    async def test_cancelled(self) -> None:
        """A search that was cancelled tells nothing more."""
        holder, asker = self.exchange(HOLDER), self.exchange(ASKER)
        holder.publish(SLOT, b"item")
        cancelled, received = Received(), Received()
        asking = self.asking(asker, cancelled)
        asking.found(HOLDER, holder.port)
        asking.cancel()
        asking.cancel()
        self.asking(asker, received).found(HOLDER, holder.port)
        await received.first
        self.assertEqual(cancelled.candidates, [])
        self.assertEqual(self.journals[ASKER].counts["test.ignored"], 1)

    def test_public_only(self) -> None:
        """Outside private networks, none of our own and no private address is asked."""
        asker = self.exchange(ASKER, private=False)
        asking = self.asking(asker, Received())
        for host in (HOLDER, "10.0.0.1", "::1"):
            self.assertFalse(asking.found(host, 5568))

    def test_kept_port(self) -> None:
        """Without a port for all its addresses it does not start, and holds none."""
        with open_socket(HOLDER, 0) as taken:
            port = taken.getsockname()[1]
            self.assertRaises(CannotListenError, open_socket, HOLDER, port)
            moved = self.exchange(HOLDER, port=port)
            self.assertNotIn(moved.port, (0, port))
        self.assertRaises(NoPortFree, self.exchange, "192.0.2.1", port=5568)


class SourceTests(SynchronousTestCase):
    """What is not sent is counted, not raised."""

    def test_unsent(self) -> None:
        """An address of a family without a socket is counted, and so is what would be too much; whoever watches is told the latter."""
        database = Database(":memory:", [SCHEMA])
        self.addCleanup(database.close)
        journal = Journal()
        made = Exchange(
            reactor, "test", StaticNetwork(), Ports(database), os.urandom, journal, listen=(ASKER,)
        )
        made.start()
        self.addCleanup(made.stop)
        noted: list[str] = []
        asking = made.ask(KEY, Received(), noted.append)
        asking.found("2606:4700::1", 5568)
        self.assertEqual(journal.counts["test.unsent"], 1)
        made._may_send.allows = lambda *_: False  # type: ignore[method-assign]
        asking.found("2606:4700:1::1", 5568)
        self.assertEqual(journal.counts["test.held_back"], 1)
        asking.cancel()
        self.assertEqual(
            noted,
            [
                "asks [2606:4700::1]:5568",
                "does not ask [2606:4700:1::1]:5568: too much is asked at once",
            ],
        )
