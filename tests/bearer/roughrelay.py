"""A relay between UDP sockets on loopback, which does to datagrams what bad networks and bad people do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import DatagramProtocol

HOST = "127.0.0.1"

Fate = Callable[[bytes], list[tuple[float, bytes]]]
"What becomes of a datagram: what arrives instead of it, after how many seconds."


def untouched(datagram: bytes) -> list[tuple[float, bytes]]:
    """Let a datagram pass."""
    return [(0.0, datagram)]


class _Side(DatagramProtocol):
    """One of the relay's sockets."""

    noisy = False
    transport: Any

    def __init__(self, heard: Callable[[bytes, Any], None]) -> None:
        self._heard = heard

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self._heard(datagram, addr)


class RoughRelay:
    """Relays between whoever speaks to ``port`` first and a port on loopback; ``there`` and ``back`` are the fates."""

    def __init__(self, clock: Any, target: int) -> None:
        """Open it; ``clock`` also makes the sockets."""
        self._clock = clock
        self._target = (HOST, target)
        self._client: Any = None
        self._open_now = True
        self._delayed: list[Any] = []
        self._sockets: list[Any] = []
        self.there: Fate = untouched
        self.back: Fate = untouched
        self.said: list[bytes] = []
        "what came from the client"
        self.answered: list[bytes] = []
        "what came from the target"
        self._front = _Side(self._from_client)
        self.port = self._open(self._front)
        self.move()

    def _open(self, side: _Side) -> int:
        opened = self._clock.listenUDP(0, side, interface=HOST)
        self._sockets.append(opened)
        return int(opened.getHost().port)

    def move(self) -> int:
        """Speak to the target from another port from now on, as a router may; returns that port."""
        self._rear = _Side(self._from_target)
        return self._open(self._rear)

    def _from_client(self, datagram: bytes, source: Any) -> None:
        self._client = source
        self.said.append(datagram)
        for delay, changed in self.there(datagram):
            self._after(delay, self.to_target, changed)

    def _from_target(self, datagram: bytes, _source: Any) -> None:
        self.answered.append(datagram)
        for delay, changed in self.back(datagram):
            self._after(delay, self.to_client, changed)

    def _after(self, delay: float, call: Callable[[bytes], None], datagram: bytes) -> None:
        if delay:
            self._delayed = [each for each in self._delayed if each.active()]
            self._delayed.append(self._clock.callLater(delay, call, datagram))
        else:
            call(datagram)

    def to_target(self, datagram: bytes) -> None:
        """Send a datagram to the target."""
        if self._open_now:
            self._rear.transport.write(datagram, self._target)

    def to_client(self, datagram: bytes) -> None:
        """Send a datagram to whoever spoke last."""
        if self._open_now and self._client is not None:
            self._front.transport.write(datagram, self._client)

    def close(self) -> None:
        """Close all sockets; what is still on its way is lost."""
        self._open_now = False
        for each in self._delayed:
            if each.active():
                each.cancel()
        for opened in self._sockets:
            opened.stopListening()
