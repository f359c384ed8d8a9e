"""Runs alone in a network namespace: a call over HIP between the real phones of two machines that find each other through a DHT.

Argument: a folder; with a name after it, it is that person's machine. This machine is a router with a cable to each of them,
and the nodes of the DHT are on it: what is multicast on one cable does not come to the other.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from p2pship.identity.place import Place, day_of
from p2pship.lookup.mainline.session import DHTSession
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.lookup.questions.keys import handle
from p2pship.testing.dht import PrivateDHT
from p2pship.testing.namespace import ip
from tests.interop.callmachine import STEP, CallMachine, serve
from tests.interop.machine import BOB
from tests.interop.routed import RoutedScene

DHT = [f"55.5.{number}.1" for number in range(1, 17)]
NETWORK = "55.5.0.0/19"

PORT = 5567


def machine(reactor: Any, folder: Path, name: str) -> CallMachine:
    """Describe a person's machine: all is as by default, but for the DHT, of which it is told three nodes."""
    settings = (
        "lookup.mainline.enabled=true",
        f"lookup.mainline.bootstrap={','.join(f'{host}:{PORT}' for host in DHT[:3])}",
    )
    return CallMachine(reactor, folder, name, settings=settings, answer="auto" if name == "bob" else "manual")


async def published(reactor: Any, dht: PrivateDHT, aor: str) -> None:
    """Wait until somebody is announced in the DHT."""
    session = DHTSession(reactor, MainlineSettings(listen=(DHT[-1],), bootstrap=dht.bootstrap, private=True))
    session.start(b"")
    seen: list[str] = []
    infohash = handle(Place.of_name(aor).lookup_key(day_of(reactor.seconds())))
    while not seen:
        session.refresh()
        cancel = session.get_peers(infohash, lambda host, port: seen.append(host))
        await deferLater(reactor, 5 * STEP)
        cancel()
    session.stop()


async def play(reactor: Any) -> None:
    """Be the machine in between, and tell the two others what to do."""
    # No addresses: libtorrent binds to the interface that has its address.
    ip(f"route add local {NETWORK} dev lo")
    dht = PrivateDHT(DHT[:-1], PORT)
    scene = RoutedScene(reactor, __file__, *sys.argv[1:])
    await scene.begin()
    await published(reactor, dht, BOB)
    await scene.call_over_hip("mainline")
    await scene.end()
    dht.stop()
    print("as it should be")


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, *role = arguments
    if not role:
        return Deferred.fromCoroutine(play(reactor))
    return Deferred.fromCoroutine(serve(machine(reactor, Path(folder), role[0])))


react(main, [sys.argv[1:]])
