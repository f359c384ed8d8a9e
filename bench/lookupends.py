"""Two network namespaces with a cable between them: a DHT and who publishes there at one end, who searches at the other.

Run in a namespace with a number of rounds, it prints one line of JSON at last: for each round the seconds that bare libtorrent
took to the first address, and that a node took to it and to the verified record. All that a search asks is at the other
end, so that every question of it crosses the cable.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import libtorrent
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from bench.lookup import DELAY
from p2pship.identity.papers import Papers
from p2pship.identity.place import Place, day_of
from p2pship.identity.verdict import Verdict
from p2pship.interfaces import IBearer, ILookup
from p2pship.lookup.mainline.protocol import MainlineLookup, make
from p2pship.lookup.mainline.session import DHTSession
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.lookup.questions.exchange import Asking
from p2pship.lookup.questions.keys import handle
from p2pship.lookup.trace import Trace
from p2pship.node import Node
from p2pship.testing.bearer import MemoryBearer
from p2pship.testing.cable import Cable
from p2pship.testing.dht import BEGINNINGS, NODES, PrivateDHT
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour, ip
from p2pship.testing.nodes import MemoryNodes

PORT = 5567

DHT = [f"10.5.{number}.1" for number in range(1, NODES + 1)]
"Private addresses: at public ones nodes choose other ids when they hear theirs, and begin again."

NETWORK = "10.5.0.0/16"

PUBLISHER, SEARCHER, BARE = "10.5.200.1", "10.6.0.1", "10.6.0.2"

GATEWAY = "10.6.0.254"

ALICE, BOB = "alice@example.com", "bob@example.com"

PATIENCE = 40.0
"Seconds for anything: what takes longer is broken, not slow."

STEP = 0.02


def settings(host: str) -> MainlineSettings:
    """Return those of a node at an address."""
    bootstrap = tuple(f"{each}:{PORT}" for each in DHT[:BEGINNINGS])
    return MainlineSettings(True, (host,), PORT, PORT + 1, bootstrap, private=True)


class MainlineNode(MemoryNodes):
    """One node with the lookup ``mainline`` alone, whose bearer says that it is at the same address."""

    def __init__(self, reactor: Any, folder: Path, host: str) -> None:
        self._host = host
        super().__init__(reactor, folder, (host,))

    @property
    def node(self) -> Node:
        """The node."""
        return self.nodes[self._host]

    @property
    def lookup(self) -> MainlineLookup:
        """Its lookup."""
        found = self.node.lookups["mainline"]
        assert isinstance(found, MainlineLookup)
        return found

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookup."""
        return {"mainline": make(self._reactor, settings(self._host), node)}

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make the bearer."""
        device, devices = node.keyring.device, node.keyring.devices
        return {"memory": MemoryBearer(self._reactor, self.links, device, self._host, devices)}


class Bare:
    """Nothing but libtorrent, with the same settings, waited for in a thread of its own as its own programs do."""

    def __init__(self, reactor: Any) -> None:
        self._session = libtorrent.session(DHTSession(reactor, settings(BARE))._pack())
        for host in DHT[:BEGINNINGS]:
            self._session.add_dht_node((host, PORT))

    @property
    def nodes(self) -> int:
        """Other nodes that are known."""
        found: int = self._session.status().dht_nodes
        return found

    def first(self, infohash: bytes) -> float:
        """Return the seconds until the first address under an infohash."""
        self._session.pop_alerts()
        began = time.perf_counter()
        self._session.dht_get_peers(libtorrent.sha1_hash(infohash))
        while time.perf_counter() < began + PATIENCE:
            self._session.wait_for_alert(1000)
            for alert in self._session.pop_alerts():
                if isinstance(alert, libtorrent.dht_get_peers_reply_alert) and alert.peers():
                    return time.perf_counter() - began
        raise SystemExit("bare libtorrent found nobody")


class Watched(Trace):
    """Keeps when somebody's papers were found to hold."""

    verified = 0.0

    def judged(self, lookup: str, papers: Papers, verdict: Verdict) -> None:
        """Keep the first moment."""
        self.verified = self.verified or time.perf_counter()


class Nobody:
    """Takes what a search finds."""

    def device_found(self, _: object) -> None:
        """It is known by then."""

    find_ended = device_found


