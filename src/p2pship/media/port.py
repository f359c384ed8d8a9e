"""One UDP port towards a phone: its packets go to a flow of the peer, the flow's packets go to the phone.

This is the code that runs for every packet of every call. It has a receive loop of its own, because that carries a third more
than Twisted's DatagramProtocol (``python -m bench media``), and it never looks into a packet: SRTP, DTLS, any codec and
video pass as they are.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import HostPort
from p2pship.journal import Journal
from p2pship.media.latch import Latch

LARGEST_PACKET = 65535
"No UDP datagram is larger, so none is ever cut; asking for so much costs no more than asking for a packet's size."

BATCH = 32
"Packets taken before the other ports have their turn: enough that a burst is cheap, and 0.2 ms of work at most."


def bind(host: str, port: int) -> socket.socket:
    """Open a UDP socket; the operating system then lets no other process have the same port.

    :raises OSError: if the port is taken, the address is not this machine's, or no file descriptor is left.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


@implementer(IReadDescriptor)
class MediaPort:
    """The RTP or the RTCP half of a relay. Everything that it forwards is counted in plain integers."""

    def __init__(
        self,
        reactor: IReactorFDSet,
        opened: socket.socket,
        latch: Latch,
        cast: Callable[[int, bytes], None],
        journal: Journal,
    ) -> None:
        """Take over an open socket.

        :param latch: decides whose packets are taken
        :param cast: called with the flow number and the packet for each packet of the phone's
        """
        self._reactor = reactor
        self._seconds = IReactorTime(reactor).seconds
        self._socket = opened
        self._latch = latch
        self._cast = cast
        self._journal = journal
        self._phone: Any = None  # the socket's own form of the address that was admitted last
        self._target: tuple[str, int] | None = None
        self._shown: HostPort | None = None
        self.flow: int | None = None
        "the peer's flow number for what the phone sends; None drops it"
        self.number: int = opened.getsockname()[1]
        "the UDP port's number"
        self._log_prefix = f"media port {self.number}"
        self.heard_at = self._seconds()
        "when the phone's last packet came, or the time of opening (Unix time)"
        self.taken = 0
        "packets that came from the phone"
        self.sent = 0
        "packets that went to the phone"
        self.strangers = 0
        "packets that came from somebody else, and were dropped"
        reactor.addReader(self)

    def show(self, address: HostPort | None) -> None:
        """Send to the address of the phone's SDP from now on; None sends nothing, but still takes what comes."""
        self._shown = address
        if address is not None:
            self._latch.show(address, self._seconds())
            self._phone = None
        self._aim()

    def send(self, packet: bytes) -> None:
        """Send a packet to the phone; one that the system does not take is dropped and counted."""
        target = self._target
        if target is None:
            return
        try:
            self._socket.sendto(packet, target)
        except OSError:  # no buffer, nobody there, no route, too large: the next packet may do better
            self._journal.count("media.unsent")
        else:
            self.sent += 1

    def doRead(self) -> None:
        """Take the packets that have come, at most :data:`BATCH`."""
        receive = self._socket.recvfrom
        for _ in range(BATCH):
            try:
                packet, source = receive(LARGEST_PACKET)
            except BlockingIOError:
                return
            except OSError:
                self._journal.count("media.unread")
                return
            if source == self._phone or self._admits(source):
                self._take(packet)

    def _take(self, packet: bytes) -> None:
        self.heard_at = self._seconds()
        self.taken += 1
        if self.flow is not None:
            self._cast(self.flow, packet)

    def _admits(self, source: Any) -> bool:
        if not self._latch.admits(source[0], source[1], self._seconds()):
            self.strangers += 1
            self._journal.count("media.stranger")
            return False
        self._phone = source
        self._aim()
        return True

    def _aim(self) -> None:
        """Settle where packets go; an address of the other family cannot be sent to, and is not tried each time."""
        target = self._latch.target
        reachable = target is not None and (":" in target.host) == (self._socket.family == socket.AF_INET6)
        self._target = (target.host, target.port) if target and self._shown and reachable else None

    def close(self) -> None:
        """Close the port; harmless when repeated."""
        self._target = self.flow = None
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
        """Return the name under which the reactor logs for this port; it asks for it at every turn."""
        return self._log_prefix
