"""Plain sockets as phones have them, for the tests of the transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from p2pship.address import HostPort
from p2pship.errors import RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.sip.message import Message
from p2pship.testing.programs import free_ports

reactor: Any = _reactor

HOST = "127.0.0.1"


def send(hop: ISIPHop, message: Message) -> Deferred[None]:
    """Send to a hop; fires also if it was sent at once, and fails also if it could not be."""
    try:
        return hop.send(message) or succeed(None)
    except RemoteError as error:
        return fail(error)


class Inbox:
    """Keeps what comes, for tests that wait for it."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def add(self, item: Any) -> None:
        """Take something."""
        self.items.append(item)
        self.look()

    def look(self) -> None:
        """Fire what waited for this."""
        ready = [entry for entry in self._waiting if entry[0]()]
        self._waiting = [entry for entry in self._waiting if entry not in ready]
        for _, deferred in ready:
            deferred.callback(None)

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Wait until something is so; the test's own timeout ends a vain wait."""
        if condition():
            return deferLater(reactor, 0, lambda: None)
        deferred: Deferred[None] = Deferred()
        self._waiting.append((condition, deferred))
        return deferred

    def holds(self, number: int) -> Deferred[None]:
        """Wait until so many have come."""
        return self.until(lambda: len(self.items) >= number)


class Receiver(Inbox):
    """Takes what the transport has received."""

    def message_received(self, message: Message, origin: ISIPHop) -> None:
        """Keep a message and where it came from."""
        self.add((message, origin))


class DatagramPhone(DatagramProtocol, Inbox):
    """A phone's UDP socket, at a port that nobody has for TCP either."""

    def __init__(self) -> None:
        Inbox.__init__(self)
        self.port = reactor.listenUDP(free_ports(1), self, interface=HOST, maxPacketSize=65_535)
        self.address = HostPort(HOST, self.port.getHost().port)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Keep a datagram and its source."""
        self.add((datagram, HostPort(*addr)))

    def send(self, datagram: bytes, port: int) -> None:
        """Send to a port of this machine."""
        assert self.transport is not None
        self.transport.write(datagram, (HOST, port))


class StreamPhone(Protocol, Inbox):
    """One end of a phone's TCP connection."""

    transport: Any

    def __init__(self) -> None:
        Inbox.__init__(self)
        self.data = b""
        self.open = False

    @property
    def address(self) -> HostPort:
        """The phone's own address and port of this connection."""
        return HostPort(HOST, self.transport.getHost().port)

    def connectionMade(self) -> None:
        """Note it."""
        self.open = True

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.data += data
        self.look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note it."""
        self.open = False
        self.look()

    def hears(self, text: bytes) -> Deferred[None]:
        """Wait for some octets."""
        return self.until(lambda: text in self.data)

    def is_closed(self) -> Deferred[None]:
        """Wait for the end."""
        return self.until(lambda: not self.open)


class ListeningPhone(Factory, Inbox):
    """A phone that takes TCP connections; holds their ends."""

    noisy = False

    def __init__(self) -> None:
        Inbox.__init__(self)
        self.port = reactor.listenTCP(0, self, interface=HOST)
        self.address = HostPort(HOST, self.port.getHost().port)

    def buildProtocol(self, addr: object) -> StreamPhone:
        """Take a connection."""
        phone = StreamPhone()
        self.add(phone)
        return phone


def connect(port: int) -> Deferred[StreamPhone]:
    """Connect to a port of this machine."""
    connected: Deferred[Any] = TCP4ClientEndpoint(reactor, HOST, port).connect(
        Factory.forProtocol(StreamPhone)
    )
    return connected
