"""The transport towards phones: SIP over UDP and TCP at one address and port (RFC 3261 §18)."""

from __future__ import annotations

import socket
from collections.abc import Hashable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure

from p2pship.address import HostPort, canonical_host
from p2pship.errors import LocalError, RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.network import source_towards
from p2pship.sip.allowance import RegisterAllowance
from p2pship.sip.connection import Connection
from p2pship.sip.datagram_port import DatagramPort
from p2pship.sip.intake import Intake
from p2pship.sip.message import BadMessage, Message, Request, parse
from p2pship.sip.refusal import refusal
from p2pship.sip.tcp import ConnectionPool, TCPHop
from p2pship.sip.udp import DatagramSocket, UDPHop
from p2pship.sip.way_back import mark_source

LARGEST_DATAGRAM = 65_535
"octets: the largest that there is must be taken (§18.1.1)"
RECEIVE_BUFFER = 4_194_304
"""octets that the kernel is asked to hold for us, and which it cuts to what it allows: all phones share them, so that a
flood of 10,000 messages a second must not fill them while the reactor does something else"""
CONNECT_SOON = 0.5
"""seconds for a phone that is reached over UDP to take a TCP connection, before it gets a large request over UDP after
all: T1, after which a request over UDP would be sent again anyway"""
BACKLOG = 50
"TCP connections that may wait to be accepted"
PAIRS_TRIED = 20
"ports that are tried where the operating system chooses, until one is free for both UDP and TCP"

_UNSPECIFIED = ("0.0.0.0", "::", "")


class IMessageReceiver(Protocol):
    """Who takes what phones send: the transaction layer."""

    def message_received(self, message: Message, origin: ISIPHop) -> None:
        """Take a message; the top Via of a request says where it came from."""


