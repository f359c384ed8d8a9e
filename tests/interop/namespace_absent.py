"""Runs alone in a network namespace: a host is asked for R1s in the names of neighbours that are not there, and has to answer another.

The system keeps what goes to a neighbour until it has found it, or given it up after three seconds, and counts it as the socket's.
With ``stranger``, this host's key and its port as arguments, it is the one that is there, in a network of its own.
"""

from __future__ import annotations

import socket
import struct
import sys
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from p2pship.address import Locator
from p2pship.bearer.hip.signalling import MARKER
from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour, ip
from tests.interop.hip_flood import i1
from tests.interop.hipends import bearer
from tests.interop.intime import check_in_time

OWN = "10.5.0.1"
FRIEND = "10.5.0.2"
ABSENT = range(10, 210)
BEFORE, AT_MOST = 20, 150
"Rounds of I1s in the name of each before the stranger dials, and in all."

STRANGER = "10.5.0.3"

PAUSE = 0.02
"Seconds between two rounds: 10,000 I1s in a second."

MEDIA = 5
"Datagrams to a friend after each round, as many as there are calls."

LIMIT = 2.0
"Seconds in which one that was never met is to have its link."

_IPV4 = struct.Struct(">BBHHHBBH4s4s")
_UDP = struct.Struct(">HHHH")


def forged(source: str, port: int, payload: bytes) -> bytes:
    """Return a UDP datagram to this host in somebody's name."""
    size = _UDP.size + len(payload)
    addresses = socket.inet_aton(source), socket.inet_aton(OWN)
    header = _IPV4.pack(0x45, 0, _IPV4.size + size, 0, 0, 64, socket.IPPROTO_UDP, 0, *addresses)
    return header + _UDP.pack(10500, port, size, 0) + payload


async def play(reactor: Any) -> None:
    """Be asked, and look whether one that was never met gets through, and all that is sent to a friend leaves."""
    bob, device = bearer(reactor, listen=(OWN,))
    cable = Cable("near", "far", Conditions())
    ip(f"addr add {OWN}/24 dev near")
    ip("link set near up")
    ip(f"neigh add {FRIEND} lladdr 02:00:00:00:00:02 dev near nud permanent")
    await bob.listen(lambda _: None, lambda: None)
    number = bob.locators()[0].port
    other = Neighbour(sys.executable, __file__, "stranger", device.key.hex(), str(number))
    other.take("far")
    other.ip(f"addr add {STRANGER}/24 dev far")
    other.ip("link set far up")
    assert other.process.stdin is not None and other.process.stdout is not None
    await deferToThread(other.wait_for, "ready")
    plug = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    (port,) = bob._sockets
    took: list[str] = []
    for round_ in range(AT_MOST):
        for host in ABSENT:
            plug.sendto(forged(f"10.5.0.{host}", number, i1(device.hit)[1]), (OWN, 0))
        await deferLater(reactor, PAUSE)
        for _ in range(MEDIA):
            port.send(MARKER, (FRIEND, number))
        if round_ == BEFORE:
            print("now", file=other.process.stdin, flush=True)
            deferToThread(other.process.stdout.readline).addCallback(took.append)
        if took:
            break
    other.close()
    cable.close()
    assert bob._journal.counts["hip.unsent"] > 0, "nothing had to be held back"
    check_in_time(float(took[0]) if took else inf, LIMIT)
    print(f"after {took[0].strip()} s: as it should be")


async def dial(reactor: Any, key: str, port: str) -> None:
    """Be the stranger."""
    carol, device = bearer(reactor, listen=(STRANGER,))
    print("ready", flush=True)
    await deferToThread(sys.stdin.readline)
    await carol.listen(lambda _: None, lambda: None)
    began = reactor.seconds()
    await carol.dial(bytes.fromhex(key), [Locator("hip", OWN, int(port))], device)
    print(reactor.seconds() - began, flush=True)
    await deferToThread(sys.stdin.readline)


def main(reactor: Any, *arguments: str) -> Deferred[None]:
    """Be one of the two."""
    return Deferred.fromCoroutine(dial(reactor, *arguments[1:]) if arguments else play(reactor))


react(main, sys.argv[1:])
