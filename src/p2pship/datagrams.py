"""Reads a UDP socket a bounded number of datagrams at a time, so that a flood to one socket leaves the others their turn."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

MOST_READ = 256
"""Datagrams read before other sockets have their turn: 2 ms of work at most. The framework's own port counts octets, of
which a flood of empty datagrams has none."""

log = Logger()


def read_waiting(opened: socket.socket, longest: int, take: Callable[[bytes, Any], None]) -> None:
    """Hand the datagrams that wait at a socket, at most :data:`MOST_READ`, to ``take``, each with its source.

    :param longest: octets that are read of each; what is longer is cut.
    """
    receive = opened.recvfrom
    for _ in range(MOST_READ):
        try:
            datagram, source = receive(longest)
        except BlockingIOError:
            return
        except OSError:  # an ICMP error for what was sent before: it says nothing of what comes
            if opened.fileno() < 0:  # or closed by whoever took the datagram before
                return
            continue
        try:
            take(datagram, source)
        except Exception:  # noqa: BLE001 (one datagram must not keep the others from being read)
            log.failure("a datagram could not be taken")
