"""Runs alone in a network namespace: lookups with the settings of the Internet, in a DHT at public addresses of both families."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from p2pship.journal import Journal
from p2pship.lookup.candidate import Question, Slot
from p2pship.lookup.mainline.protocol import MainlineLookup
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from p2pship.testing.dht import BEGINNINGS, PrivateDHT
from p2pship.testing.namespace import ip
from p2pship.testing.network import StaticNetwork
from tests.lookup.recording import RecordingReceiver

IPV4, IPV6 = "55.5.{}.1", "2a02:5:{:x}::1"

NODES = range(1, 25)
PUBLISHER, OLD, NEW = 201, 202, 203

PORT = 5567

KEY = b"k" * 32
DEVICE = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
SLOT = Slot(KEY, DEVICE.public_key().public_bytes_raw(), DEVICE)


class Lookups:
    """Makes lookups and stops them."""

    def __init__(self, reactor: Any, folder: Path, bootstrap: tuple[str, ...]) -> None:
        self._reactor = reactor
        self._folder = folder
        self._bootstrap = bootstrap
        self._made: list[MainlineLookup] = []

    async def start(self, *listen: str) -> MainlineLookup:
        """Start a lookup at these addresses that has found the DHT."""
        made = MainlineLookup(
            self._reactor,
            MainlineSettings(True, listen, PORT, PORT + 1, self._bootstrap),
            self._folder / f"state{len(self._made)}",
            StaticNetwork(),
            Ports(Database(":memory:", [SCHEMA])),
            os.urandom,
            Journal(),
        )
        await made.start()
        self._made.append(made)
        await self.until(lambda: made.session.nodes > len(listen) * BEGINNINGS, made.session.refresh)
        return made

    async def found(self, lookup: MainlineLookup, question: Question) -> tuple[bytes, str]:
        """Search until something is found; returns the item and who gave it."""
        while True:
            receiver = RecordingReceiver()
            search = lookup.find(question, receiver)
            while not receiver.candidates and not receiver.ends:
                await deferLater(self._reactor, 0.02)
            search.cancel()
            if receiver.candidates:
                return receiver.candidates[0].item, receiver.candidates[0].source

    async def until(self, true: Callable[[], bool], again: Callable[[], None]) -> None:
        """Wait until something is true."""
        while not true():
            again()
            await deferLater(self._reactor, 0.02)

    async def stop(self) -> None:
        """Stop all."""
        for each in self._made:
            await each.stop()


async def play(reactor: Any) -> None:
    """Somebody at two addresses publishes; one with IPv4 alone and one with IPv6 alone find him, each way."""
    for number in (*NODES, PUBLISHER, OLD, NEW):
        ip(f"addr add {IPV4.format(number)}/32 dev lo")
        ip(f"addr add {IPV6.format(number)}/128 dev lo nodad")
    dhts = [PrivateDHT([form.format(number) for number in NODES], PORT) for form in (IPV4, IPV6)]
    for dht in dhts:
        while not dht.is_whole():
            await deferLater(reactor, 0.2)
    print("whole", reactor.seconds())
    with tempfile.TemporaryDirectory() as folder:
        lookups = Lookups(reactor, Path(folder), tuple(each for dht in dhts for each in dht.bootstrap))
        publisher = await lookups.start(IPV4.format(PUBLISHER), IPV6.format(PUBLISHER))
        print("started", reactor.seconds())
        await publisher.publish(SLOT, b"item")
        print("published", reactor.seconds())
        for searcher, form in ((OLD, IPV4), (NEW, IPV6)):
            lookup = await lookups.start(form.format(searcher))
            assert lookup.wide_area
            found = await lookups.found(lookup, Question(KEY))
            assert found == (b"item", form.format(PUBLISHER)), found
            print("found", reactor.seconds())
        await publisher.stop()
        for lookup in lookups._made[1:]:
            found = await lookups.found(lookup, Question(KEY, known=(SLOT.publication_key,)))
            assert found == (b"item", ""), found
            print("found", reactor.seconds())
        await lookups.stop()
    for dht in dhts:
        dht.stop()
    print("as it should be")


react(lambda reactor: Deferred.fromCoroutine(play(reactor)), [])
