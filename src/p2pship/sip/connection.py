"""One TCP connection with a phone: cuts it into messages, answers keep-alives, and bounds what it may hold."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import HostPort, canonical_host
from p2pship.journal import Journal
from p2pship.sip.framing import KeepAlive, StreamParser
from p2pship.sip.message import BadMessage

PATIENCE = 30.0
"seconds for the first whole message of a connection, and for the rest of one that has begun"
CLOSE_AFTER = 2.0
"seconds that a connection which is being closed has for what is still to be sent"
MAX_UNSERVED = 65_536
"octets of messages that wait to be served above which no more is read: beyond it the phone has to wait"
MAX_UNREAD = 262_144
"octets that may wait for a phone that does not read, beside the 64 KiB at which the transport says so: 500 usual messages"


class Connections(Protocol):
    """Who keeps the connections, as one of them sees it."""

    clock: IReactorTime
    journal: Journal

    def made(self, connection: Connection) -> None:
        """Hear that a connection is there."""

    def retired(self, connection: Connection) -> None:
        """Hear that a connection is about to be closed, and should be used no more; may be repeated."""

    def lost(self, connection: Connection) -> None:
        """Hear that a connection is gone."""

    def received(self, connection: Connection, data: bytes) -> None:
        """Take the octets of a message, and call the connection's ``served`` once they have been served."""

    def broken(self, connection: Connection, error: BadMessage) -> None:
        """Hear that what comes is not SIP."""


@implementer(IPushProducer)
class Connection(StreamProtocol):
    """One connection with a phone."""

    transport: Any
    "an ITCPTransport that is also an IConsumer; the reactor sets it"

    def __init__(self, connections: Connections, dialled: bool) -> None:
        """``dialled`` says that this node made it: then nothing needs to come of itself."""
        self.dialled = dialled
        self._connections = connections
        self._parser = StreamParser()
        self.heard = dialled
        "whether a whole message has come, or need not"
        self._patience: IDelayedCall | None = None
        self._unserved = 0
        self._paused = False
        self._ending = False
        "whether it is to be closed as soon as what came before has been served"
        self._unread: int | None = None
        "octets written since the transport said that it is full; None while it is not"
        self.remote = HostPort("0.0.0.0", 0)

    def connectionMade(self) -> None:
        """Begin; the transport is there."""
        self.remote = remote_of(self.transport.getPeer())
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        self.transport.registerProducer(self, True)
        self._connections.made(self)
        self._watch(False)

    def dataReceived(self, data: bytes) -> None:
        """Take what came from the reactor."""
        try:
            items = self._parser.feed(data)
            for item in items:
                self._take(item)
            if self._parser.broken:
                self._parser.feed(b"")
        except BadMessage as error:
            self._connections.broken(self, error)
            self._end()
            return
        self._pause_if_behind()
        self._watch(any(isinstance(item, bytes) for item in items))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Hear from the reactor that it is over."""
        self._ending = self._paused = False
        self._stop_watching()
        self._connections.lost(self)

    def write(self, data: bytes) -> bool:
        """Send octets; False if the phone has left too much unread, which ends the connection."""
        if self._unread is not None:
            self._unread += len(data)
            if self._unread > MAX_UNREAD:
                self._connections.journal.count("sip.tcp_unread")
                self._connections.retired(self)
                self.transport.abortConnection()
                return False
        self.transport.write(data)
        return True

    def served(self, octets: int) -> None:
        """Hear that a message of so many octets has been served."""
        self._unserved -= octets
        if self._paused and self._unserved <= MAX_UNSERVED // 2:
            self._paused = False
            self.transport.resumeProducing()
        if self._ending and not self._unserved:
            self._ending = False
            self.close()

    def abort(self) -> None:
        """Break off at once."""
        self._connections.retired(self)
        self.transport.abortConnection()

    def close(self) -> None:
        """Close when what was written has left, or soon."""
        self._connections.retired(self)
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._stop_watching()
        self._patience = self._connections.clock.callLater(CLOSE_AFTER, self._abort)

    def pauseProducing(self) -> None:
        """Hear that the transport is full; it says so after each write while it is."""
        if self._unread is None:
            self._unread = 0

    def resumeProducing(self) -> None:
        """Hear that the transport has room again."""
        self._unread = None

    def stopProducing(self) -> None:
        """Hear that nothing can be sent any more; ``connectionLost`` follows."""

    def _take(self, item: bytes | KeepAlive) -> None:
        if isinstance(item, bytes):
            self._unserved += len(item)
            self._connections.received(self, item)
        elif item is KeepAlive.PING:
            self.write(KeepAlive.PONG.value)

    def _pause_if_behind(self) -> None:
        if self._unserved > MAX_UNSERVED and not self._paused:
            self._paused = True
            self.transport.pauseProducing()

    def _end(self) -> None:
        """Read no more; close once all has been served, so that it can be answered over this connection."""
        if not self._unserved:
            self.close()
            return
        self._ending = True
        self.transport.pauseProducing()

    def _watch(self, complete: bool) -> None:
        """Give the message that has begun, or must come first, its time; ``complete`` says that one has come."""
        if complete:
            self.heard = True
            self._stop_watching()
        if self._patience is None and (self._parser.waiting or not self.heard):
            self._patience = self._connections.clock.callLater(PATIENCE, self._impatient)
        elif self.heard and not self._parser.waiting:
            self._stop_watching()

    def _stop_watching(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _impatient(self) -> None:
        self._patience = None
        self._connections.journal.count("sip.tcp_slow")
        self.close()

    def _abort(self) -> None:
        self._patience = None
        self.transport.abortConnection()


def remote_of(address: Any) -> HostPort:
    """Return the address of the other side of a TCP connection, as Twisted gives it."""
    return HostPort(canonical_host(address.host), address.port)
