"""One phone's place at a UDP port: what comes from it goes to a flow of the peer, what is for it goes to its address.

A port has one place, but for the phones behind a proxy that all answer the same offer: they were shown the same port, and
each has a place of its own there (:class:`~p2pship.media.port.Guest`).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from p2pship.address import HostPort
from p2pship.journal import Journal
from p2pship.media.latch import Latch


class Place:
    """Everything of a port but its receive loop. What it forwards is counted in plain integers."""

    def __init__(
        self,
        opened: socket.socket,
        latch: Latch,
        cast: Callable[[int, bytes], None],
        journal: Journal,
        seconds: Callable[[], float],
    ) -> None:
        """Send from an open socket.

        :param latch: decides whose packets are taken
        :param cast: called with the flow number and the packet for each packet of the phone's
        """
        self._socket = opened
        self._latch = latch
        self._cast = cast
        self._journal = journal
        self._seconds = seconds
        self._phone: Any = None  # the socket's own form of the address that was admitted last
        self._target: tuple[str, int] | None = None
        self._shown: HostPort | None = None
        self.flow: int | None = None
        "the peer's flow number for what the phone sends; None drops it"
        host, number = opened.getsockname()[:2]
        self._is_ipv6 = ":" in host
        self.number: int = number
        "the UDP port's number"
        self.heard_at = seconds()
        "when the phone's last packet came, or the time of opening (Unix time)"
        self.taken = 0
        "packets that came from the phone"
        self.sent = 0
        "packets that went to the phone"
        self.strangers = 0
        "packets that came from somebody else, and were dropped"

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

    def take(self, packet: bytes) -> None:
        """Pass on a packet of the phone's."""
        self.heard_at = self._seconds()
        self.taken += 1
        if self.flow is not None:
            self._cast(self.flow, packet)

    def knows(self, source: Any) -> bool:
        """Tell whether this is an address of the phone's already, by its SDP or by what came from there."""
        return self._latch.knows(source[0], source[1])

    def admits(self, source: Any) -> bool:
        """Tell whether a packet from there is the phone's, and lock or latch to it if so."""
        if not self._latch.admits(source[0], source[1], self._seconds()):
            return False
        self._phone = source
        self._aim()
        return True

    def vacate(self) -> None:
        """Take and send nothing any more."""
        self._target = self.flow = self._phone = None

    def _aim(self) -> None:
        """Settle where packets go; an address of the other family cannot be sent to, and is not tried each time."""
        target = self._latch.target
        reachable = target is not None and (":" in target.host) == self._is_ipv6
        self._target = (target.host, target.port) if target and self._shown and reachable else None
