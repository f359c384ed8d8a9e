"""A DHT of our own on loopback addresses, which knows nothing of the public one, and lookups in it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import libtorrent
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.journal import Journal
from p2pship.lookup.mainline.protocol import MainlineLookup
from p2pship.lookup.mainline.session import TOLERANT
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from p2pship.testing.network import StaticNetwork, loopback

NODES = 24
"Nodes of the DHT, besides those of the lookups."

BEGINNINGS = 3
"Nodes that others are told of."

FAMILIAR = 9
"Nodes that know the first one as they know others: who begins with a node does not take it for one of the DHT."

ONLY_DHT = {
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_tcp": False,
    "enable_outgoing_tcp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "alert_mask": 0,
}


def free_port() -> int:
    """Return a UDP port that nobody uses on any address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        port: int = probe.getsockname()[1]
        return port


class PrivateDHT:
    """Nodes of libtorrent, each on a network of its own: 127.0.1.1, 127.0.2.1 and so on."""

    def __init__(self) -> None:
        self.port = free_port()
        self.sessions: list[Any] = [self._session(number) for number in range(1, NODES + 1)]

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """The nodes that others begin with."""
        return tuple(f"127.0.{number}.1:{self.port}" for number in range(1, BEGINNINGS + 1))

    def is_whole(self) -> bool:
        """Tell whether all but those that it began with know the others."""
        return all(session.status().dht_nodes > BEGINNINGS for session in self.sessions[FAMILIAR:])

    def announce(self, number: int, infohash: bytes, port: int) -> None:
        """Have a node announce itself."""
        self.sessions[number].dht_announce(libtorrent.sha1_hash(infohash), port, 0)

    def kill_half(self) -> None:
        """End every other node without a word; of those that others begin with two go, too."""
        self.sessions = self.sessions[1::2]

    def stop(self) -> None:
        """End all."""
        self.sessions = []

    def _session(self, number: int) -> Any:
        beginnings = self.bootstrap[: number - 1]
        settings: Any = {
            **ONLY_DHT,
            **TOLERANT,
            "listen_interfaces": f"127.0.{number}.1:{self.port}",
            "dht_bootstrap_nodes": ",".join(beginnings),
        }
        made = libtorrent.session(settings)
        if 1 < number <= FAMILIAR:
            made.add_dht_node(("127.0.1.1", self.port))
        return made


class MainlineTestCase(TestCase):
    """Makes a DHT and lookups in it, and stops them."""

    timeout = 15

    def setUp(self) -> None:
        self.dht = PrivateDHT()
        self.addCleanup(self.dht.stop)
        self.journals: list[Journal] = []

    async def lookup(self, number: int, state: Path | None = None, **changes: Any) -> MainlineLookup:
        """Return a lookup on the address 127.0.100.``number`` that has found the DHT."""
        made = self.make(number, state, **changes)
        await made.start()
        self.addCleanup(made.stop)
        await self.until(lambda: made.session.nodes >= BEGINNINGS, made.session.refresh)
        return made

    def make(self, number: int, state: Path | None = None, **changes: Any) -> MainlineLookup:
        """Return a lookup that has not started."""
        database = Database(":memory:", [SCHEMA])
        self.addCleanup(database.close)
        self.journals.append(Journal())
        options: dict[str, Any] = {
            "enabled": True,
            "listen": (f"127.0.{100 + number}.1",),
            "dht_port": self.dht.port,
            "question_port": 0,
            "bootstrap": self.dht.bootstrap,
            "private": True,
        }
        return MainlineLookup(
            reactor,
            MainlineSettings(**{**options, **changes}),
            state or Path(self.mktemp()),
            StaticNetwork(loopback()),
            Ports(database),
            os.urandom,
            self.journals[-1],
        )

    def host(self, lookup: MainlineLookup) -> str:
        """Return a lookup's address."""
        host: str = lookup.settings.listen[0]
        return host

    async def until(self, true: Any, again: Any = lambda: None) -> None:
        """Wait until something in another thread is true; the test's time limit ends it if it never is."""
        while not true():
            again()
            await self.pause(0.02)

    def pause(self, seconds: float) -> Deferred[None]:
        """Return what fires after some seconds."""
        return deferLater(reactor, seconds, lambda: None)
