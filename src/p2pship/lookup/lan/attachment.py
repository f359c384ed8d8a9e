"""One interface as the LAN lookup uses it with one group: a listener, and a socket on each address to ask from."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.protocol import DatagramProtocol

from p2pship.journal import Journal
from p2pship.lookup.lan.sockets import Group, is_on_link, open_asker, open_listener, own_addresses
from p2pship.lookup.lan.wire import QUESTION_LENGTH
from p2pship.network import Interface

LONGEST_DATAGRAM = QUESTION_LENGTH + 1
"Octets read of a datagram: one more than the longest message has, so that a longer one is seen to be wrong."

TakeQuestion = Callable[[bytes, str], bytes | None]
"Takes a datagram that came to the group and its sender's address, and returns the answer if there is one."

TakeAnswer = Callable[[bytes, str, bool], None]
"Takes a datagram that came to an asker, its sender's address, and whether it came over loopback."


class Attachment:
    """The sockets on one interface for one group: all of them are open, or none is.

    What comes from outside the interface's networks is counted and dropped (RFC 6762 §11): nobody can use the node to
    answer somebody far away. ``lost`` is told when a socket broke.
    """

    def __init__(
        self,
        group: Group,
        interface: Interface,
        question: TakeQuestion,
        answer: TakeAnswer,
        lost: Callable[[], None],
        journal: Journal,
    ) -> None:
        self.group = group
        self.interface = interface
        self._question = question
        self._answer = answer
        self._lost = lost
        self._journal = journal
        self._networks = [ipaddress.ip_network(address, strict=False) for address in interface.addresses]
        self._ports: list[Any] = []
        self._askers: list[tuple[str, Any]] = []

    def open(self, reactor: Any) -> None:
        """Open every socket.

        :raises OSError: if one cannot be opened; then none is.
        """
        try:
            for host in own_addresses(self.interface, self.group):
                asker = open_asker(self.group, self.interface, host)
                self._askers.append((host, self._adopt(reactor, asker, self._answer_received)))
            self._adopt(reactor, open_listener(self.group, self.interface), self._question_received)
        except OSError:
            self.close()
            raise

    def close(self) -> Deferred[Any]:
        """Close every socket; fires when they are closed."""
        ports, self._ports, self._askers = self._ports, [], []
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])

    def ask(self, datagram: bytes) -> None:
        """Send a question to the group from each address.

        :raises OSError: if it cannot be sent from one.
        """
        for _, port in self._askers:
            port.write(datagram, (self.group.host, self.group.port))

    def _adopt(self, reactor: Any, made: socket.socket, received: _Received) -> Any:
        """Hand a socket to the reactor, which keeps a duplicate of it."""
        with made:
            protocol = _Socket(received, self._socket_closed)
            port = reactor.adoptDatagramPort(made.fileno(), made.family, protocol, LONGEST_DATAGRAM)
        self._ports.append(port)
        return port

    def _socket_closed(self) -> None:
        if self._ports:  # not by us
            self._lost()

    def _question_received(self, datagram: bytes, host: str, port: int) -> None:
        if not self._is_on_link(host):
            return
        answer = self._question(datagram, host)
        if answer is None:
            return
        try:
            self._asker_near(host).write(answer, (self._scoped(host), port))
        except OSError:
            self._journal.count("lan.unsent")

    def _answer_received(self, datagram: bytes, host: str, port: int) -> None:
        if self._is_on_link(host):
            self._answer(datagram, host, self.interface.loopback)

    def _is_on_link(self, host: str) -> bool:
        on_link = is_on_link(self._networks, host)
        if not on_link:
            self._journal.count("lan.off_link")
        return on_link

    def _asker_near(self, host: str) -> Any:
        """Return the asker whose network an address is on, so that the answer too comes from there."""
        address = ipaddress.ip_address(host)
        prefixes = dict(self.interface.addresses)
        for own, port in self._askers:
            if address in ipaddress.ip_network((own, prefixes[own]), strict=False):
                return port
        return self._askers[0][1]

    def _scoped(self, host: str) -> str:
        """Return an address with its scope (RFC 4007 §11), which Twisted cuts off what it received."""
        link_local6 = ":" in host and ipaddress.ip_address(host).is_link_local
        return f"{host}%{self.interface.index}" if link_local6 else host


_Received = Callable[[bytes, str, int], None]


class _Socket(DatagramProtocol):
    """Passes on what one socket receives."""

    noisy = False

    def __init__(self, received: _Received, closed: Callable[[], None]) -> None:
        self._received = received
        self._closed = closed

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        host, port = addr
        self._received(datagram, host.partition("%")[0], port)

    def stopProtocol(self) -> None:
        self._closed()
