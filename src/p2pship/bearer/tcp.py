"""The bearer ``tcp``: TCP in the clear, where each device proves its key and nothing can be altered, but all can be read.

It is off unless both nodes switch it on, for networks and tests where encryption is not wanted. Beside it the overlay
sees to it that it is the last way and never one down from an encrypted link (:mod:`p2pship.overlay.dialling`).
``docs/reference/clear-bearers.md`` has the format, and what an observer sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IProtocolFactory

from p2pship.address import Locator
from p2pship.bearer.listensettings import ListenSettings
from p2pship.bearer.streambearer import StreamBearer
from p2pship.bearer.tcplink import NAME, TCPLink
from p2pship.config import check_port_or_any, option
from p2pship.interfaces import IBearer, IDevice, INetwork, INode
from p2pship.journal import Journal
from p2pship.storage.ports import Ports


@dataclass(frozen=True)
class TCPSettings(ListenSettings):
    """Links over TCP that are authenticated but NOT ENCRYPTED: whoever is on the way can hear calls and see who calls whom.

    They are made only between nodes that both switch this on, when no encrypted way leads there, and never to a device
    that was reached encrypted before.
    """

    enabled: bool = option(False, "Whether to make and accept links that are NOT ENCRYPTED, over TCP.")
    port: int = option(
        5567,
        "The TCP port; the next free one is taken, and kept, if another program has it. 0 takes any.",
        check=check_port_or_any,
    )


SETTINGS = TCPSettings


def make(reactor: Any, settings: TCPSettings, node: INode) -> IBearer:
    """Return the bearer of a node; see :mod:`p2pship.plugins`."""
    return TCPBearer(
        reactor, settings, node.keyring.device, node.network, node.ports, node.journal, node.random
    )


class TCPBearer(StreamBearer):
    """Makes links over TCP that are not encrypted."""

    name = NAME
    encrypted = False

    def __init__(
        self,
        reactor: Any,
        settings: TCPSettings,
        device: IDevice,
        network: INetwork,
        ports: Ports,
        journal: Journal,
        random: Callable[[int], bytes],
    ) -> None:
        super().__init__(reactor, settings, device, network, ports, journal)
        self._device = device
        self._random = random

    def make_link(self, locator: Locator | None = None, expected: bytes = b"") -> TCPLink:
        return TCPLink(
            self._reactor, self._journal, self._device, self._random, self.ended, locator, expected
        )

    def protected(self, factory: IProtocolFactory, dials: bool) -> IProtocolFactory:
        """Return the factory as it is: its links protect themselves."""
        return factory
