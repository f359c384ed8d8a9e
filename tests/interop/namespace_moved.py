"""Runs alone in a network namespace: a machine that publishes on a rendezvous server, and follows there, is given another address.

Argument: a folder; with ``serve`` after it it is the machine with the server.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from p2pship.journal import Journal
from p2pship.lookup.candidate import Question
from p2pship.lookup.http.protocol import HTTPLookup
from p2pship.lookup.http.server.service import make_server
from p2pship.lookup.http.server.settings import PORT, ServerSettings
from p2pship.lookup.http.web import trusting
from p2pship.network import NetworkWatcher
from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour, ip
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher
from tests.lookup.recording import RecordingReceiver

BEFORE, AFTER, SERVER = "55.5.0.1", "55.5.0.3", "55.5.0.2"

LINE = Conditions(delay=0.01)
"A round trip of 20 ms."

SOON = 0.05
"Seconds from a change to its publication, as the publisher has it."

READY = "the server is ready"


async def serve(reactor: Any, folder: Path) -> None:
    """Be the machine with the server, until killed."""
    server = make_server(reactor, ServerSettings(), folder, os.urandom)
    server.startService()
    await server.when_started()
    print(READY, flush=True)
    await Deferred()


async def play(reactor: Any, folder: Path) -> None:
    """Be the machine whose address changes."""
    cable = Cable("end0", "end1", LINE)
    other = Neighbour(sys.executable, __file__, str(folder), "serve")
    other.take("end1")
    other.ip(f"addr add {SERVER}/24 dev end1")
    other.ip("link set end1 up")
    ip(f"addr add {BEFORE}/24 dev end0")
    ip("link set end0 up")
    other.wait_for(READY)
    try:
        await moved(reactor)
    finally:
        other.close()
        cable.close()


async def moved(reactor: Any) -> None:
    """Publish and follow, move, and look how soon that is told."""
    network = NetworkWatcher(reactor)
    server = f"http://{SERVER}:{PORT}"
    lookup = HTTPLookup(reactor, (server,), trusting(b""), {}, os.urandom, Journal(), network)
    lookup.start()
    hanging, news, receiver = Publisher(1).slot(), Publisher(2).slot(), RecordingReceiver()

    def told(item: bytes) -> bool:
        return item in [candidate.item for candidate in receiver.candidates]

    async def until_told(item: bytes) -> None:
        while not told(item):
            await deferLater(reactor, 0.005)

    await lookup.publish(hanging, b"before")
    lookup.follow(Question(LOOKUP_KEY), receiver)
    await until_told(b"before")
    unwatch = network.watch(lambda: reactor.callLater(SOON, lookup.publish, news, b"news"))
    began = time.monotonic()
    ip(f"addr del {BEFORE}/24 dev end0")
    ip(f"addr add {AFTER}/24 dev end0")
    await lookup.publish(hanging, b"begun on a connection from the old address")
    await until_told(b"news")
    print(f"published and told within {time.monotonic() - began:.3f} s")
    assert receiver.ends == [], receiver.ends
    unwatch()
    await lookup.stop()


def main(reactor: Any, folder: str, role: str = "") -> Deferred[None]:
    """Be one of the machines."""
    return Deferred.fromCoroutine((serve if role else play)(reactor, Path(folder)))


react(main, sys.argv[1:])
