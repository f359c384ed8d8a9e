"""What has passed over an association, over all its keys: what its report says of octets, packets and losses."""

from __future__ import annotations

from p2pship.bearer.hip.esp import Forged, Inbound, Outbound, Replayed
from p2pship.errors import RemoteError


class Traffic:
    """Adds up the counters of security associations, which count by themselves; those that are over are added once."""

    __slots__ = (
        "_inbound",
        "_lost",
        "_outbound",
        "_received",
        "_sent",
        "forged",
        "moved_at",
        "moves",
        "replayed",
    )

    def __init__(self) -> None:
        self._inbound: dict[int, Inbound] = {}
        self._outbound: Outbound | None = None
        self._received = self._lost = self._sent = 0
        self.replayed = 0
        "packets that came twice, or far too late"
        self.forged = 0
        "packets that were not from the other side, or were altered"
        self.moves = 0
        "how often it went on along another path"
        self.moved_at = 0.0
        "when it did last (Unix time); 0 if never"

    def moved(self, now: float) -> None:
        """Hear that it goes on along another path."""
        self.moves += 1
        self.moved_at = now

    def opened(self, inbound: Inbound) -> None:
        """Hear of keys for what comes."""
        self._inbound[inbound.spi] = inbound

    def closed(self, spi: int) -> None:
        """Hear that nothing comes to an SPI any more."""
        inbound = self._inbound.pop(spi, None)
        if inbound is not None:
            self._received += inbound.taken
            self._lost += _gaps(inbound)

    def renewed(self, outbound: Outbound) -> None:
        """Hear of keys for what leaves from now on."""
        if self._outbound is not None and self._outbound is not outbound:
            self._sent += self._outbound.sequence
        self._outbound = outbound

    def refused(self, error: RemoteError) -> None:
        """Hear of a packet that was not taken."""
        if isinstance(error, Replayed):
            self.replayed += 1
        elif isinstance(error, Forged):
            self.forged += 1

    @property
    def received(self) -> int:
        """Packets that came and were true."""
        return self._received + sum(inbound.taken for inbound in self._inbound.values())

    @property
    def lost(self) -> int:
        """Gaps in the sequence numbers of what came: packets that were lost, or are still on their way."""
        return self._lost + sum(_gaps(inbound) for inbound in self._inbound.values())

    @property
    def sent(self) -> int:
        """Packets that left."""
        return self._sent + (self._outbound.sequence if self._outbound is not None else 0)


def _gaps(inbound: Inbound) -> int:
    return inbound.newest - inbound.taken
