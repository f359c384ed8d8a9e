"""The UDP port towards phones: lets the other sockets have their turn however much comes, and speaks IPv4 by IPv6."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.udp import Port

from p2pship.datagrams import read_waiting


class DatagramPort(Port):
    """A UDP port of the framework, with a reading loop that counts datagrams.

    One that listens at ``::`` hears IPv4, too, and answers it.
    """

    socket: Any
    maxPacketSize: int
    protocol: Any

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send to an address literal; from an IPv6 socket, to an IPv4 address in the form for that (RFC 4291 §2.5.5.2).

        The framework's own method looks at each address three times.

        :raises OSError: if it cannot be sent.
        :raises ValueError: if it is an IPv6 address, and the socket is not.
        """
        assert addr is not None
        host, port = addr
        if self.addressFamily == socket.AF_INET6:
            host = host if ":" in host else f"::ffff:{host}"
        elif ":" in host:
            raise ValueError(f"{host} is no IPv4 address")
        try:
            self.socket.sendto(datagram, (host, port))
        except ConnectionRefusedError:
            return  # that was an earlier datagram

    def doRead(self) -> None:
        """Take the datagrams that have come, some of them if they are many."""
        read_waiting(self.socket, self.maxPacketSize, self._take)

    def _take(self, datagram: bytes, source: tuple[Any, ...]) -> None:
        self.protocol.datagramReceived(datagram, source[:2])
