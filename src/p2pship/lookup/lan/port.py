"""One socket of the LAN lookup in the reactor."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from twisted.python.failure import Failure

from p2pship.lookup.lan.wire import QUESTION_LENGTH
from p2pship.lookup.port import LookupPort, host_of


class LANPort(LookupPort):
    """Passes on what a socket receives, with the sender's address, without scope, and port.

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
        super().__init__(reactor, opened, QUESTION_LENGTH + 1, "LAN lookup")
        self._received = received
        self._lost = lost

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        """Send to an address, which may have a scope (RFC 4007 §11).

        :raises OSError: if it cannot be sent.
        """
        self._socket.sendto(datagram, address)

    def connectionLost(self, reason: Failure) -> None:
        """Close, because the reactor stops or the descriptor is no good, and tell it."""
        super().connectionLost(reason)
        self._lost()

    def _take(self, datagram: bytes, source: Any) -> None:
        self._received(datagram, host_of(source), source[1])
