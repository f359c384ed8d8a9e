"""One UDP socket of a lookup in the reactor, whatever it carries."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.datagrams import read_waiting


@implementer(IReadDescriptor)
class LookupPort(ABC):
    """Reads an open socket, however much comes, so that the node goes on; who extends it takes the datagrams.

    ``longest`` octets are read of a datagram: one more than the longest message has, so that a longer one is seen to be wrong.
    """

    def __init__(self, reactor: IReactorFDSet, opened: socket.socket, longest: int, name: str) -> None:
        """Take over an open socket; the reactor logs under ``name``."""
        self._reactor = reactor
        self._socket = opened
        self._longest = longest
        self._name = name
        reactor.addReader(self)

    def close(self) -> None:
        """Close the socket; harmless when repeated."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()

    def doRead(self) -> None:
        """Take the datagrams that have come, some of them if they are many."""
        read_waiting(self._socket, self._longest, self._take)

    def fileno(self) -> int:
        """Return the socket's file descriptor, -1 when it is closed."""
        return self._socket.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """Close, because the reactor stops or the descriptor is no good."""
        self.close()

    def logPrefix(self) -> str:
        """Return the name under which the reactor logs for it."""
        return self._name

    @abstractmethod
    def _take(self, datagram: bytes, source: Any) -> None:
        """Take a datagram that came from ``source``, as the socket says it."""


def host_of(source: Any) -> str:
    """Return the host of where a datagram came from, without scope."""
    host: str = source[0].partition("%")[0]
    return host
