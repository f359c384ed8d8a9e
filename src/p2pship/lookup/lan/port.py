"""One socket of the LAN lookup in the reactor."""

from __future__ import annotations

import socket
from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.datagrams import read_waiting
from p2pship.lookup.lan.wire import QUESTION_LENGTH

LONGEST_DATAGRAM = QUESTION_LENGTH + 1
"Octets read of a datagram: one more than the longest message has, so that a longer one is seen to be wrong."


@implementer(IReadDescriptor)
class LANPort:
    """Passes on what a socket receives, with the sender's address, without scope, and port; however much comes, the node goes on.

    ``lost`` is told when the socket broke, not when it is closed.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        opened: socket.socket,
        received: Callable[[bytes, str, int], None],
        lost: Callable[[], None],
    ) -> None:
        """Take over an open socket."""
        self._reactor = reactor
        self._socket = opened
        self._received = received
        self._lost = lost
        reactor.addReader(self)

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        """Send to an address, which may have a scope (RFC 4007 §11).

        :raises OSError: if it cannot be sent.
        """
        self._socket.sendto(datagram, address)

    def close(self) -> None:
        """Close the socket; harmless when repeated."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()

    def doRead(self) -> None:
        """Take the datagrams that have come, some of them if they are many."""
        read_waiting(self._socket, LONGEST_DATAGRAM, self._take)

    def fileno(self) -> int:
        """Return the socket's file descriptor, -1 when it is closed."""
        return self._socket.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """Close, because the reactor stops or the descriptor is no good, and tell it."""
        self.close()
        self._lost()

    def logPrefix(self) -> str:
        """Return the name under which the reactor logs for this port."""
        return "LAN lookup"

    def _take(self, datagram: bytes, source: tuple[str, int]) -> None:
        self._received(datagram, source[0].partition("%")[0], source[1])
