"""Links over HIP: base exchanges, packets in ESP beside the bearer ``udp`` and a bare relay, memory of idle associations.

A base exchange is measured from the dialling until both ends have their link, between two bearers of one process, over sockets, without the
reactor's loop, with the puzzle that is given at rest and keys of which nothing is remembered. Each kind of Host Identity is
measured with each Diffie-Hellman group; ``bex_ms`` is what two nodes of ours do.

``esp_packets_per_cpu_s`` is of datagrams of 200 octets that one end casts and the other receives, both ends' processor time together.
Its peer is the same over the bearer ``udp``, which authenticates and does not encrypt.

``bare_ratio_esp`` is that of the benchmark ``relay``: voice with G.711 through two nodes, half from phones and half in ESP, for each second
of a node's processor time, divided by what a relay of nothing but Twisted's DatagramProtocol passes of the same flows.

An idle association is one that has carried a frame, and that a node keeps while nobody talks.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bench.figures import Figure, median
from bench.hipends import HOST, Device, End, Exchange, Receiver, exchange, talking
from bench.nodes import pin
from bench.relay import WARM_UP, Relay, bare, through_nodes
from bench.voice import speak
from p2pship.address import Locator
from p2pship.bearer.hip import bearer
from p2pship.bearer.hip.hostidentity import read_host_identity
from p2pship.bearer.hip.numbers import DHGroup

IDENTITIES: dict[str, Callable[[], Any]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
}

GROUPS = {"p256": DHGroup.P256, "p384": DHGroup.P384}

EXCHANGES = 50

BATCH = 32
"Packets that wait at the receiver: what a port takes at once."

OVER_HIP = (
    "bearer.tls.enabled=false",
    "bearer.hip.enabled=true",
    "bearer.hip.port=0",
    'bearer.hip.listen=["127.0.0.1"]',
)

WARM_LINKS = 1000
"""Idle associations at the first measurement of memory: what exchanges need for a minute, and leave behind as free memory, is there
then."""

PATIENCE = 10.0


def run(quick: bool) -> list[Figure]:
    """Measure all of it."""
    pin(0, 1)
    return [
        *exchanges(10 if quick else EXCHANGES),
        *packets(200 if quick else 2000),
        *relayed(*(100, 3, 2.0) if quick else (100, 5, 6.0)),
        *(idle(500, 500) if quick else idle(10_000)),
    ]


# base exchanges


def exchanges(number: int) -> Iterator[Figure]:
    """Measure base exchanges with each kind of Host Identity and each group."""
    for identity, make in IDENTITIES.items():
        for group, offered in GROUPS.items():
            measured = base_exchanges(make, offered, number)
            name = f"bex_{identity}_{group}"
            if name == "bex_p256_p256":
                yield _ms("bex_ms", [each.wall for each in measured])
            yield _ms(f"{name}_ms", [each.wall for each in measured])
            yield _ms(f"{name}_dialler_cpu_ms", [each.dialler_cpu for each in measured])
            yield _ms(f"{name}_listener_cpu_ms", [each.listener_cpu for each in measured])


def _ms(name: str, seconds: list[float]) -> Figure:
    return Figure(name, round(1000 * median(seconds), 3), "ms", "lower")


def base_exchanges(make: Callable[[], Any], group: DHGroup, number: int) -> list[Exchange]:
    """Return so many, after one that is not counted."""
    with mock.patch.object(bearer, "OFFERED_GROUPS", (group,)):
        near, far = End(Device(make())), End(Device(make()))
    far.listen()
    measured = []
    for _ in range(number + 1):
        read_host_identity.cache_clear()
        measured.append(exchange(near, far))
    near.close()
    far.close()
    return measured[1:]


# packets


def packets(batches: int) -> Iterator[Figure]:
    """Measure packets from a link's ``cast`` to its receiver."""
    for name, size in (("esp_packets_per_cpu_s", 200), ("esp_1200_packets_per_cpu_s", 1200)):
        rates: dict[str, list[float]] = {"hip": [], "udp": []}
        for _ in range(5):
            for kind, found in rates.items():
                found.append(rate(kind, size, batches))
        own, peer = (round(median(found)) for found in rates.values())
        yield Figure(name, own, "1/s", "higher", "udp", peer)


