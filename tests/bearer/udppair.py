"""Two UDP bearers over real sockets on loopback."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from p2pship.address import Locator
from p2pship.bearer.udp import UDPBearer, UDPSettings
from p2pship.interfaces import ILink
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from tests.bearer.contract import BearerPair
from tests.bearer.fakes import ClockedReactor, FakeDevice, FakeNetwork, device
from tests.bearer.roughrelay import HOST, RoughRelay

TURN = 0.002
"Seconds that pass at each turn of waiting: what is lost over UDP shows by time alone."


class UDPPair(BearerPair):
    """Two UDP bearers on real sockets, in a time that only the test moves."""

    def setUp(self) -> None:
        self.clock = ClockedReactor(reactor)
        self.journal = Journal()
        self.accepted: list[Any] = []
        self.bearers: list[UDPBearer] = []
        self.alice = self.bearer(device("alice"))
        self.bob = self.bearer(device("bob"))
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))
        self.addCleanup(self.stop_all)

    def bearer(self, owner: FakeDevice, **settings: Any) -> UDPBearer:
        """Make a bearer that will be stopped."""
        chosen = UDPSettings(**{"listen": (HOST,), "port": 0, **settings})
        ports = Ports(Database(":memory:", [SCHEMA]))
        made = UDPBearer(self.clock, chosen, owner, FakeNetwork(HOST), ports, self.journal, os.urandom)
        self.bearers.append(made)
        return made

    @property
    def port(self) -> int:
        return int(self.bob.locators()[0].port)

    async def stop_all(self) -> None:
        done: list[Any] = []
        gatherResults([bearer.stop() for bearer in self.bearers]).addBoth(done.append)
        await self.until(lambda: done, step=0.1)

    async def connect(self) -> tuple[Any, Any]:
        near, far = await super().connect()
        await self.until(lambda: near.confirmed)
        return near, far

    async def until(self, condition: Callable[[], object], step: float = TURN) -> None:
        await self.clock.until(condition, step)

    async def turn(self) -> None:
        """Let everything arrive that is on its way, without time passing."""
        for _ in range(20):
            await deferLater(reactor, 0, lambda: None)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)


class RelayedPair(UDPPair):
    """Two bearers with a relay between."""

    def setUp(self) -> None:
        super().setUp()
        self.relay = RoughRelay(self.clock, self.port)
        self.addCleanup(self.relay.close)
        self.locator = Locator("udp", HOST, self.relay.port)

    async def connect(self) -> tuple[Any, Any]:
        """Return the two ends of a link over the relay; dials again if that fails, as the overlay does."""
        while True:
            near = await self.dialled()
            if near is not None and near.confirmed:
                ends = {link._way.their_id: link for link in self.accepted}
                return near, ends[near.own_id]

    async def dialled(self) -> Any:
        """Return what one dial makes: a link that is confirmed, or given up, or None."""
        done: list[Any] = []
        self.alice.dial(device("bob").key, [self.locator], device("alice")).addBoth(done.append)
        await self.until(lambda: done)
        if not ILink.providedBy(done[0]):
            return None
        await self.until(lambda: done[0].confirmed or done[0]._over)
        return done[0]
