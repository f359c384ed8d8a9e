"""SIP over UDP: the socket that phones send to, and a phone as a next hop."""

from __future__ import annotations

import errno
from collections.abc import Callable, Hashable

from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from p2pship.address import HostPort, is_loopback
from p2pship.errors import RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.sip.message import Message, Response
from p2pship.sip.way_back import way_back

LONGEST_KEEP_ALIVE = 4
"octets of a datagram that is too short to be anything but a keep-alive (RFC 5626 §3.5, and phones that send zeros)"

_SOCKET_IS_FULL = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})


class NotSent(RemoteError):
    """The message could not be sent."""


class DatagramSocket(DatagramProtocol):
    """The UDP socket towards phones."""

    def __init__(
        self,
        received: Callable[[bytes, tuple[str, int]], None],
        journal: Journal,
        trusts_loopback: bool = True,
    ) -> None:
        """``received`` gets each datagram that may be a message, and its source."""
        self._received = received
        self._journal = journal
        self.trusts_loopback = trusts_loopback
        "whether phones on this machine need no proof here"

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Take a datagram from the reactor."""
        if len(datagram) > LONGEST_KEEP_ALIVE and (datagram[0] not in b"\r\n" or datagram.strip(b"\r\n")):
            self._received(datagram, addr)

    def send(self, datagram: bytes, to: HostPort) -> None:
        """Send a datagram. A socket that is full loses it, as a network would.

        :raises NotSent: if it cannot be sent there at all.
        """
        if self.transport is None:
            raise NotSent("the UDP socket is closed")
        try:
            self.transport.write(datagram, (to.host, to.port))
        except OSError as error:
            if error.errno not in _SOCKET_IS_FULL:
                raise NotSent(f"cannot send to {to} over UDP: {error.strerror}") from None
            self._journal.count("sip.udp_full")
        except ValueError as error:  # an address of the other family
            raise NotSent(f"cannot send to {to} over UDP: {error}") from None


def _no_stream(_: HostPort) -> None:
    """Say that there is no TCP."""


@implementer(ISIPHop)
class UDPHop:
    """A phone's address. A response goes where its Via says, which may be another port (RFC 3261 §18.2.2)."""

    __slots__ = ("_own", "_socket", "_stream", "address")

    reliable = False
    transport = "UDP"

    def __init__(
        self,
        socket: DatagramSocket,
        address: HostPort,
        own: Callable[[str], HostPort],
        stream: Callable[[HostPort], ISIPHop | None] = _no_stream,
    ) -> None:
        """``own`` tells this node's own address towards a host, ``stream`` gives the hop to an address over TCP."""
        self._socket = socket
        self.address = address
        self._own = own
        self._stream = stream

    @property
    def stream(self) -> ISIPHop | None:
        """The same phone over TCP, for a request that is too large for a datagram; None if it takes no connection."""
        return self._stream(self.address)

    @property
    def sent_by(self) -> str:
        """The sent-by of this node's Via towards the phone."""
        return str(self._own(self.address.host))

    @property
    def description(self) -> str:
        """What it is, for people."""
        return f"phone udp {self.address}"

    @property
    def trusted(self) -> bool:
        """Whether the phone is on this machine, and that is proof enough."""
        return self._socket.trusts_loopback and is_loopback(self.address.host)

    @property
    def key(self) -> Hashable:
        """What names the phone's address."""
        return "udp", self.address.host, self.address.port

    def send(self, message: Message) -> None:
        """Send at once.

        :raises NotSent: if it cannot be sent.
        :raises BadMessage: if it is a response without a Via.
        """
        to = way_back(message, self.address) if isinstance(message, Response) else self.address
        self._socket.send(message.encode(), to)
