"""Lookups in a DHT of our own on loopback addresses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.journal import Journal
from p2pship.lookup.mainline.protocol import MainlineLookup
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from p2pship.testing.dht import BEGINNINGS, PrivateDHT
from p2pship.testing.network import StaticNetwork, loopback


class MainlineTestCase(TestCase):
    """Makes a DHT and lookups in it, and stops them."""

    def setUp(self) -> None:
        self.dht = self.make_dht()
        self.addCleanup(self.dht.stop)
        self.journals: list[Journal] = []

    def make_dht(self) -> PrivateDHT:
        """Make the DHT."""
        return PrivateDHT()

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
