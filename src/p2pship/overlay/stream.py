"""One byte stream within a peer, as a Twisted transport."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol as Shape
from typing import cast

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import LocalError
from p2pship.interfaces import IPeer, IStream
from p2pship.overlay.wire import MAX_DATA, Frame, StreamClose, StreamData, StreamReset, StreamWindow, short

WINDOW = 65_536
"Octets that the other side may send ahead of what our protocol took: all that is ever kept for a stream."

MAX_CREDIT = 0x7FFF_FFFF
"No honest receiver lets anybody send so much at once."

BUFFER = 65_536
"Octets written and not sent above which a producer is paused."


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
class PeerAddress:
    """One end of a stream, as Twisted asks for it."""

    aor: str
    "the person's canonical AOR"
    hit: bytes
    "the device's HIT, 16 octets"


class Outbound(Enum):
    """What may still be sent."""

    OPEN = auto()
    CLOSING = auto()
    "nothing more may be written; what was is still to be sent"
    CLOSED = auto()


class Inbound(Enum):
    """What may still come."""

    OPEN = auto()
    CLOSING = auto()
    "nothing more comes; what came is still to be delivered"
    CLOSED = auto()


class StreamBoard(Shape):
    """What a stream needs of those around it."""

    peer: IPeer

    def control(self, frame: Frame) -> None:
        """Send a frame that overtakes stream data."""

    def ready(self, stream: Stream) -> None:
        """Give the stream its turns: it has something to send, and the credit to do so."""

    def forget(self, stream: Stream) -> None:
        """Drop the stream."""


@implementer(IStream, ITransport, IConsumer, IPushProducer)
class Stream:
    """A stream: ``write``, ``loseConnection`` and the rest of Twisted's transports; also ``loseWriteConnection``.

    After ``loseConnection`` the protocol gets no more data: it hears ``connectionLost`` when all that it wrote was
    sent, and what comes afterwards resets the stream, as with TCP.
    """

    log = Logger()
    disconnecting = False

    def __init__(self, board: StreamBoard, number: int, header: bytes) -> None:
        self.peer = board.peer
        self.number = number
        self.header = header
        self._board = board
        self._protocol: IProtocol | None = None
        self._chunks: list[memoryview] = []
        self._waiting = 0
        self._credit = 0
        self._outbound = Outbound.OPEN
        self._granted = WINDOW
        self._inbound = Inbound.OPEN
        self._held: list[bytes] = []
        self._consumed = 0
        self._paused = False
        self._producer: IPushProducer | None = None
        self._streaming = False
        self._producer_paused = False

    @property
    def connected(self) -> bool:
        """Whether a protocol is connected to it."""
        return self._protocol is not None

    @property
    def sendable(self) -> bool:
        """Whether :meth:`pull` has something to return."""
        if self._waiting:
            return self._credit > 0
        return self._outbound is Outbound.CLOSING and self._producer is None

    def connect(self, protocol: IProtocol, credit: int) -> None:
        """Connect the protocol; ``credit`` octets may be sent."""
        self._protocol = protocol
        self._credit = min(credit, MAX_CREDIT)
        self._call(protocol.makeConnection, self)

    # from Streams: what came

    def frame_received(self, frame: Frame) -> None:
        """Take a frame from the other side."""
        if isinstance(frame, StreamData):
            self._data_received(frame.data)
        elif isinstance(frame, StreamWindow):
            self._credited(frame.credit)
        elif isinstance(frame, StreamClose):
            self._closed_by_other()
        elif isinstance(frame, StreamReset):
            self._board.forget(self)
            self.lost(frame.reason or "the other side reset the stream")

    def _data_received(self, data: bytes) -> None:
        if len(data) > self._granted or self._inbound is not Inbound.OPEN:
            self._reset("it sent more than it was allowed to")
            return
        if self._protocol is None:
            self._reset("nobody takes what it sends")
            return
        self._granted -= len(data)
        self._held.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._held and not self._paused and self._protocol is not None:
            data = self._held.pop(0)
            self._consumed += len(data)
            self._call(self._protocol.dataReceived, data)
        self._grant()
        if self._inbound is Inbound.CLOSING and not self._held and not self._paused:
            self._tell_closed()

    def _grant(self) -> None:
        """Let the other side send again what was taken, half a window at a time."""
        if self._consumed < WINDOW // 2 or self._inbound is not Inbound.OPEN or self._protocol is None:
            return
        self._granted += self._consumed
        self._board.control(StreamWindow(self.number, self._consumed))
        self._consumed = 0

    def _credited(self, credit: int) -> None:
        self._credit += credit
        if self._credit > MAX_CREDIT:
            self._reset("it allows more than anybody can send")
        elif self.sendable:
            self._board.ready(self)

    def _closed_by_other(self) -> None:
        if self._inbound is not Inbound.OPEN:
            self._reset("it closed the stream twice")
            return
        self._inbound = Inbound.CLOSING
        self._deliver()

    def _tell_closed(self) -> None:
        self._inbound = Inbound.CLOSED
        if self._protocol is None or self._outbound is Outbound.CLOSED:
            self._end_if_closed()
            return
        half = IHalfCloseableProtocol(self._protocol, None)
        if half is None:
            self.loseConnection()
        else:
            self._call(half.readConnectionLost)

    # from Streams: what is sent

    def pull(self) -> Frame | None:
        """Return the next frame to send now, None if there is none."""
        if self._waiting and self._credit:
            frame = StreamData(self.number, self._take(min(MAX_DATA, self._credit)))
            self._drained()
            return frame
        if not self.sendable:
            return None
        self._outbound = Outbound.CLOSED
        if self.disconnecting:
            self._disconnect(Failure(ConnectionDone()))
        self._end_if_closed()
        return StreamClose(self.number)

    def _take(self, most: int) -> bytes:
        taken: list[memoryview] = []
        left = most
        while self._chunks and left:
            chunk = self._chunks[0]
            taken.append(chunk[:left])
            if len(chunk) > left:
                self._chunks[0] = chunk[left:]
            else:
                del self._chunks[0]
            left -= len(taken[-1])
        self._waiting -= most - left
        self._credit -= most - left
        return b"".join(taken)

    def _drained(self) -> None:
        if self._producer is None or self._waiting > BUFFER // 2:
            return
        if self._producer_paused or not self._streaming:
            self._producer_paused = False
            self._call(self._producer.resumeProducing)

    def lost(self, reason: str) -> None:
        """End at once, with nothing said to the other side."""
        self._outbound = Outbound.CLOSED
        self._inbound = Inbound.CLOSED
        self._disconnect(Failure(ConnectionLost(reason)))

    # ITransport, IConsumer, IPushProducer

    def write(self, data: bytes) -> None:
        if self._outbound is not Outbound.OPEN and self._producer is None:
            return
        if self._outbound is Outbound.CLOSED or not data:
            return
        self._chunks.append(memoryview(data))
        self._waiting += len(data)
        self._pause_producer()
        if self.sendable:
            self._board.ready(self)

    def _pause_producer(self) -> None:
        if self._producer is None or not self._streaming or self._producer_paused or self._waiting <= BUFFER:
            return
        self._producer_paused = True
        self._call(self._producer.pauseProducing)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.disconnecting = True
        if self._outbound is Outbound.CLOSED:
            self._disconnect(Failure(ConnectionDone()))
        self.loseWriteConnection()

    def loseWriteConnection(self) -> None:
        """Send no more after what was written (a half-close); what the other side sends still comes."""
        if self._outbound is Outbound.OPEN:
            self._outbound = Outbound.CLOSING
        if self.sendable:
            self._board.ready(self)

    def abortConnection(self) -> None:
        """End at once in both directions; what was written and not sent is thrown away."""
        if self.connected:
            self._reset("the stream was aborted")

    def getPeer(self) -> PeerAddress:
        return PeerAddress(self.peer.aor, self.peer.hit)

    def getHost(self) -> PeerAddress:
        return PeerAddress(self.peer.identity.aor, self.peer.own_hit)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if self._producer is not None:
            raise LocalError("another producer is registered with this stream")
        if self._outbound is Outbound.CLOSED:
            producer.stopProducing()
            return
        self._producer = cast(IPushProducer, producer)  # of a pull producer fewer methods are called
        self._streaming = streaming
        self._producer_paused = False
        if not streaming:
            self._call(self._producer.resumeProducing)

    def unregisterProducer(self) -> None:
        self._producer = None
        if self.sendable:
            self._board.ready(self)

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._deliver()

    def stopProducing(self) -> None:
        self.loseConnection()

    # ends

    def _reset(self, reason: str) -> None:
        self._board.forget(self)
        self._board.control(StreamReset(self.number, short(reason)))
        self.lost(reason)

    def _end_if_closed(self) -> None:
        if self._outbound is Outbound.CLOSED and self._inbound is Inbound.CLOSED:
            self._board.forget(self)
            self._disconnect(Failure(ConnectionDone()))

    def _disconnect(self, reason: Failure) -> None:
        protocol, self._protocol = self._protocol, None
        producer, self._producer = self._producer, None
        self._chunks.clear()
        self._held.clear()
        self._waiting = 0
        if producer is not None:
            self._call(producer.stopProducing)
        if protocol is not None:
            self._call(protocol.connectionLost, reason)

    def _call(self, method: Callable[..., object], *arguments: object) -> None:
        """Call a protocol or producer; what it raises ends its stream and disturbs nobody else."""
        try:
            method(*arguments)
        except Exception:  # noqa: BLE001 (a protocol may be anybody's code)
            self.log.failure("the protocol of a stream failed")
            self.abortConnection()
