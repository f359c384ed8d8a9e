"""Listening for TCP on several addresses with one port number."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

from p2pship.errors import LocalError

BACKLOG = 128
"Connections that the kernel accepts ahead of us; Linux takes no more by default before 5.4."

NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"The machine has no such address, or no IPv6 at all: the others are still listened on."

log = Logger()


class NoSuchAddress(LocalError):
    """This machine has none of the addresses to listen on."""

    def __init__(self, name: str, hosts: Sequence[str]) -> None:
        """Name the bearer and the addresses that its section has; there are none if that says all, and the machine has none."""
        super().__init__(
            f"this machine has none of the addresses {', '.join(hosts)} to listen on: name others as listen in [bearer.{name}], "
            "or leave it out for all"
            if hosts
            else f"this machine has no address to listen on for [bearer.{name}]: its network is down, loopback too (ip link set lo up)"
        )


def listen_everywhere(
    reactor: Any, name: str, hosts: Sequence[str], port: int, factory: IProtocolFactory
) -> tuple[IListeningPort, ...]:
    """Listen on each of these addresses with the same port number (0: any that is free), and return the listeners.

    An address that this machine does not have is passed over with a line in the log, unless it has none of them; ``name`` is the
    bearer's.

    :raises CannotListenError: if the port is taken on one of them; nothing is listened on then.
    :raises NoSuchAddress: if this machine has none of them: another port would not help.
    """
    sockets: list[socket.socket] = []
    missing: list[str] = []
    try:
        for host in hosts:
            if not _bind(host, port, sockets):
                missing.append(host)
            port = sockets[0].getsockname()[1] if sockets else port
        if not sockets:
            raise NoSuchAddress(name, hosts)
        if missing:
            log.warn("does not listen on {hosts}, which this machine does not have", hosts=", ".join(missing))
        return tuple(reactor.adoptStreamPort(each.fileno(), each.family, factory) for each in sockets)
    finally:
        for each in sockets:
            each.close()  # the reactor has a duplicate


def port_of(listeners: Sequence[Any]) -> int:
    """Return the port number that they have in common."""
    return int(listeners[0].getHost().port)


def _bind(host: str, port: int, sockets: list[socket.socket]) -> bool:
    """Add a listening socket; returns whether this machine has the address."""
    try:
        sockets.append(_listening_socket(host, port))
    except OSError as error:
        if error.errno not in NOT_HERE:
            raise CannotListenError(host, port, error) from None
        return False
    return True


def _listening_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # else :: would take the IPv4 port too, and 0.0.0.0 be refused
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setblocking(False)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made