class Searcher:
    """Searches for Bob, watched."""

    def __init__(self, reactor: Any, alice: MainlineNode) -> None:
        self._reactor = reactor
        self._alice = alice
        self._own = alice.node.keyring.create(ALICE)
        self._first = 0.0
        exchange, ask = alice.lookup.exchange, alice.lookup.exchange.ask

        def watched(*given: Any) -> Asking:
            asking = ask(*given)
            found = asking.found
            asking.found = lambda *address: self._asked(found(*address))  # type: ignore[method-assign]
            return asking

        exchange.ask = watched  # type: ignore[method-assign, assignment]

    def _asked(self, taken: bool) -> bool:
        if taken:
            self._first = self._first or time.perf_counter()
        return taken

    async def search(self) -> list[float]:
        """Return the seconds until the first address was asked, and until a record was verified."""
        self._first, trace = 0.0, Watched()
        began = time.perf_counter()
        finding = self._alice.node._chain.find(BOB, self._own, Nobody(), trace)  # type: ignore[arg-type]
        while not trace.verified:
            await deferLater(self._reactor, 0.0005)
            if time.perf_counter() > began + PATIENCE:
                raise SystemExit("Bob was not found")
        finding.cancel()
        return [self._first - began, trace.verified - began]


async def search(reactor: Any, folder: Path, rounds: int) -> list[list[float]]:
    """Be the end that searches, and lay the cable; returns what each round took."""
    cable = Cable("near", "far", Conditions(delay=DELAY))
    far = Neighbour(sys.executable, __file__, "publish")
    far.take("far")
    for command in ("link set lo up", f"addr add {GATEWAY}/24 dev far", "link set far up"):
        far.ip(command)
    # No addresses: libtorrent binds to the interface that has its address.
    far.ip(f"route add local {NETWORK} dev lo")
    for host in (SEARCHER, BARE):
        ip(f"addr add {host}/24 dev near")
    ip("link set near up")
    ip(f"route add {NETWORK} via {GATEWAY}")
    assert far.process.stdin is not None
    print("go", file=far.process.stdin, flush=True)
    far.wait_for("published")
    alice, bare = MainlineNode(reactor, folder, SEARCHER), Bare(reactor)
    await alice.start()
    searcher = Searcher(reactor, alice)
    await until(
        reactor,
        lambda: min(alice.lookup.session.nodes, bare.nodes) > BEGINNINGS,
        alice.lookup.session.refresh,
    )
    infohash = handle(Place.of_name(BOB).lookup_key(day_of(reactor.seconds())))
    await searcher.search()
    measured = []
    for number in range(rounds):
        if number % 2:
            ours, theirs = await searcher.search(), bare.first(infohash)
        else:
            theirs, ours = bare.first(infohash), await searcher.search()
        measured.append([theirs, *ours])
    await alice.stop()
    far.close()
    cable.close()
    return measured


async def publish(reactor: Any, folder: Path) -> None:
    """Be the end with the DHT and Bob; it is ended from outside."""
    sys.stdin.readline()
    dht = PrivateDHT(DHT, PORT)
    await until(reactor, dht.is_whole)
    bob = MainlineNode(reactor, folder, PUBLISHER)
    await bob.start()
    bob.node.keyring.create(BOB)
    seen: list[str] = []
    infohash = handle(Place.of_name(BOB).lookup_key(day_of(reactor.seconds())))
    while not seen:
        cancel = bob.lookup.session.get_peers(infohash, lambda host, port: seen.append(host))
        await deferLater(reactor, 10 * STEP)
        cancel()
    print("published", flush=True)
    await Deferred()


async def until(reactor: Any, true: Any, again: Any = lambda: None) -> None:
    """Wait until something is true."""
    give_up = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > give_up:
            raise SystemExit("the DHT did not come up")
        again()
        await deferLater(reactor, STEP)


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the ends."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            if arguments[0] == "publish":
                await publish(reactor, Path(folder))
            else:
                print(json.dumps(await search(reactor, Path(folder), int(arguments[0]))))

    return Deferred.fromCoroutine(run())


if __name__ == "__main__":
    react(main, [sys.argv[1:]])
