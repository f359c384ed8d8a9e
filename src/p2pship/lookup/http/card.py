"""What the card of the lookup on rendezvous servers names: its settings, and how it is made where a server is configured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pship.errors import ConfigError
from p2pship.interfaces import INode
from p2pship.lookup.http.settings import HTTPSettings

if TYPE_CHECKING:
    from p2pship.lookup.http.protocol import HTTPLookup

SETTINGS = HTTPSettings


def make(reactor: Any, settings: HTTPSettings, node: INode) -> HTTPLookup | None:
    """Return the lookup for a node; None if no server is configured.

    :raises ConfigError: if the file of authorities cannot be used.
    """
    if not settings.servers:
        return None
    from p2pship.lookup.http.protocol import HTTPLookup  # a node without servers starts without a web client
    from p2pship.lookup.http.web import trusting

    policy = trusting(_authorities(settings.ca_file))
    return HTTPLookup(
        reactor,
        settings.servers,
        policy,
        os.environ,
        node.random,
        node.journal,
        node.network,
        node.clock_doubt,
    )


def _authorities(file: str) -> bytes:
    if not file:
        return b""
    try:
        octets = Path(file).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(f"lookup.http.ca_file: {file} cannot be read: {error.strerror}") from None
    if not octets.strip():  # which would mean the operating system's
        raise ConfigError(f"lookup.http.ca_file: {file} is empty")
    return octets
