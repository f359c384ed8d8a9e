"""The bearer ``tls``: TCP and TLS 1.3, where each device proves its key.

The dialler compares the key proven with the one it was told to dial; the listener takes it as the link's proof, and
who may talk is decided above. Names and dates in certificates mean nothing (:mod:`p2pship.bearer.tlscontext`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IProtocolFactory

from p2pship.address import Locator
from p2pship.bearer.listensettings import ListenSettings
from p2pship.bearer.streambearer import StreamBearer
from p2pship.bearer.tlscontext import TLSContext
from p2pship.bearer.tlslink import TLSLink, TLSStreamFactory
from p2pship.config import check_port_or_any, option
from p2pship.interfaces import IBearer, IDevice, INetwork, INode
from p2pship.journal import Journal
from p2pship.storage.ports import Ports


@dataclass(frozen=True)
class TLSSettings(ListenSettings):
    """Links over TCP and TLS 1.3: for networks that let no UDP through."""

    enabled: bool = option(True, "Whether to make and accept links over TLS.")
    port: int = option(
        5566,
        "The TCP port; the next free one is taken, and kept, if another program has it. 0 takes any.",
        check=check_port_or_any,
    )


SETTINGS = TLSSettings


def make(reactor: Any, settings: TLSSettings, node: INode) -> IBearer:
    """Return the bearer of a node; see :mod:`p2pship.plugins`."""
    return TLSBearer(reactor, settings, node.keyring.device, node.network, node.ports, node.journal)


class TLSBearer(StreamBearer):
    """Makes links over TLS."""

    name = "tls"
    encrypted = True

    def __init__(
        self,
        reactor: Any,
        settings: TLSSettings,
        device: IDevice,
        network: INetwork,
        ports: Ports,
        journal: Journal,
    ) -> None:
        super().__init__(reactor, settings, device, network, ports, journal)
        self._context = TLSContext(device.private_key)

    def make_link(self, locator: Locator | None = None, expected: bytes = b"") -> TLSLink:
        return TLSLink(self._reactor, self._journal, self._own_key, self.ended, locator, expected)

    def protected(self, factory: IProtocolFactory, dials: bool) -> IProtocolFactory:
        return TLSStreamFactory(self._context, dials, factory, self._reactor)