def rate(kind: str, size: int, batches: int) -> float:
    """Return the packets for each second of processor time of both ends."""
    near, far, link, counts = talking(kind)
    datagram = bytes(size)
    began = time.process_time()
    for _ in range(batches):
        for _ in range(BATCH):
            link.cast(datagram)
        far.turn()
    taken = time.process_time() - began
    near.close()
    far.close()
    if counts.datagrams != batches * BATCH:
        raise SystemExit("packets were lost on loopback")
    return counts.datagrams / taken


# relayed voice


def relayed(calls: int, rounds: int, seconds: float) -> list[Figure]:
    """Measure calls between two nodes over HIP, and the bare relay."""
    with ExitStack() as stack:
        relays: dict[str, Relay] = {
            "hip": stack.enter_context(through_nodes(calls, 2, OVER_HIP)),
            "bare": stack.enter_context(bare(calls)),
        }
        for relay in relays.values():
            speak(relay.voices, WARM_UP)
        found: dict[str, list[float]] = {name: [] for name in relays}
        lost = 0
        for _ in range(rounds):
            for name, relay in relays.items():
                measured = relay.measure(seconds)
                found[name].append(measured.per_cpu_s)
                lost += measured.heard.lost
    own, peer = median(found["hip"]), median(found["bare"])
    return [
        Figure("bare_ratio_esp", round(own / peer, 3), "", "higher"),
        Figure("relayed_packets_per_cpu_s", round(own), "1/s", "higher", "twisted", round(peer)),
        Figure("relayed_lost", lost, "", "lower"),
    ]


# memory


def idle(number: int, warm: int = WARM_LINKS) -> list[Figure]:
    """Measure the memory of so many idle associations, in a process of their own, after some that are not counted."""
    with _idle_host() as (process, target):
        _, before = _associated(process, target, warm)
        count, after = _associated(process, target, number)
    if count != warm + number:
        raise SystemExit(f"{warm + number - count} links were not made")
    each = (after - before) / number
    return [
        Figure("per_association_kb", round(each / 1000, 2), "kB", "lower"),
        Figure("idle_10000_mb", round(each / 100, 1), "MB", "lower"),
    ]


class _Target:
    """Where the host is dialled, in the form of an end."""

    def __init__(self, port: int, key: bytes) -> None:
        self.device = self.bearer = self
        self.key = key
        self._locators = [Locator("hip", HOST, port)]

    def locators(self) -> list[Locator]:
        """Return its one locator."""
        return self._locators


@contextmanager
def _idle_host() -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    command = [sys.executable, "-m", "bench.hipidle"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pin(process.pid, 0)
        try:
            assert process.stdout is not None
            port, key = json.loads(process.stdout.readline())
            yield process, _Target(port, bytes.fromhex(key))
        finally:
            process.terminate()


def _associated(process: subprocess.Popen[bytes], target: Any, number: int) -> tuple[int, int]:
    """Make so many associations; returns how many there are, and the octets of memory that the host has made."""
    for _ in range(number):
        _associate(target)
    return _asked(process)


def _asked(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    count, octets = json.loads(process.stdout.readline())
    return count, octets


def _associate(target: Any) -> None:
    """Make one association, let it carry a frame there and back, and leave it alone."""
    end, answers = End(Device(ec.generate_private_key(ec.SECP256R1()))), Receiver()
    end.dial(target)
    _wait(end, lambda: end.links)
    end.links[0].start(answers)
    end.links[0].send(b"hello")
    _wait(end, lambda: answers.frames)
    end.close()


def _wait(end: End, condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise SystemExit("an association was not made")
        select.select(end.sockets.readers, [], [], 0.05)
        end.turn(0.001)
