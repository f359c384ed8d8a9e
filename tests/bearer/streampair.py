"""Two bearers over TCP connections, on real sockets on loopback."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from p2pship.bearer.streambearer import StreamBearer
from p2pship.bearer.tcp import TCPBearer, TCPSettings
from p2pship.bearer.tls import TLSBearer, TLSSettings
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from tests.bearer.contract import BearerPair
from tests.bearer.fakes import ClockedReactor, FakeDevice, FakeNetwork, device

HOST = "127.0.0.1"


class StreamPair(BearerPair):
    """Two bearers on real sockets, in a time that only the test moves."""

    def setUp(self) -> None:
        self.clock = ClockedReactor(reactor)
        self.journal = Journal()
        self.accepted: list[Any] = []
        self.bearers: list[StreamBearer] = []
        self.alice = self.bearer(device("alice"))
        self.bob = self.bearer(device("bob"))
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))
        self.addCleanup(self.stop_all)

    def bearer(self, owner: FakeDevice, network: FakeNetwork | None = None, **settings: Any) -> StreamBearer:
        """Make a bearer that will be stopped."""
        ports = Ports(Database(":memory:", [SCHEMA]))
        chosen = {"listen": (HOST,), "port": 0, **settings}
        made = self.made(chosen, self.clock, owner, network or FakeNetwork(HOST), ports, self.journal)
        self.bearers.append(made)
        return made

    def made(self, settings: dict[str, Any], reactor: Any, *parts: Any) -> StreamBearer:
        """Make a bearer of its parts."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        return int(self.bob.locators()[0].port)

    async def stop_all(self) -> None:
        done: list[Any] = []
        gatherResults([bearer.stop() for bearer in self.bearers]).addBoth(done.append)
        await self.until(lambda: done)

    async def until(self, condition: Callable[[], object], step: float = 0.0) -> None:
        await self.clock.until(condition, step)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TLSPair(StreamPair):
    """Two TLS bearers."""

    def made(self, settings: dict[str, Any], reactor: Any, *parts: Any) -> TLSBearer:
        return TLSBearer(reactor, TLSSettings(**settings), *parts)


class TCPPair(StreamPair):
    """Two TCP bearers."""

    other_device = "the other side ended the exchange of keys"

    def made(self, settings: dict[str, Any], reactor: Any, *parts: Any) -> TCPBearer:
        device, network, ports, journal = parts
        return TCPBearer(reactor, TCPSettings(**settings), device, network, ports, journal, os.urandom)
