"""Tests for :mod:`p2pship.overlay.stream` and :mod:`p2pship.overlay.streams`, between two nodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError, PayloadRefused, PeerLost
from p2pship.interfaces import IStream
from p2pship.overlay.stream import BUFFER, WINDOW, PeerAddress, Stream
from p2pship.overlay.streams import MAX_STREAMS
from p2pship.overlay.wire import (
    MAX_HEADER,
    MAX_PAYLOAD,
    Received,
    StreamClose,
    StreamData,
    StreamOpen,
    StreamWindow,
)
from tests.overlay.nodes import ALICE, BOB, OverlayCase
from tests.overlay.strangers import Stranger

MEGABYTE = Random(1).randbytes(1 << 20)


class Keeper(Protocol):
    """Keeps what it gets."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.chunks: list[bytes] = []
        self.lost: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.chunks.append(data)
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep why."""
        self.lost.append(reason)


class Noting(Keeper):
    """Notes that it got something."""

    note: Callable[[], None]

    def dataReceived(self, data: bytes) -> None:
        """Note it."""
        self.note()


class Echo(Keeper):
    """Sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        """Send it back."""
        super().dataReceived(data)
        self.transport.write(data)


@implementer(IHalfCloseableProtocol)
class HalfCloser(Keeper):
    """Goes on when one direction is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[str] = []

    def readConnectionLost(self) -> None:
        """Note it."""
        self.closed.append("read")

    def writeConnectionLost(self) -> None:
        """Note it."""
        self.closed.append("write")


@implementer(IPushProducer)
class Pusher:
    """Writes as much as it may."""

    def __init__(self, consumer: Any, chunks: int) -> None:
        self.consumer = consumer
        self.left = chunks
        self.calls: list[str] = []
        self.paused = False

    def push(self) -> None:
        """Write until paused."""
        while self.left and not self.paused:
            self.left -= 1
            self.consumer.write(bytes(10_000))

    def pauseProducing(self) -> None:
        """Pause."""
        self.calls.append("pause")
        self.paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self.calls.append("resume")
        self.paused = False
        self.push()

    def stopProducing(self) -> None:
        """Stop."""
        self.calls.append("stop")
        self.left = 0


class StreamCase(OverlayCase):
    """Alice opens streams to Bob."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.peer = self.alice.reach(BOB)

    def open(self, server: IProtocol | None, client: IProtocol | None = None, header: bytes = b"") -> Any:
        """Open a stream that ``server`` serves, and return it, or the exception."""
        self.bob.test.serve = lambda _: server
        opened = self.watch(self.peer.open_stream("test", header, client or Keeper()))
        self.clock.pass_time(0.1)
        return opened[0]


