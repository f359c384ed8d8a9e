"""SIP over TCP: the connections with phones, whoever made them, and a phone as a next hop.

A connection is known by its remote address. What goes to that address uses it, be it a response or a request (RFC 3261
§18.1.1, §18.2.2); only where there is none, one is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import HostPort, is_loopback
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.sip.connection import Connection, remote_of
from p2pship.sip.match import DEFAULT_PORT
from p2pship.sip.message import BadMessage, Message, Response
from p2pship.sip.udp import NotSent

MAX_CONNECTIONS = 500
"connections in all: half of the 1,024 open files that a process may have by default"
MAX_CONNECTIONS_OF_HOST = 100
"""connections that one address may have made: several phones on one machine, each with a few. When there are as many,
the oldest over which nothing has come yet makes room: who only connects keeps nobody else out"""
CONNECT_TIMEOUT = 5.0
"seconds to make a connection: phones are near, and a caller waits"
NO_TCP_FOR = 600.0
"seconds for which an address that took no connection is remembered: phones are not set up anew more often"
MAX_REMEMBERED = 1_000
"addresses that are remembered as taking no connection"
MAX_WAITING = 64
"messages that may wait for one connection to be made"


@dataclass(eq=False, slots=True)
class _Dial:
    """A connection being made, and what waits for it."""

    waiting: dict[Deferred[None], bytes] = field(default_factory=dict)
    attempt: Deferred[Any] | None = None

    def take_back(self, sent: Deferred[None]) -> None:
        """Let a message be sent no more."""
        self.waiting.pop(sent, None)


class _Dialler(Factory):
    """Makes the protocol of one connection that this node dials; says nothing of it in the log."""

    noisy = False

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """Take the connection."""
        return Connection(self._pool, dialled=True)


class ConnectionPool(Factory):
    """All TCP connections with phones; as a factory, it takes those that phones make."""

    log = Logger()
    noisy = False

    def __init__(
        self,
        reactor: Any,
        journal: Journal,
        received: Callable[[bytes, Connection], None],
        broken: Callable[[BadMessage, HostPort], None],
        trusts_loopback: bool = True,
    ) -> None:
        """``received`` gets each message, and tells the connection when it has been served.

        ``broken`` gets what is wrong before a connection is closed for it.
        """
        self.clock = reactor
        self.journal = journal
        self.trusts_loopback = trusts_loopback
        "whether phones on this machine need no proof here"
        self._received = received
        self._broken = broken
        self._open: dict[Connection, None] = {}
        "all that are open, oldest first"
        self._usable: dict[HostPort, Connection] = {}
        self._accepted: Counter[str] = Counter()
        self._dials: dict[HostPort, _Dial] = {}
        self._closed: dict[HostPort, float] = {}
        "until when each address is taken to accept no connection"
        self._stopped: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        """Take a connection that a phone makes, or refuse it."""
        if self._stopped is not None or not self._make_room(remote_of(addr).host):
            self.journal.count("sip.tcp_refused")
            return None
        return Connection(self, dialled=False)

    def _make_room(self, host: str) -> bool:
        """See to it that one more connection of a host can be taken; False if it cannot."""
        if self._accepted[host] >= MAX_CONNECTIONS_OF_HOST:
            return self._abort_oldest(host)
        if len(self._open) >= MAX_CONNECTIONS:
            return self._abort_oldest(None)
        return True

    def _abort_oldest(self, host: str | None) -> bool:
        """Break off the oldest connection over which nothing has come; False if there is none."""
        for connection in self._open:
            if not connection.heard and host in (None, connection.remote.host):
                self.journal.count("sip.tcp_idle")
                connection.abort()
                self.lost(
                    connection
                )  # at once: it is counted no more, though the reactor tells of it only later
                return True
        return False

    def is_open(self, address: HostPort) -> bool:
        """Tell whether there is a connection with that address."""
        return address in self._usable

    def accepts(self, address: HostPort) -> bool:
        """Tell whether there is a connection with that address, or it may be that one can be made."""
        return address in self._usable or self._closed.get(address, 0.0) <= self.clock.seconds()

    def send(self, data: bytes, to: HostPort, patience: float | None = None) -> Deferred[None]:
        """Send over the connection with an address, made if there is none; fails with :class:`NotSent`.

        Cancelling it takes a message back that still waits for its connection; so does ``patience``, in seconds.
        """
        connection = self._usable.get(to)
        if connection is None:
            sent = self._send_later(data, to)
            return sent if patience is None else sent.addTimeout(patience, self.clock, self._late(to))
        if not connection.write(data):
            return fail(NotSent(f"the phone at {to} does not read what it is sent"))
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """Make no more connections, close those that are open, and fire when they are gone."""
        self._stopped = Deferred()
        for dial in tuple(self._dials.values()):
            if dial.attempt is not None:
                dial.attempt.cancel()
        for connection in tuple(self._open):
            connection.close()
        self._fire_if_empty()
        return self._stopped

    # What a connection tells.

    def made(self, connection: Connection) -> None:
        """Take up a connection."""
        self._open[connection] = None
        self._usable[connection.remote] = connection
        if not connection.dialled:
            self._accepted[connection.remote.host] += 1

    def retired(self, connection: Connection) -> None:
        """Use a connection no more."""
        if self._usable.get(connection.remote) is connection:
            del self._usable[connection.remote]

    def lost(self, connection: Connection) -> None:
        """Forget a connection; harmless when repeated."""
        if connection not in self._open:
            return
        self.retired(connection)
        del self._open[connection]
        if not connection.dialled:
            self._one_fewer(connection.remote.host)
        self._fire_if_empty()

    def received(self, connection: Connection, data: bytes) -> None:
        """Pass on a message."""
        self._received(data, connection)

    def broken(self, connection: Connection, error: BadMessage) -> None:
        """Pass on what is wrong."""
        self._broken(error, connection.remote)

    def _one_fewer(self, host: str) -> None:
        self._accepted[host] -= 1
        if not self._accepted[host]:
            del self._accepted[host]

    def _send_later(self, data: bytes, to: HostPort) -> Deferred[None]:
        if self._stopped is not None:
            return fail(NotSent("the TCP port is closed"))
        dial = self._dials.get(to) or self._begin_dial(to)
        if dial is None or len(dial.waiting) >= MAX_WAITING:
            return fail(NotSent(f"too much waits for connections already, {to} among them"))
        sent: Deferred[None] = Deferred(dial.take_back)
        dial.waiting[sent] = data
        return sent

    def _late(self, to: HostPort) -> Callable[[object, float], Failure]:
        def late(_: object, patience: float) -> Failure:
            self._remember_closed(to)
            return Failure(NotSent(f"the phone at {to} takes no TCP connection within {patience:.1f} s"))

        return late

    def _remember_closed(self, address: HostPort) -> None:
        if len(self._closed) >= MAX_REMEMBERED:
            self._closed.clear()
        self._closed[address] = self.clock.seconds() + NO_TCP_FOR

    def _begin_dial(self, to: HostPort) -> _Dial | None:
        if len(self._open) + len(self._dials) >= MAX_CONNECTIONS:
            return None
        dial = self._dials[to] = _Dial()
        kind = TCP6ClientEndpoint if ":" in to.host else TCP4ClientEndpoint
        endpoint = kind(self.clock, to.host, to.port, timeout=CONNECT_TIMEOUT)
        dial.attempt = endpoint.connect(_Dialler(self))
        dial.attempt.addCallbacks(self._dialled, self._not_dialled, callbackArgs=(to,), errbackArgs=(to,))
        dial.attempt.addErrback(lambda failure: self.log.failure("sending to {to} failed", failure, to=to))
        return dial

    def _dialled(self, connection: Connection, to: HostPort) -> None:
        self._closed.pop(to, None)
        for sent, data in tuple(self._dials.pop(to).waiting.items()):
            if connection.write(data):
                sent.callback(None)
            else:
                sent.errback(NotSent(f"the phone at {to} does not read what it is sent"))

    def _not_dialled(self, failure: Failure, to: HostPort) -> None:
        self._remember_closed(to)
        reason = f"the phone at {to} takes no TCP connection: {failure.getErrorMessage()}"
        for sent in tuple(self._dials.pop(to).waiting):
            sent.errback(NotSent(reason))

    def _fire_if_empty(self) -> None:
        if self._stopped is not None and not self._open and not self._stopped.called:
            self._stopped.callback(None)


@implementer(ISIPHop)
class TCPHop:
    """A phone at the other side of a TCP connection, which may be gone, or not be there yet."""

    __slots__ = ("_own", "_patience", "_pool", "address")

    reliable = True
    transport = "TCP"

    def __init__(
        self,
        pool: ConnectionPool,
        address: HostPort,
        own: Callable[[str], HostPort],
        patience: float | None = None,
    ) -> None:
        """``own`` tells this node's own address towards a host; ``patience`` is the most seconds to wait for a connection."""
        self._pool = pool
        self.address = address
        self._own = own
        self._patience = patience

    @property
    def sent_by(self) -> str:
        """The sent-by of this node's Via towards the phone."""
        return str(self._own(self.address.host))

    @property
    def description(self) -> str:
        """What it is, for people."""
        return f"phone tcp {self.address}"

    @property
    def trusted(self) -> bool:
        """Whether the phone is on this machine, and that is proof enough."""
        return self._pool.trusts_loopback and is_loopback(self.address.host)

    @property
    def key(self) -> Hashable:
        """What names the other side of the connection."""
        return "tcp", self.address.host, self.address.port

    def send(self, message: Message) -> Deferred[None]:
        """Send over the connection, or make one; fails with :class:`NotSent`.

        A response whose connection is gone goes to the port in its Via (RFC 3261 §18.2.2).
        """
        to = self.address
        try:
            if isinstance(message, Response) and not self._pool.is_open(to):
                to = HostPort(to.host, message.via.port or DEFAULT_PORT)
        except BadMessage as error:
            return fail(error)
        return self._pool.send(message.encode(), to, self._patience)
