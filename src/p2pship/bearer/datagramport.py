"""A UDP port that many links share: reads in batches, finds each datagram's link, and sends.

It has a receive loop of its own, for the reason that a media port has one. After each batch every link that got
something is asked to send what it has to say to that, so that one acknowledgement answers a whole batch.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Any, Protocol

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import HostPort, canonical_host
from p2pship.bearer.listening import NOT_HERE, NoSuchAddress
from p2pship.bearer.udpwire import ID_SIZE
from p2pship.journal import Journal

LARGEST = 65_535
"No UDP datagram is larger, so none is ever cut."

BATCH = 32
"Datagrams taken before the other descriptors have their turn."

RECEIVE_BUFFER = 4_194_304
"Octets asked of the kernel: all links share it, and it has to last while the reactor does something else."

SEND_BUFFER = 1_048_576
"Octets asked of the kernel for what leaves."

_NO_FRAGMENTS = ((socket.IPPROTO_IP, 10, 3), (socket.IPPROTO_IPV6, 23, 3))
"""IP_MTU_DISCOVER and IPV6_MTU_DISCOVER set to IP_PMTUDISC_PROBE (ip(7), ipv6(7)): never fragment, and believe no ICMP message
that anybody may have sent about sizes (RFC 8899 §4.6)."""

_int = struct.Struct("i")

Address = Any
"An address as the socket gives and takes it: a tuple of two, or of four with IPv6."


class Party(Protocol):
    """Who gets the datagrams with a connection id."""

    def datagram_arrived(self, datagram: bytes, source: Address, port: DatagramPort) -> None:
        """Take a datagram; whoever sent it is not proven yet."""

    def batch_ended(self) -> None:
        """Hear that all of a batch that had something for it were delivered."""


def address_of(source: Address) -> HostPort:
    """Return a socket's address in the form that the rest of the node uses."""
    return HostPort(canonical_host(source[0]), source[1])


def socket_address(host: str, port: int) -> Address:
    """Return an address as the socket will give it for what comes from there."""
    return (host, port, 0, 0) if ":" in host else (host, port)


@implementer(IReadDescriptor)
class DatagramPort:
    """One socket. ``parties`` has who gets what; what nobody gets goes to ``stray``."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorFDSet,
        opened: socket.socket,
        parties: dict[bytes, Party],
        stray: Callable[[bytes, Address, DatagramPort], None],
        journal: Journal,
    ) -> None:
        """Take over an open socket."""
        self._reactor = reactor
        self._socket = opened
        self._parties = parties
        self._stray = stray
        self._journal = journal
        self.ipv6 = opened.family == socket.AF_INET6
        "whether its addresses are of IPv6"
        self.host, self.number = opened.getsockname()[:2]
        self.send: Callable[[bytes, Address], int] = opened.sendto
        "sends a datagram to an address; raises OSError, and BlockingIOError when there is no room"
        self.receive: Callable[[int], tuple[bytes, Address]] = opened.recvfrom
        "returns the next datagram of at most so many octets; raises OSError, and BlockingIOError when there is none"
        reactor.addReader(self)

    def doRead(self) -> None:
        """Take the datagrams that have come, at most :data:`BATCH`."""
        receive, parties = self.receive, self._parties
        heard: set[Party] = set()
        for _ in range(BATCH):
            try:
                datagram, source = receive(LARGEST)
            except BlockingIOError:
                break
            except OSError:  # an error of an earlier sending: the next datagram may be well
                self._journal.count("udp.unread")
                break
            party = parties.get(datagram[:ID_SIZE])
            try:
                if party is None:
                    self._stray(datagram, source, self)
                    continue
                heard.add(party)
                party.datagram_arrived(datagram, source, self)
            except Exception:  # noqa: BLE001 (a bug met by one link's datagram must not close the port of all)
                self.log.failure("a datagram could not be handled")
        for party in heard:
            try:
                party.batch_ended()
            except Exception:  # noqa: BLE001 (as above)
                self.log.failure("what came in a batch could not be answered")

    def taken(self) -> float:
        """Return how much of the room for what leaves is taken, of 1; 0 where the system does not tell (udp(7), SIOCOUTQ)."""
        try:
            (waiting,) = _int.unpack(ioctl(self._socket, TIOCOUTQ, bytes(_int.size)))
        except OSError:
            return 0.0
        return float(waiting / self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))

    def close(self) -> None:
        """Close the port; harmless when repeated."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()

    def fileno(self) -> int:
        """Return the socket's file descriptor, -1 when it is closed."""
        return self._socket.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """Close, because the reactor stops or the descriptor is no good."""
        self.close()

    def logPrefix(self) -> str:
        """Return the name under which the reactor logs for this port."""
        return "links over UDP"


log = Logger()


def bind_everywhere(name: str, hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Open a UDP socket on each of these addresses with the same port number (0: any that is free).

    An address that this machine does not have is passed over with a line in the log, unless it has none of them; ``name`` is the
    bearer's.

    :raises CannotListenError: if the port is taken on one of them; nothing is open then.
    :raises NoSuchAddress: if this machine has none of them.
    """
    opened: list[socket.socket] = []
    missing: list[str] = []
    try:
        for host in hosts:
            try:
                opened.append(bind(host, port))
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise CannotListenError(host, port, error) from None
                missing.append(host)
            port = opened[0].getsockname()[1] if opened else port
    except CannotListenError:
        for each in opened:
            each.close()
        raise
    if not opened:
        raise NoSuchAddress(name, hosts)
    if missing:
        log.warn("does not listen on {hosts}, which this machine does not have", hosts=", ".join(missing))
    return opened


def bind(host: str, port: int) -> socket.socket:
    """Open a UDP socket that never sends fragments.

    :raises OSError: if it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:  # else :: would take the IPv4 port too, and 0.0.0.0 be refused
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        set_options(opened)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


def set_options(opened: socket.socket) -> None:
    """Set what every socket for links has: large buffers, no blocking, no fragments."""
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if sys.platform == "linux":
        with suppress(OSError):  # then datagrams are cut on the way, which is slower and less sure
            opened.setsockopt(*_NO_FRAGMENTS[opened.family == socket.AF_INET6])


def send_or_lose(port: DatagramPort, datagram: bytes, address: Address, journal: Journal) -> None:
    """Send a datagram; if the system does not take it, it is lost as others are, and counted."""
    try:
        port.send(datagram, address)
    except OSError:
        journal.count("udp.unsent")


def is_too_large(error: OSError) -> bool:
    """Tell whether a datagram could not be sent because the first network on its way does not carry it."""
    return error.errno == errno.EMSGSIZE
