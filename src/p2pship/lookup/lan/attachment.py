"""One interface as the LAN lookup uses it with one group: a listener, and a socket on each address to ask from."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from p2pship.journal import Journal
from p2pship.lookup.lan.port import LANPort
from p2pship.lookup.lan.sockets import Group, is_on_link, open_asker, open_listener, own_addresses
from p2pship.network import Interface

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
        self._ports: list[LANPort] = []
        self._askers: list[tuple[str, LANPort]] = []

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

    def close(self) -> None:
        """Close every socket; harmless when repeated."""
        for port in self._ports:
            port.close()
        self._ports, self._askers = [], []

    def ask(self, datagram: bytes) -> None:
        """Send a question to the group from each address.

        :raises OSError: if it cannot be sent from one.
        """
        for _, port in self._askers:
            port.write(datagram, (self.group.host, self.group.port))

    def _adopt(
        self, reactor: Any, made: socket.socket, received: Callable[[bytes, str, int], None]
    ) -> LANPort:
        port = LANPort(reactor, made, received, self._lost)
        self._ports.append(port)
        return port

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

    def _asker_near(self, host: str) -> LANPort:
        """Return the asker whose network an address is on, so that the answer too comes from there."""
        address = ipaddress.ip_address(host)
        prefixes = dict(self.interface.addresses)
        for own, port in self._askers:
            if address in ipaddress.ip_network((own, prefixes[own]), strict=False):
                return port
        return self._askers[0][1]

    def _scoped(self, host: str) -> str:
        """Return an address with its scope (RFC 4007 §11), which is cut off what is received."""
        link_local6 = ":" in host and ipaddress.ip_address(host).is_link_local
        return f"{host}%{self.interface.index}" if link_local6 else host
