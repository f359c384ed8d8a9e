"""The SIP sockets of a test phone: one UDP port, or a TCP port and the connections that it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Factory
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.python.failure import Failure

from p2pship.address import HostPort
from p2pship.sip.framing import KeepAlive, StreamParser
from p2pship.sip.message import BadMessage, Message, parse


class Channel(Protocol):
    """Where messages go, and come from."""

    @property
    def reliable(self) -> bool:
        """Whether nothing is lost on it."""

    @property
    def remote(self) -> HostPort:
        """Where it leads."""

    def send(self, message: Message) -> None:
        """Send a message; harmless when nobody is there."""


Watcher = Callable[[Message, Channel], None]
"Called with a message and the channel by which it came or goes."
Loser = Callable[[Channel], None]


class Sockets(Protocol):
    """The sockets of one phone, for one transport."""

    @property
    def name(self) -> str:
        """The transport, as in a Via."""

    @property
    def address(self) -> HostPort:
        """Where messages to this phone can be sent."""

    def channel(self, remote: HostPort) -> Channel:
        """Return the way to an address."""

    def close(self) -> Deferred[Any]:
        """Close everything; fires when that is done."""


@dataclass(frozen=True)
class DatagramChannel:
    """One address, as seen from a UDP port."""

    transport: Any
    remote: HostPort
    sent: Watcher
    reliable: bool = False

    def send(self, message: Message) -> None:
        """Send a message as one datagram."""
        self.sent(message, self)
        self.transport.write(message.encode(), (self.remote.host, self.remote.port))


class UDPSockets(DatagramProtocol):
    """One UDP port."""

    name = "UDP"

    def __init__(self, reactor: Any, host: str, port: int, received: Watcher, sent: Watcher) -> None:
        """Listen; port 0 lets the operating system choose."""
        self.garbage = 0
        "how many datagrams were no SIP"
        self._received = received
        self._sent = sent
        self._port = reactor.listenUDP(port, self, interface=host)
        self.address = HostPort(host, self._port.getHost().port)

    def channel(self, remote: HostPort) -> Channel:
        """Return the way to an address."""
        return DatagramChannel(self._port, remote, self._sent)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Take a message; keep-alives and garbage are passed over."""
        if not datagram.strip(b"\r\n"):
            return
        try:
            message = parse(datagram)
        except BadMessage:
            self.garbage += 1
            return
        self._received(message, self.channel(HostPort(addr[0], addr[1])))

    def close(self) -> Deferred[Any]:
        """Close the port."""
        return maybeDeferred(self._port.stopListening)


class StreamChannel(StreamProtocol):
    """One TCP connection; what is sent before it is up waits."""

    reliable = True

    def __init__(self, remote: HostPort, received: Watcher, sent: Watcher, lost: Loser) -> None:
        self.remote = remote
        self.closed: Deferred[None] = Deferred()
        self.connector: Any = None
        self._received = received
        self._sent = sent
        self._lost = lost
        self._parser = StreamParser()
        self._waiting: list[bytes] = []

    def send(self, message: Message) -> None:
        """Send a message, now or when connected."""
        self._sent(message, self)
        if self.transport is None:
            self._waiting.append(message.encode())
        else:
            self.transport.write(message.encode())

    def abort(self) -> None:
        """End it at once, or the attempt to make it."""
        if self.transport is not None:
            ITCPTransport(self.transport).abortConnection()
        elif self.connector is not None:
            self.connector.stopConnecting()

    def connectionMade(self) -> None:
        """Send what waited."""
        assert self.transport is not None
        self.transport.writeSequence(self._waiting)
        self._waiting.clear()

    def dataReceived(self, data: bytes) -> None:
        """Take messages, and answer pings; end the connection when something else comes."""
        assert self.transport is not None
        try:
            for item in self._parser.feed(data):
                self._take(item)
        except BadMessage:
            self.transport.loseConnection()
            return
        if self._parser.broken:
            self.transport.loseConnection()

    def _take(self, item: bytes | KeepAlive) -> None:
        assert self.transport is not None
        if item is KeepAlive.PING:
            self.transport.write(KeepAlive.PONG.value)
        elif isinstance(item, bytes):
            self._received(parse(item), self)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell that it is gone."""
        self._lost(self)
        self.closed.callback(None)


class _Dialler(ClientFactory):
    """Makes one connection."""

    noisy = False

    def __init__(self, channel: StreamChannel) -> None:
        self._channel = channel

    def buildProtocol(self, addr: IAddress | None) -> StreamChannel:
        """Return the channel that waits for it."""
        return self._channel

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """Tell that nobody is there."""
        self._channel.connectionLost(reason)


class TCPSockets(Factory):
    """A TCP port, and connections made from elsewhere and from here."""

    name = "TCP"
    noisy = False

    def __init__(
        self, reactor: Any, host: str, port: int, received: Watcher, sent: Watcher, lost: Loser
    ) -> None:
        """Listen; port 0 lets the operating system choose. ``lost`` hears of each connection that ends."""
        self._reactor = reactor
        self._received = received
        self._sent = sent
        self._told = lost
        self._channels: list[StreamChannel] = []
        self._port = reactor.listenTCP(port, self, interface=host)
        self.address = HostPort(host, self._port.getHost().port)

    def buildProtocol(self, addr: IAddress | None) -> StreamChannel:
        """Take a connection."""
        return self._new(HostPort(getattr(addr, "host", ""), getattr(addr, "port", 0)))

    def channel(self, remote: HostPort) -> Channel:
        """Return the connection to an address; it is made if there is none."""
        for channel in self._channels:
            if channel.remote == remote:
                return channel
        channel = self._new(remote)
        own = (self.address.host, 0)
        channel.connector = self._reactor.connectTCP(
            remote.host, remote.port, _Dialler(channel), bindAddress=own
        )
        return channel

    def drop(self) -> None:
        """Break every connection, as a network does that loses its state."""
        for channel in tuple(self._channels):
            channel.abort()

    def close(self) -> Deferred[Any]:
        """Close the port and every connection."""
        ended = [channel.closed for channel in self._channels]
        self.drop()
        return gatherResults([maybeDeferred(self._port.stopListening), *ended])

    def _new(self, remote: HostPort) -> StreamChannel:
        channel = StreamChannel(remote, self._received, self._sent, self._gone)
        self._channels.append(channel)
        return channel

    def _gone(self, channel: Channel) -> None:
        self._channels = [each for each in self._channels if each is not channel]
        self._told(channel)
