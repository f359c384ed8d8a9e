"""A rendezvous server in a node, for the neighbours of who runs it; ``twistd p2pship-rendezvous`` is one without a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p2pship.config import option
from p2pship.interfaces import INode
from p2pship.lookup.http.server.settings import ServerSettings

if TYPE_CHECKING:
    from p2pship.lookup.http.server.service import RendezvousServer


@dataclass(frozen=True)
class RendezvousSettings(ServerSettings):
    """A rendezvous server of your own, where you and others can publish and be found (docs/howto/run-a-rendezvous-server.md)."""

    enabled: bool = option(False, "Whether this node runs one.")


SETTINGS = RendezvousSettings


def make(reactor: Any, settings: RendezvousSettings, node: INode) -> RendezvousServer:
    """Return the service of a node's server."""
    # A node without one starts without a web server.
    from p2pship.lookup.http.server.service import make_server

    return make_server(reactor, settings, node.state, node.random)
