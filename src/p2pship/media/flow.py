"""A flow number of ours, and the relay to whose phone goes what the peer sends there.

The answers to one offer of our phone all send to the flow number that the offer showed, and nothing tells them apart.
Their relays share it: the first of them that is left takes what comes, and each packet goes to the phone once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from p2pship.interfaces import IPeer


class Outlet(Protocol):
    """From where the phone gets packets."""

    def send(self, packet: bytes) -> None:
        """Send it a packet."""


class Carrier(Protocol):
    """A relay as its flow knows it."""

    @property
    def outlets(self) -> tuple[Outlet, Outlet]:
        """From where the phone gets RTP and RTCP."""


class Flow:
    """One flow pair: RTP has the even number, RTCP the next."""

    __slots__ = ("_carriers", "_rtcp", "_rtp", "_seconds", "heard_at", "number", "packets", "peer")

    def __init__(self, peer: IPeer, seconds: Callable[[], float], carrier: Carrier) -> None:
        """Allocate a number of a peer's for a relay.

        :raises LocalError: if the peer has none left.
        """
        self.peer = peer
        self._seconds = seconds
        self._carriers = [carrier]
        self._rtp, self._rtcp = carrier.outlets
        self.heard_at = seconds()
        "when the last packet came, or the time of opening (Unix time)"
        self.packets = 0
        "those that went to the relay that takes them now"
        self.number: int = peer.open_flow(self._received)

    def carries(self, carrier: Carrier) -> bool:
        """Tell whether it is this relay that takes what comes."""
        return self._carriers[:1] == [carrier]

    def join(self, carrier: Carrier) -> None:
        """Let another relay share it."""
        self._carriers.append(carrier)

    def leave(self, carrier: Carrier) -> None:
        """Let a relay go; the next takes what comes, and after the last the number is given back."""
        was_first = self.carries(carrier)
        self._carriers.remove(carrier)
        if not self._carriers:
            self.peer.close_flow(self.number)
        elif was_first:
            self.packets = 0
            self.aim()

    def aim(self) -> None:
        """Hear that the outlets of a relay have changed."""
        self._rtp, self._rtcp = self._carriers[0].outlets

    def _received(self, flow: int, packet: bytes) -> None:
        self.heard_at = self._seconds()
        self.packets += 1
        if flow & 1:
            self._rtcp.send(packet)
        else:
            self._rtp.send(packet)
