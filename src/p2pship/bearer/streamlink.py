"""A link over a byte stream whose two ends have proven their keys; the bearer that makes it says how.

Theory of operation: the link registers with its socket as a pull producer (:class:`IPullProducer`), so it is told each
time that the kernel has taken everything. It then writes one turn of its :class:`SendQueue`, and nothing in between.
The kernel in turn takes little ahead of what it can send (``TCP_NOTSENT_LOWAT``). So what waits, waits in the queue,
where datagrams overtake frames and late ones are dropped, and our memory stays bounded however slow the other side is.

A link that is not started does not read: what a stranger can make us keep is one read, 4 KiB.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import HostPort, Locator, canonical_host
from p2pship.bearer.channel import Forged
from p2pship.bearer.framing import LARGEST_FRAME, BadStream, Kind, RecordReader, datagram_record
from p2pship.bearer.sendqueue import MOST_WAITING, WINDOW, SendQueue
from p2pship.bearer.silence import SilenceWatch
from p2pship.interfaces import ILink, ILinkReceiver
from p2pship.journal import Journal

CLOSE_TIME = 2.0
"Seconds after ``close`` in which what was sent may leave."

FIRST_READ = 4096
"Octets of one read before the link is started: all that a stranger can make us keep."

FULL_READ = 65_536
"Octets of one read afterwards."

NOT_SENT_MOST = 8192
"""Octets that the kernel takes ahead of what it can send (TCP_NOTSENT_LOWAT, tcp(7)). With the turn before it, media waits
behind 24 KiB: 0.1 s at 2 Mbit/s. It does not bound what is on its way, as SO_SNDBUF would, so a long fast path is still
filled."""

USER_TIMEOUT = 30.0
"Seconds that sent octets may stay unacknowledged until the connection counts as broken (RFC 5482, RFC 9293 §3.8.3)."

KEEP_ALIVE = (30, 10, 3)
"Seconds of idleness until the kernel asks whether the other side lives, seconds between questions, and how many."


@implementer(ILink, IPullProducer)
class StreamLink(Protocol):
    """One link on a stream. A bearer's subclass sets ``own`` and ``proof``, and calls :meth:`hold` before it hands the link out."""

    transport: Any
    own = b""
    proof = b""
    encrypted = False
    largest_datagram = LARGEST_FRAME

    def __init__(self, name: str, clock: IReactorTime, journal: Journal, locator: Locator | None) -> None:
        """Make a link of the bearer ``name``, which dialled ``locator``; None if it listened."""
        self.locator = locator
        self.dialled = locator is not None
        self.remote: HostPort | None = None
        self._name = name
        self._clock = clock
        self._journal = journal
        self._receiver: ILinkReceiver | None = None
        self._reader = RecordReader()
        self._queue = SendQueue(dropped=lambda: journal.count(f"{name}.media_dropped"))
        self._silence = SilenceWatch(clock, self._stalled)
        self._socket: Any = None
        self._busy = False
        self._told_full = False
        self._closing = False
        self._reason = ""
        self._beginning: IDelayedCall | None = None
        self._abort_timer: IDelayedCall | None = None

    @property
    def path(self) -> str:
        return f"{self._name} {self.remote}"

    @property
    def writable(self) -> bool:
        return self._queue.waiting < WINDOW

    @property
    def limit(self) -> int:
        """The most octets of a frame or datagram that is taken; a longer one ends the link."""
        return self._reader.limit

    @limit.setter
    def limit(self, octets: int) -> None:
        self._reader.limit = octets

    def socket_of(self, transport: Any) -> Any:
        """Return the socket's own transport, below whatever protects the stream."""
        return transport

    def connectionMade(self) -> None:
        """Set up the socket; what it carries is not a link yet."""
        self._socket = self.socket_of(self.transport)
        self._socket.bufferSize = FIRST_READ
        peer = self._socket.getPeer()
        self.remote = HostPort(canonical_host(peer.host), peer.port)
        with suppress(OSError):  # the other side may be gone already, which is told where it is read
            set_options(self._socket.getHandle())

    def hold(self) -> None:
        """Become a link that nobody has started: read no more, and write what is sent."""
        self._socket.pauseProducing()
        self._socket.registerProducer(self, False)

    def start(self, receiver: ILinkReceiver) -> None:
        self._receiver = receiver
        self._beginning = self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._beginning = None
        if self._socket is not None:
            self._socket.bufferSize = FULL_READ
            self._socket.resumeProducing()
        self._deliver()
        if self._socket is None:
            self._tell_lost()

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self._silence.heard()
        self._reader.receive(data)
        if self._receiver is not None and self._beginning is None:
            self._deliver()

    def _deliver(self) -> None:
        try:
            for kind, body in self._reader.records():
                if self._closing or self._receiver is None:
                    return
                if kind == Kind.FRAME:
                    self._receiver.frame_received(body)
                else:
                    self._receiver.datagram_received(body)
        except BadStream as error:
            self.abort(f"the other side broke the framing: {error}")
        except Forged as error:
            self._journal.count(f"{self._name}.forged")
            self.abort(f"somebody altered what was sent: {error}")

    def send(self, frame: bytes) -> None:
        if self._closing or self._socket is None:
            return
        self._queue.add_frame(frame)
        if not self._busy:
            self._turn()
        self._told_full = self._told_full or not self.writable
        if self._queue.waiting > MOST_WAITING:
            self.abort("the other side does not take what is sent to it")

    def cast(self, datagram: bytes) -> None:
        if self._closing or self._socket is None:
            return
        if self._busy:
            self._queue.add_datagram(datagram, self._clock.seconds())
            return
        record = datagram_record(datagram)
        self._busy = True
        self.transport.write(self.sealed([record]))

    def _turn(self) -> None:
        records = self._queue.take(self._clock.seconds())
        self._busy = bool(records)
        if records:
            self.transport.write(self.sealed(records))
        elif self._closing:
            self.finish()

    def sealed(self, records: list[bytes]) -> bytes:
        """Return records as they go over the stream, in this order."""
        return b"".join(records)

    def resumeProducing(self) -> None:
        """Hear from the socket that the kernel has taken everything."""
        if self._socket.disconnecting:
            self._socket.unregisterProducer()  # the stream was closed from below: let the socket close too
            return
        self._turn()
        if self._told_full and self._queue.waiting <= WINDOW // 2:
            self._told_full = False
            if self._receiver is not None and not self._closing:
                self._receiver.link_writable()

    def stopProducing(self) -> None:
        """Hear from the socket that it is lost; ``connectionLost`` follows."""

    def watch(self, closely: bool) -> None:
        self._silence.watch(closely and self._socket is not None and not self._closing)

    def _stalled(self) -> None:
        if self._receiver is not None:
            self._receiver.link_stalled()

    def close(self, reason: str) -> None:
        if self._closing or self._socket is None:
            return
        self._closing = True
        self._reason = reason
        self._silence.watch(False)
        self._abort_timer = self._clock.callLater(CLOSE_TIME, self._abort)
        self._socket.resumeProducing()  # to see that the other side closes too; what it sends is thrown away
        if not self._busy:
            self._turn()

    def finish(self) -> None:
        """Close the stream when what was written has left."""
        self._socket.unregisterProducer()
        self.transport.loseConnection()

    def abort(self, reason: str) -> None:
        """End the link without waiting for anything."""
        if self._socket is None:
            return
        self._closing = True
        self._reason = self._reason or reason
        self._silence.watch(False)
        self._abort()

    def _abort(self) -> None:
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._socket = None
        self._reason = self._reason or self.ending(reason)
        self._silence.watch(False)
        if self._abort_timer is not None and self._abort_timer.active():
            self._abort_timer.cancel()
        if self._beginning is None:
            self._tell_lost()

    def ending(self, reason: Failure) -> str:
        """Return why a connection ended, for people."""
        if reason.check(ConnectionDone):
            return "the other side closed the connection"
        return reason.getErrorMessage()

    def _tell_lost(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.link_lost(self._reason)


def set_options(handle: socket.socket) -> None:
    """Make a TCP socket quick, its queue short, and its end noticed; options that a system lacks are left out."""
    idle, interval, count = KEEP_ALIVE
    handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_NOTSENT_LOWAT", NOT_SENT_MOST),
        ("TCP_USER_TIMEOUT", int(USER_TIMEOUT * 1000)),
        ("TCP_KEEPIDLE", idle),
        ("TCP_KEEPINTVL", interval),
        ("TCP_KEEPCNT", count),
    ):
        if hasattr(socket, name):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
