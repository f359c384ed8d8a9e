"""HIP and ESP in IP itself: protocols 139 and 50, where this program may open raw sockets (RFC 7401 §5.1, RFC 7402 §3.2)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from p2pship.bearer.datagramport import Address, DatagramPort, Party, set_options
from p2pship.bearer.hip.numbers import ESP_PROTOCOL, PROTOCOL
from p2pship.journal import Journal

_WORD = 4


class RawPort(DatagramPort):
    """The two raw sockets of one of our addresses: this one carries ESP, :attr:`control` the control packets."""

    def __init__(
        self,
        reactor: Any,
        host: str,
        parties: dict[bytes, Party],
        stray: Callable[[bytes, Address, DatagramPort], None],
        control: Callable[[bytes, Address, RawPort], None],
        journal: Journal,
    ) -> None:
        """Open both.

        :raises OSError: if they cannot be had, as without the right to.
        """
        opened = _open(host, PROTOCOL)
        try:
            esp = _open(host, ESP_PROTOCOL)
        except OSError:
            opened.close()
            raise
        super().__init__(reactor, esp, parties, stray, journal)
        self.control = DatagramPort(
            reactor, opened, {}, lambda datagram, source, _: control(datagram, source, self), journal
        )
        for port in (self, self.control):
            port.number = 0
            if not port.ipv6:
                port.receive = _without_header(port.receive)

    def close(self) -> None:
        """Close both; harmless when repeated."""
        super().close()
        self.control.close()


def _open(host: str, protocol: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_RAW, protocol)
    try:
        set_options(opened)
        opened.bind((host, 0))
    except OSError:
        opened.close()
        raise
    return opened


def _without_header(
    receive: Callable[[int], tuple[bytes, Address]],
) -> Callable[[int], tuple[bytes, Address]]:
    """Return a call that leaves out the IPv4 header, which raw sockets give as well (raw(7)); with IPv6 they do not."""

    def received(size: int) -> tuple[bytes, Address]:
        datagram, source = receive(size)
        return datagram[(datagram[0] & 0x0F) * _WORD :], source

    return received
