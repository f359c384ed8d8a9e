"""Somebody between two nodes, who passes on, or does not, what they say over TCP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

HOST = "127.0.0.1"

Tamper = Callable[[bool, bytes], bytes]
"Returns what is passed on in place of octets; the first argument tells whether they go to the listener."


class Between:
    """Listens where the dialler thinks that the listener is, and dials that one for each connection.

    ``port`` is where it listens. ``tamper`` may be exchanged at any time.
    """

    def __init__(self, reactor: Any, target: Callable[[], int]) -> None:
        """Pass on to the port that ``target`` returns when a connection comes."""
        self.reactor = reactor
        self.target = target
        self.tamper: Tamper = lambda _forth, data: data
        self.forth = b""
        "all that diallers said"
        self.back = b""
        "all that the listener said"
        self.sides: list[_Side] = []
        "those of the last connection: the dialler's, the listener's"
        self._listening: Any = reactor.listenTCP(0, _Sides(self._meet), interface=HOST)
        self.port = int(self._listening.getHost().port)

    def _meet(self) -> _Side:
        near, far = _Side(self, True), _Side(self, False)
        near.other, far.other = far, near
        self.sides = [near, far]
        return near

    def passed(self, forth: bool, data: bytes) -> bytes:
        """Note octets, and return what is passed on."""
        if forth:
            self.forth += data
        else:
            self.back += data
        return self.tamper(forth, data)

    def say(self, forth: bool, data: bytes) -> None:
        """Say something of one's own on the last connection."""
        self.sides[forth].transport.write(data)

    def stop(self) -> Any:
        """Take no more connections, and cut those that are there."""
        for side in self.sides:
            side.cut()
        return self._listening.stopListening()


class _Sides(ClientFactory):
    """Gives each connection its side."""

    noisy = False

    def __init__(self, give: Callable[[], _Side]) -> None:
        self._give = give

    def buildProtocol(self, addr: object) -> Protocol:
        return self._give()


class _Side(Protocol):
    """A connection with one of the two."""

    transport: Any = None
    other: _Side

    def __init__(self, between: Between, near: bool) -> None:
        self._between = between
        self._near = near
        self._early = b""

    def connectionMade(self) -> None:
        if self._near:
            sides = _Sides(lambda: self.other)
            self._between.reactor.connectTCP(HOST, self._between.target(), sides)
        self.transport.write(self._early)

    def write(self, data: bytes) -> None:
        """Say something, as soon as there is a connection."""
        if self.transport is None:
            self._early += data
        else:
            self.transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        self.other.write(self._between.passed(self._near, data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.other.transport is not None:
            self.other.transport.loseConnection()

    def cut(self) -> None:
        """End it at once."""
        if self.transport is not None:
            self.transport.abortConnection()
