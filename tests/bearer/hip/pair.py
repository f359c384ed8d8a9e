"""Two HIP bearers over real sockets on loopback."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from p2pship.bearer.hip.bearer import HIPBearer
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from tests.bearer.contract import BearerPair
from tests.bearer.fakes import ClockedReactor, FakeDevice, FakeKeyring, FakeNetwork, device

HOST = "127.0.0.1"

TURN = 0.002
"Seconds that pass at each turn of waiting."


class HIPPair(BearerPair):
    """Two HIP bearers on real sockets, in a time that only the test moves."""

    other_device = "no answer"

    def setUp(self) -> None:
        self.clock = ClockedReactor(reactor)
        self.journal = Journal()
        self.accepted: list[Any] = []
        self.bearers: list[HIPBearer] = []
        self.keyrings: dict[HIPBearer, FakeKeyring] = {}
        "of each bearer, to change its devices and further Host Identities"
        self.alice = self.bearer(device("alice"))
        self.bob = self.bearer(device("bob"))
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))
        self.addCleanup(self.stop_all)

    def bearer(self, owner: FakeDevice, **settings: Any) -> HIPBearer:
        """Make a bearer that will be stopped."""
        chosen = HIPSettings(**{"listen": (HOST,), "port": 0, **settings})
        return self.bearer_at(chosen, owner, FakeNetwork(HOST))

    def bearer_at(self, settings: HIPSettings, owner: FakeDevice, network: FakeNetwork) -> HIPBearer:
        """Make a bearer with other addresses, that will be stopped."""
        ports = Ports(Database(":memory:", [SCHEMA]))
        keyring: Any = FakeKeyring(owner)
        made = HIPBearer(self.clock, settings, keyring, network, ports, self.journal, os.urandom)
        self.keyrings[made] = keyring
        self.bearers.append(made)
        return made

    async def stop_all(self) -> None:
        done: list[Any] = []
        gatherResults([bearer.stop() for bearer in self.bearers]).addBoth(done.append)
        await self.until(lambda: done, step=0.1)

    async def turn(self) -> None:
        """Let the reactor take what has come, without time passing."""
        for _ in range(3):
            await deferLater(reactor, 0, lambda: None)

    async def until(self, condition: Callable[[], object], step: float = TURN) -> None:
        await self.clock.until(condition, step)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