class StreamTests(StreamCase):
    """What a stream does."""

    def test_interfaces(self) -> None:
        """Both ends keep their contracts."""
        server = Keeper()
        stream = self.open(server)
        for end in (stream, server.transport):
            for interface in (IStream, ITransport, IConsumer, IPushProducer):
                verifyObject(interface, end)

    def test_open(self) -> None:
        """Both protocols are connected; the header says what it is for, the addresses who is there."""
        server, client = Keeper(), Keeper()
        stream = self.open(server, client, b"GET")
        self.assertIs(client.transport, stream)
        self.assertEqual((server.transport.header, server.transport.peer), (b"GET", self.bob.peer(ALICE)))
        self.assertEqual(stream.getPeer(), PeerAddress(BOB, self.bob.hit))
        self.assertEqual(server.transport.getPeer(), PeerAddress(ALICE, self.alice.hit))
        self.assertEqual(stream.getHost(), server.transport.getPeer())

    def test_echo(self) -> None:
        """A megabyte goes there and back, whole."""
        server, client = Echo(), Keeper()
        stream = self.open(server, client)
        stream.write(MEGABYTE)
        self.clock.pass_time(5)
        self.assertEqual(client.received, MEGABYTE)
        self.assertLessEqual(max(map(len, client.chunks)), 16_384)

    def test_echo_over_breaking_links(self) -> None:
        """A stream survives broken links: nothing is lost and nothing comes twice."""
        random = Random(5)
        self.network.latency = 0.01
        server, client = Echo(), Keeper()
        stream = self.open(server, client)
        stream.write(MEGABYTE)
        for _ in range(20):
            self.clock.pass_time(random.random() / 5)
            if self.network.links:
                random.choice(self.network.links).lose()
        self.clock.pass_time(30)
        self.assertEqual(client.received, MEGABYTE)
        self.assertEqual((client.lost, server.lost), ([], []))

    def test_refused(self) -> None:
        """A stream that nobody serves is refused; so is one that its subprotocol fails to take."""
        self.assertIsInstance(self.open(None), PayloadRefused)
        self.bob.test.serve = lambda _: 1 // 0  # type: ignore[assignment, return-value]
        opened = self.watch(self.peer.open_stream("test", b"", Keeper()))
        self.clock.pass_time(0.1)
        self.assertIsInstance(opened[0], PayloadRefused)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        unknown = self.watch(self.peer.open_stream("none", b"", Keeper()))
        self.assertIsInstance(unknown[0], PayloadRefused)
        self.assertRaises(LocalError, self.peer.open_stream, "test", bytes(MAX_HEADER + 1), Keeper())

    def test_cancel(self) -> None:
        """Opening can be cancelled; the other side hears that nobody wants it."""
        server = Keeper()
        self.bob.test.serve = lambda _: server
        opening = self.peer.open_stream("test", b"", Keeper())
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.clock.pass_time(0.1)
        self.assertTrue(server.lost[0].check(ConnectionLost))

    def test_too_many(self) -> None:
        """The number of streams is bounded; one that has ended makes room."""
        streams = [self.open(Keeper()) for _ in range(MAX_STREAMS)]
        self.assertIsInstance(self.open(Keeper()), PayloadRefused)
        streams[0].loseConnection()
        self.clock.pass_time(0.1)
        self.assertIsInstance(self.open(Keeper()), Stream)

    def test_flow_control(self) -> None:
        """To a protocol that does not read, no more than a window is sent; the rest comes when it does."""
        server, client = Keeper(), Keeper()
        stream = self.open(server, client)
        server.transport.pauseProducing()
        stream.write(MEGABYTE)
        self.clock.pass_time(1)
        self.assertEqual(server.received, b"")
        held = sum(map(len, server.transport._held))
        self.assertEqual(held, WINDOW)
        server.transport.resumeProducing()
        self.clock.pass_time(1)
        self.assertEqual(server.received, MEGABYTE)

    def test_one_stalled_stream(self) -> None:
        """A stream that does not read hinders no other, and no payload."""
        slow, quick = Keeper(), Keeper()
        first, second = self.open(slow), self.open(quick)
        slow.transport.pauseProducing()
        first.write(MEGABYTE)
        second.write(MEGABYTE)
        answers = self.watch(self.peer.send("test", b"x"))
        self.clock.pass_time(1)
        self.assertEqual((quick.received, answers), (MEGABYTE, [b"took x"]))

    def test_in_turn(self) -> None:
        """Streams get their turns one after the other, and a SIP message goes before them all."""
        servers = [Noting(), Noting()]
        streams = [self.open(server) for server in servers]
        self.network.links[0].cut()
        order: list[str] = []
        for name, server in zip("ab", servers, strict=True):
            server.note = partial(order.append, name)
        self.bob.sip.answer = lambda _: order.append("s")
        self.bob.test.answer = lambda _: order.append("p")
        for _ in range(3):
            self.peer.send("test", bytes(MAX_PAYLOAD))
        for stream in streams:
            stream.write(bytes(50_000))
        self.peer.send("sip", b"INVITE")
        self.network.links[0].mend()
        self.clock.pass_time(0.5)
        self.assertEqual("".join(order), "pspp" + "abababab")

    def test_push_producer(self) -> None:
        """A producer is paused when too much waits, and resumed when it has left."""
        server = Keeper()
        stream = self.open(server)
        pusher = Pusher(stream, 60)
        stream.registerProducer(pusher, True)
        self.assertRaises(LocalError, stream.registerProducer, pusher, True)
        server.transport.pauseProducing()
        pusher.push()
        self.clock.pass_time(0.5)
        self.assertEqual(pusher.calls[-1], "pause")
        self.assertLess((60 - pusher.left) * 10_000, WINDOW + 2 * BUFFER + 10_000)
        server.transport.resumeProducing()
        self.clock.pass_time(1)
        stream.unregisterProducer()
        self.assertEqual(len(server.received), 600_000)

    def test_pull_producer(self) -> None:
        """A file is sent piece by piece; the connection closes after its end."""
        server, client = Keeper(), Keeper()
        stream = self.open(server, client)
        done = self.watch(FileSender().beginFileTransfer(BytesIO(MEGABYTE), stream))
        stream.loseConnection()
        self.clock.pass_time(2)
        self.assertEqual((server.received, len(done)), (MEGABYTE, 1))
        self.assertEqual((len(client.lost), len(server.lost)), (1, 1))

    def test_lose_connection(self) -> None:
        """What was written arrives; then both sides hear that it is closed, and write in vain."""
        server, client = Keeper(), Keeper()
        stream = self.open(server, client)
        stream.writeSequence([b"a", b"b"])
        stream.loseConnection()
        stream.write(b"c")
        self.clock.pass_time(0.1)
        self.assertEqual(server.received, b"ab")
        for keeper in (server, client):
            self.assertTrue(keeper.lost[0].check(ConnectionDone))
        server.transport.write(b"late")
        self.clock.pass_time(0.1)
        self.assertEqual(client.received, b"")
        self.assertFalse(self.peer.busy)
        self.assertFalse(self.bob.peer(ALICE).busy)

    def test_data_after_close(self) -> None:
        """Who has closed gets nothing more; who goes on sending hears that it was in vain."""
        server, client = HalfCloser(), Keeper()
        stream = self.open(server, client)
        stream.loseConnection()
        self.clock.pass_time(0.1)
        self.assertEqual((server.closed, server.lost), (["read"], []))
        server.transport.write(b"late")
        self.clock.pass_time(0.1)
        self.assertEqual(client.received, b"")
        self.assertTrue(server.lost[0].check(ConnectionLost))

    def test_half_close(self) -> None:
        """One direction can be closed alone; the other goes on until it is closed too."""
        server, client = HalfCloser(), HalfCloser()
        stream = self.open(server, client)
        stream.write(b"question")
        stream.loseWriteConnection()
        self.clock.pass_time(0.1)
        self.assertEqual((server.received, server.closed, server.lost), (b"question", ["read"], []))
        server.transport.write(MEGABYTE)
        server.transport.loseConnection()
        self.clock.pass_time(2)
        self.assertEqual(client.received, MEGABYTE)
        for keeper in (server, client):
            self.assertTrue(keeper.lost[0].check(ConnectionDone))

    def test_half_close_while_paused(self) -> None:
        """What came before the close is delivered before the close is told."""
        server = HalfCloser()
        stream = self.open(server)
        server.transport.pauseProducing()
        stream.write(b"x")
        stream.loseWriteConnection()
        server.transport.loseWriteConnection()
        self.clock.pass_time(0.1)
        self.assertEqual((server.received, server.closed, server.lost), (b"", [], []))
        server.transport.resumeProducing()
        self.assertEqual(server.received, b"x")
        self.assertEqual(len(server.lost), 1)

    def test_abort(self) -> None:
        """An aborted stream ends at once, on both sides."""
        server, client = Keeper(), Keeper()
        stream = self.open(server, client)
        pusher = Pusher(stream, 0)
        stream.registerProducer(pusher, True)
        stream.write(MEGABYTE)
        stream.abortConnection()
        stream.abortConnection()
        self.assertTrue(client.lost[0].check(ConnectionLost))
        self.clock.pass_time(0.1)
        self.assertTrue(server.lost[0].check(ConnectionLost))
        self.assertEqual((len(client.lost), pusher.calls[-1]), (1, "stop"))
        late = Pusher(stream, 0)
        stream.registerProducer(late, True)
        self.assertEqual(late.calls, ["stop"])

    def test_protocol_fails(self) -> None:
        """A protocol that raises loses its stream, and nothing else happens."""
        server, client = Keeper(), Keeper()
        stream = self.open(server, client)
        server.dataReceived = lambda _: 1 // 0  # type: ignore[assignment, method-assign]
        stream.write(b"x")
        self.clock.pass_time(0.1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((len(server.lost), len(client.lost)), (1, 1))
        self.assertIsNone(self.peer.lost_since)

    def test_peer_ends(self) -> None:
        """When the peer ends, its streams do, and what was being opened fails."""
        server, client = Keeper(), Keeper()
        self.open(server, client)
        self.bob.test.serve = lambda _: None
        opening = self.watch(self.peer.open_stream("test", b"", Keeper()))
        self.peer.close("enough")
        self.clock.pass_time(0.1)
        self.assertEqual((len(client.lost), len(server.lost)), (1, 1))
        self.assertIsInstance(opening[0], PeerLost)

    def test_link_for_stream(self) -> None:
        """A stream that is open keeps its link, and has it dialled again."""
        server, client = Keeper(), Keeper()
        stream = self.open(server, client)
        self.clock.pass_time(1000)
        self.assertEqual(len(self.links_between(self.alice, self.bob)), 1)
        self.network.links[0].lose()
        self.clock.pass_time(1)
        stream.write(b"x")
        self.clock.pass_time(0.1)
        self.assertEqual(server.received, b"x")

    def test_served_later(self) -> None:
        """The server may begin to speak as soon as it is connected."""

        class Greeter(Keeper):
            def connectionMade(self) -> None:
                self.transport.write(b"220 hello")
                self.transport.loseConnection()

        client = Keeper()
        self.open(Greeter(), client)
        self.assertEqual((client.received, len(client.lost)), (b"220 hello", 1))


class MisbehaviourTests(OverlayCase):
    """A stranger who breaks the rules of streams."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.node(BOB)
        self.keeper = Keeper()
        self.bob.test.serve = lambda _: self.keeper
        home = self.node("mallory@example.com")
        self.stranger = Stranger(self, self.bob, home)
        self.stranger.greet(BOB, session=2**64 - 1)
        self.clock.pass_time(0.01)
        self.number = 0

    def send(self, *frames: Any) -> list[str]:
        """Send frames in order, and return the names of those that come back."""
        self.stranger.parcels.clear()
        for frame in frames:
            self.number += 1
            self.stranger.send(frame, 1, self.number)
        self.clock.pass_time(0.1)
        return [type(frame).__name__ for frame in self.stranger.frames if not isinstance(frame, Received)]

    def test_more_than_credit(self) -> None:
        """Who sends more than the window has the stream reset."""
        self.keeper.connectionMade = lambda: self.keeper.transport.pauseProducing()  # type: ignore[method-assign]
        data = [StreamData(2, bytes(16_384)) for _ in range(5)]
        self.assertEqual(self.send(StreamOpen(2, 1, 0, b""), *data), ["StreamWindow", "StreamReset"])
        self.assertEqual(len(self.keeper.lost), 1)

    def test_absurd_credit(self) -> None:
        """Nobody can give more credit than makes sense."""
        credit = StreamWindow(2, 2**31)
        self.assertEqual(self.send(StreamOpen(2, 1, 0, b""), credit), ["StreamWindow", "StreamReset"])

    def test_no_credit(self) -> None:
        """Nothing is sent without credit."""
        self.keeper.connectionMade = lambda: self.keeper.transport.write(b"abc")  # type: ignore[method-assign]
        self.assertEqual(self.send(StreamOpen(2, 1, 0, b"")), ["StreamWindow"])
        self.assertEqual(self.send(StreamWindow(2, 2)), ["StreamData"])
        self.assertIn(StreamData(2, b"ab"), self.stranger.frames)

    def test_wrong_number(self) -> None:
        """A stream of our own parity, or that is open already, ends the peer."""
        for frames in ([StreamOpen(1, 1, 0, b"")], [StreamOpen(2, 1, 0, b"")] * 2):
            self.setUp()
            self.assertIn("Bye", self.send(*frames))
            self.assertEqual(self.bob.overlay.peers(), ())

    def test_too_many(self) -> None:
        """Streams that the other side opens are bounded."""
        opens = [StreamOpen(2 * number, 1, 0, b"") for number in range(1, MAX_STREAMS + 2)]
        self.assertEqual(self.send(*opens), ["StreamWindow"] * MAX_STREAMS + ["StreamReset"])

    def test_closed_twice(self) -> None:
        """A stream is closed once; what comes after the close resets it."""
        for late in (StreamClose(2), StreamData(2, b"x")):
            self.setUp()
            self.keeper = HalfCloser()
            self.assertEqual(
                self.send(StreamOpen(2, 1, 0, b""), StreamClose(2), late), ["StreamWindow", "StreamReset"]
            )

    def test_unknown(self) -> None:
        """What comes for a stream that is gone is dropped; a stream for nobody is reset."""
        self.assertEqual(self.send(StreamData(8, b"x")), [])
        self.assertEqual(self.send(StreamOpen(4, 77, 0, b"")), ["StreamReset"])

    def test_data_before_acceptance(self) -> None:
        """Data on a stream that was not accepted yet ends the peer."""
        self.send(StreamOpen(2, 1, 0, b""))
        opening = self.watch(self.bob.peer("mallory@example.com").open_stream("test", b"", Keeper()))
        self.assertIn("Bye", self.send(StreamData(1, b"x")))
        self.assertIsInstance(opening[0], PeerLost)
