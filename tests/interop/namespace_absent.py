"""Runs alone in a network namespace: a host is asked for R1s in the names of neighbours that are not there, and has to send all the same.

The system keeps what goes to a neighbour until it has found it, or given it up after three seconds, and counts it as the socket's.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from p2pship.bearer.hip.signalling import MARKER
from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import ip
from tests.interop.hip_flood import i1
from tests.interop.hipends import bearer

OWN = "10.5.0.1"
FRIEND = "10.5.0.2"
ABSENT = range(10, 210)
EACH = 10
"I1s in the name of each."

MEDIA = 50
"Datagrams to the one that is there."

_IPV4 = struct.Struct(">BBHHHBBH4s4s")
_UDP = struct.Struct(">HHHH")


def forged(source: str, port: int, payload: bytes) -> bytes:
    """Return a UDP datagram to this host in somebody's name."""
    size = _UDP.size + len(payload)
    addresses = socket.inet_aton(source), socket.inet_aton(OWN)
    header = _IPV4.pack(0x45, 0, _IPV4.size + size, 0, 0, 64, socket.IPPROTO_UDP, 0, *addresses)
    return header + _UDP.pack(10500, port, size, 0) + payload


async def play(reactor: Any) -> None:
    """Be asked, and look whether something can still be sent to a neighbour that is there."""
    cable = Cable("near", "far", Conditions())
    ip(f"addr add {OWN}/24 dev near")
    for end in ("near", "far"):
        ip(f"link set {end} up")
    ip(f"neigh add {FRIEND} lladdr 02:00:00:00:00:02 dev near nud permanent")
    bob, device = bearer(reactor, listen=(OWN,))
    await bob.listen(lambda _: None, lambda: None)
    number = bob.locators()[0].port
    plug = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for _ in range(EACH):
        for host in ABSENT:
            plug.sendto(forged(f"10.5.0.{host}", number, i1(device.hit)[1]), (OWN, 0))
        await deferLater(reactor, 0.02)
    (port,) = bob._sockets
    for _ in range(MEDIA):
        port.send(MARKER, (FRIEND, number))
    assert bob._journal.counts["hip.unsent"] > 0, "nothing had to be held back"
    cable.close()
    print("as it should be")


react(lambda reactor: Deferred.fromCoroutine(play(reactor)), [])
