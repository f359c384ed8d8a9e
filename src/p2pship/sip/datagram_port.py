"""The UDP port towards phones: lets the other sockets have their turn however much comes, and speaks IPv4 by IPv6."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.udp import Port
from twisted.logger import Logger

MOST_READ = 256
"""Datagrams read before other sockets have their turn: 2 ms of work at most. The framework's own port counts octets, of
which a flood of empty datagrams has none."""


class DatagramPort(Port):
    """A UDP port of the framework, with a reading loop that counts datagrams.

    One that listens at ``::`` hears IPv4, too, and answers it.
    """

    log = Logger()

    socket: Any
    maxPacketSize: int
    protocol: Any

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send to an address; from an IPv6 socket, to an IPv4 address in the form for that (RFC 4291 §2.5.5.2)."""
        if addr is not None and self.addressFamily == socket.AF_INET6 and ":" not in addr[0]:
            addr = f"::ffff:{addr[0]}", addr[1]
        super().write(datagram, addr)

    def doRead(self) -> None:
        """Take the datagrams that have come, at most :data:`MOST_READ`."""
        receive, size, take = self.socket.recvfrom, self.maxPacketSize, self.protocol.datagramReceived
        for _ in range(MOST_READ):
            try:
                datagram, source = receive(size)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error for what was sent before: it says nothing of what comes
                continue
            try:
                take(datagram, source[:2])
            except Exception:  # noqa: BLE001 (one datagram must not keep the others from being read)
                self.log.failure("a datagram could not be taken")
