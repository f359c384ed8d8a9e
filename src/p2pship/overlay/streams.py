"""The byte streams of one session, each with its own flow control, as Twisted transports.

Theory of operation. Either side opens a stream with a number of its own parity: odd for the side with the smaller
session number. The other side accepts it by giving credit, or resets it. Each side sends no more than the credit that
it was given, and gives more as its protocol takes what came; a paused protocol gives none, so at most one window of
octets is ever kept for it. Stream frames are counted frames of the session: streams survive a broken link.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.logger import Logger

from p2pship.errors import LocalError, PayloadRefused, RemoteError
from p2pship.interfaces import IPeer, IStream, ISubprotocol
from p2pship.overlay.machine import Priority, Session
from p2pship.overlay.stream import WINDOW, Stream
from p2pship.overlay.wire import (
    MAX_HEADER,
    Frame,
    StreamClose,
    StreamData,
    StreamOpen,
    StreamReset,
    StreamWindow,
    short,
)

MAX_STREAMS = 64
"Streams of a peer in each direction: their windows together are 4 MiB."

StreamFrame = StreamOpen | StreamData | StreamWindow | StreamClose | StreamReset


class BadStreamFrame(RemoteError):
    """A stream frame breaks the rules of streams."""


class Streams:
    """All streams of one session."""

    log = Logger()

    def __init__(self, peer: IPeer, session: Session, stir: Callable[[], None]) -> None:
        """Send by ``session``; ``stir`` says that there is something more to send."""
        self.peer = peer
        self._session = session
        self._stir = stir
        self._next = 0
        self._all: dict[int, Stream] = {}
        self._ready: deque[Stream] = deque()
        self._opening: dict[int, tuple[Stream, IProtocol, Deferred[IStream]]] = {}

    @property
    def alive(self) -> bool:
        """Whether a protocol is connected, or about to be."""
        return bool(self._opening) or any(stream.connected for stream in self._all.values())

    def open(self, subprotocol: int, header: bytes, protocol: IProtocol) -> Deferred[IStream]:
        """Open a stream to the other side's subprotocol of this number; fires when it is accepted.

        :raises LocalError: if the header is too long.
        :raises PayloadRefused: if too many are open.
        """
        if len(header) > MAX_HEADER:
            raise LocalError(f"a stream header of {len(header)} octets is too long: the most is {MAX_HEADER}")
        if self._count(self._parity) >= MAX_STREAMS:
            raise PayloadRefused("too many streams to this peer are open")
        number = self._take_number()
        stream = self._all[number] = Stream(self, number, header)
        opened: Deferred[IStream] = Deferred(lambda _: self._give_up(number))
        self._opening[number] = stream, protocol, opened
        self.control(StreamOpen(number, subprotocol, WINDOW, header))
        return opened

    @property
    def _parity(self) -> int:
        """1 if our own streams are odd, 0 if they are even."""
        return int(self._session.own < self._session.theirs)

    def _count(self, parity: int) -> int:
        return sum(1 for number in self._all if number % 2 == parity)

    def _take_number(self) -> int:
        self._next += 2
        return self._next - self._parity

    def _give_up(self, number: int) -> None:
        del self._opening[number], self._all[number]
        self.control(StreamReset(number, "not wanted any longer"))

    def control(self, frame: Frame) -> None:
        """Send a frame that overtakes stream data."""
        self._session.queue(Priority.CONTROL, frame)
        self._stir()

    def ready(self, stream: Stream) -> None:
        """Give a stream its turns: it has something to send, and the credit to do so."""
        if stream not in self._ready:
            self._ready.append(stream)
            self._stir()

    def forget(self, stream: Stream) -> None:
        """Drop a stream of which nothing more is to be sent or received."""
        self._all.pop(stream.number, None)
        if stream in self._ready:
            self._ready.remove(stream)

    def pull(self) -> Frame | None:
        """Return the next frame of the stream whose turn it is."""
        while self._ready:
            stream = self._ready.popleft()
            frame = stream.pull()
            if stream.sendable and stream not in self._ready:
                self._ready.append(stream)
            if frame is not None:
                return frame
        return None

    def frame_received(self, frame: StreamFrame, subprotocol: ISubprotocol | None = None) -> None:
        """Take a frame; ``subprotocol`` is the one that a StreamOpen names, None if there is none.

        What comes for a stream that is gone is dropped: it was sent before the other side heard of that.

        :raises BadStreamFrame: if it breaks the rules.
        """
        if isinstance(frame, StreamOpen):
            self._opened(frame, subprotocol)
            return
        if frame.stream in self._opening:
            self._answered(frame)
            return
        stream = self._all.get(frame.stream)
        if stream is not None:
            stream.frame_received(frame)

    def _answered(self, frame: StreamData | StreamWindow | StreamClose | StreamReset) -> None:
        if isinstance(frame, StreamData | StreamClose):
            raise BadStreamFrame("data came before the stream was accepted")
        stream, protocol, opened = self._opening.pop(frame.stream)
        if isinstance(frame, StreamReset):
            self.forget(stream)
            opened.errback(PayloadRefused(frame.reason or None))
            return
        stream.connect(protocol, frame.credit)
        opened.callback(stream)

    def _opened(self, frame: StreamOpen, subprotocol: ISubprotocol | None) -> None:
        if frame.stream % 2 == self._parity or frame.stream in self._all:
            raise BadStreamFrame(f"stream {frame.stream} cannot be opened")
        if subprotocol is None:
            self.control(StreamReset(frame.stream, "this node does not take part in that"))
            return
        if self._count(frame.stream % 2) >= MAX_STREAMS:
            self.control(StreamReset(frame.stream, "too many streams are open"))
            return
        self._accept(Stream(self, frame.stream, frame.header), frame.credit, subprotocol)

    def _accept(self, stream: Stream, credit: int, subprotocol: ISubprotocol) -> None:
        try:
            protocol = subprotocol.stream_opened(self.peer, stream)
        except Exception as error:  # noqa: BLE001 (a subprotocol may be anybody's code)
            self._report(error, stream)
            return
        if protocol is None:
            self.control(StreamReset(stream.number, "it was refused"))
            return
        self._all[stream.number] = stream
        self.control(StreamWindow(stream.number, WINDOW))
        stream.connect(protocol, credit)

    def _report(self, error: Exception, stream: Stream) -> None:
        if isinstance(error, RemoteError):
            self.control(StreamReset(stream.number, short(str(error))))
            return
        self.log.failure("a stream could not be accepted")
        self.control(StreamReset(stream.number, "this node failed to accept it"))

    def end(self, error: RemoteError) -> None:
        """End all of them: their session is over."""
        self._stir = _nothing
        self._ready.clear()
        while self._opening:  # one by one: who hears of it may cancel another
            number = next(iter(self._opening))
            del self._all[number]
            self._opening.pop(number)[2].errback(error)
        while self._all:
            self._all.popitem()[1].lost(str(error))


def _nothing() -> None:
    """Stir nothing: the session is over."""