class PhoneTransport:
    """Hears phones, and finds the hop to each."""

    def __init__(
        self,
        reactor: Any,
        receiver: IMessageReceiver,
        journal: Journal,
        intake: Intake,
        trusts_loopback: bool = True,
    ) -> None:
        """What comes goes to ``receiver``, in the order of ``intake``.

        ``reactor`` provides IReactorFDSet, IReactorTCP and IReactorTime; ``trusts_loopback`` says whether phones on this
        machine need no proof of who they are.
        """
        self._reactor = reactor
        self._receiver = receiver
        self._journal = journal
        self._intake = intake
        self._registers = RegisterAllowance()
        self._trusts_loopback = trusts_loopback
        self._datagrams = self._datagram_socket()
        self._pool = ConnectionPool(
            reactor, journal, self._stream_received, self._stream_broken, trusts_loopback
        )
        self._ports: list[IListeningPort] = []
        self._closing: list[Deferred[None]] = []
        self.address = HostPort("0.0.0.0", 0)
        "where it listens; port 0 until it does"

    @property
    def connections(self) -> int:
        """How many TCP connections are open."""
        return len(self._pool)

    @property
    def port(self) -> int:
        """The port at which it listens, for UDP and TCP; 0 until it does."""
        return self.address.port

    def listen(self, host: str, port: int) -> None:
        """Listen on UDP and TCP at the same port; port 0 lets the system choose.

        :raises CannotListenError: if it is taken for either; nothing is then listened to, and another port may be tried.
        """
        for left in reversed(range(PAIRS_TRIED if port == 0 else 1)):
            try:
                self._listen(host, port)
                return
            except CannotListenError:
                if not left:
                    raise

    def stop(self) -> Deferred[None]:
        """Stop listening, close every connection, and fire when all is closed."""
        closing = [maybeDeferred(port.stopListening) for port in self._ports]
        self._ports.clear()
        done: Deferred[Any] = gatherResults([*closing, *self._closing, self._pool.stop()])
        return done.addCallback(lambda _: None)

    def hop_for(self, host: str, port: int, transport: str) -> ISIPHop:
        """Return the hop to a phone's address, over ``UDP`` or ``TCP``.

        Over TCP that is the connection whose other side has this address, or else one that is made when something is
        sent: to reach a phone over the connection that it made, give the address that it made it from.

        :raises BadAddress: if the host is no address literal.
        :raises LocalError: if the transport is another.
        """
        address = HostPort(canonical_host(host), port)
        if transport == "UDP":
            return UDPHop(self._datagrams, address, self._own, self._stream_to)
        if transport == "TCP":
            return TCPHop(self._pool, address, self._own)
        raise LocalError(f"there is no transport {transport!r} towards phones")

    def is_connected(self, address: HostPort) -> bool:
        """Tell whether a TCP connection with this very address is up."""
        return self._pool.is_open(address)

    def _listen(self, host: str, port: int) -> None:
        datagrams = DatagramPort(port, self._datagrams, host, LARGEST_DATAGRAM, self._reactor)
        datagrams.startListening()
        chosen = datagrams.getHost().port
        try:
            connections = self._reactor.listenTCP(chosen, self._pool, backlog=BACKLOG, interface=host)
        except CannotListenError:
            self._closing.append(maybeDeferred(datagrams.stopListening))
            self._datagrams = self._datagram_socket()
            raise
        datagrams.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._ports = [datagrams, connections]
        self.address = HostPort(host, chosen)

    def _datagram_socket(self) -> DatagramSocket:
        return DatagramSocket(self._datagram_received, self._journal, self._trusts_loopback)

    def _own(self, remote: str) -> HostPort:
        """Return this node's own address as a phone sees it."""
        if self.address.host not in _UNSPECIFIED:
            return self.address
        return HostPort(source_towards(remote) or self.address.host, self.address.port)

    def _stream_to(self, address: HostPort) -> TCPHop | None:
        """Return the hop over TCP for what is too large for a datagram."""
        return TCPHop(self._pool, address, self._own, CONNECT_SOON) if self._pool.accepts(address) else None

    def _datagram_received(self, datagram: bytes, source: tuple[str, int]) -> None:
        if not self._admits(datagram, source):
            return
        self._intake.take(source, len(datagram), lambda: self._take_datagram(datagram, source))

    def _take_datagram(self, datagram: bytes, source: tuple[str, int]) -> None:
        host = canonical_host(source[0]) if ":" in source[0] else source[0]
        self._take(datagram, UDPHop(self._datagrams, HostPort(host, source[1]), self._own, self._stream_to))

    def _stream_received(self, data: bytes, connection: Connection) -> None:
        source = connection.remote

        def serve() -> None:
            try:
                self._take(data, TCPHop(self._pool, source, self._own))
            finally:
                connection.served(len(data))

        if not self._admits(data, source) or not self._intake.take(source, len(data), serve):
            connection.served(len(data))

    def _admits(self, message: bytes, source: Hashable) -> bool:
        """Tell whether a message may be served: this is all that happens to most of a flood."""
        if self._registers.allows(message, source, self._reactor.seconds()):
            return True
        self._journal.count("sip.flood")
        return False

    def _stream_broken(self, error: BadMessage, source: HostPort) -> None:
        self._refuse(error, TCPHop(self._pool, source, self._own))

    def _take(self, data: bytes, hop: UDPHop | TCPHop) -> None:
        try:
            message = parse(data)
            if isinstance(message, Request):
                mark_source(message, hop.address)
        except BadMessage as error:
            self._refuse(error, hop)
            return
        self._receiver.message_received(message, hop)

    def _refuse(self, error: BadMessage, hop: UDPHop | TCPHop) -> None:
        """Count what is no message, and answer it if it is a request of which enough could be read."""
        self._journal.count("sip.garbage")
        bad = error.message
        if not isinstance(bad, Request):
            return
        try:
            mark_source(bad, hop.address)
        except BadMessage:
            return
        response = refusal(error)
        if response is not None:
            maybeDeferred(hop.send, response).addErrback(self._unsent)

    def _unsent(self, failure: Failure) -> None:
        failure.trap(RemoteError)
        self._journal.count("sip.unsent")
