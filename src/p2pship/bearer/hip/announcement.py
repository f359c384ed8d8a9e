"""What the other side of an association is told of our addresses (RFC 8046 §5.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from p2pship.bearer.hip.locatorset import MOST_LOCATORS, UNLIMITED, LocatorField, encode_locators
from p2pship.bearer.hip.numbers import LocatorType, ParameterType, TrafficType
from p2pship.bearer.hip.packet import Packet
from p2pship.bearer.hip.parameters import ESPInfo
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.updates import Contents, Updates


class Announcement:
    """Tells our addresses, all of them at a time, and knows whether the other side has heard of them."""

    def __init__(
        self,
        updates: Updates,
        host: str,
        spi: Callable[[], int],
        heard: Callable[[Path, float], None],
    ) -> None:
        """Begin with the one address that the base exchange came from.

        ``spi`` says to which the other side sends now; ``heard`` is told by which path it says that it has heard, and when.
        """
        self.hosts = frozenset({host})
        "the addresses that it was told last"
        self.is_heard = True
        "whether it has heard of them"
        self._updates = updates
        self._spi = spi
        self._heard = heard
        self._number: int | None = None

    def tell(self, hosts: Collection[str], preferred: str, paths: Sequence[Path], now: float) -> None:
        """Tell these along some paths, in place of what was told before; ``preferred`` is where it should send to."""
        self.hosts, self.is_heard = frozenset(hosts), False
        if self._number is not None:
            self._updates.cancel(self._number)
        ordered = sorted(hosts, key=lambda host: host != preferred)[:MOST_LOCATORS]
        self._number = self._updates.request(
            self._contents(ordered), paths, now, self._acknowledged, self._given_up
        )

    def _contents(self, hosts: Sequence[str]) -> list[Contents]:
        spi = self._spi()
        fields = [
            LocatorField(TrafficType.BOTH, LocatorType.SPI_AND_ADDRESS, not index, UNLIMITED, host, spi)
            for index, host in enumerate(hosts)
        ]
        return [
            (ParameterType.ESP_INFO, ESPInfo(0, spi, spi).encode()),
            (ParameterType.LOCATOR_SET, encode_locators(fields)),
        ]

    def _acknowledged(self, _packet: Packet, path: Path, now: float) -> None:
        self._number, self.is_heard = None, True
        self._heard(path, now)

    def _given_up(self) -> None:
        self._number = None
