"""The flow numbers of a peer: which of our receivers gets which of the media packets that come."""

from __future__ import annotations

from collections.abc import Callable

from p2pship.errors import LocalError

FIRST, LAST = 2, 65_534
"Flow numbers are even, like RTP ports (RFC 3550 §11), so that the SDP of a link can show them as ports; 0 means refused."

Receiver = Callable[[int, bytes], None]


class Flows:
    """Allocates flow numbers; each belongs to its receiver together with the odd number after it."""

    def __init__(self) -> None:
        self.receivers: dict[int, Receiver] = {}
        "who gets the packets of a flow number: looked up for each packet"
        self._last = LAST

    def open(self, receiver: Receiver) -> int:
        """Return a number for a receiver: the next after the last one given, so that one given back rests for long.

        :raises LocalError: if all are in use.
        """
        if len(self.receivers) > LAST - FIRST:
            raise LocalError("all flow numbers of this peer are in use")
        flow = self._next(self._last)
        while flow in self.receivers:
            flow = self._next(flow)
        self._last = flow
        self.receivers[flow] = self.receivers[flow + 1] = receiver
        return flow

    def close(self, flow: int) -> None:
        """Give a number back; harmless when it is not in use."""
        if flow % 2 == 0 and flow in self.receivers:
            del self.receivers[flow], self.receivers[flow + 1]

    @staticmethod
    def _next(flow: int) -> int:
        return flow + 2 if flow < LAST else FIRST
