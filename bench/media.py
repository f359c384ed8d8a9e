"""Voice packets a second through a media port and back to the phone; beside an echo with Twisted's DatagramProtocol.

Packets wait in the socket before the clock starts, and both are asked to read as the reactor would ask them: what is
measured is receiving, knowing the phone again, and sending; not the loop.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol

from bench.figures import Figure, median
from p2pship.address import HostPort
from p2pship.journal import Journal
from p2pship.media.ears import Ears
from p2pship.media.latch import Latch
from p2pship.media.port import MediaPort, bind

HOST = "127.0.0.1"

PACKET = bytes(172)
"20 ms of G.711 with its RTP header."

BATCH = 32
"Packets that wait."

ROUNDS = 5

Read = Callable[[], object]
"Takes the packets that wait."


def run(quick: bool) -> list[Figure]:
    """Measure both in turn, several times."""
    batches = 20 if quick else 2000
    own: list[float] = []
    twisted: list[float] = []
    for _ in range(ROUNDS):
        own.append(_rate(_media_port, batches))
        twisted.append(_rate(_datagram_protocol, batches))
    return [Figure("echoed", round(median(own)), "1/s", "higher", "twisted", round(median(twisted)))]


def _rate(serve: Callable[[HostPort], Any], batches: int) -> float:
    seconds = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, 0))
        with serve(HostPort(*phone.getsockname())) as (port, read):
            for _ in range(batches):
                for _ in range(BATCH):
                    phone.sendto(PACKET, (HOST, port))
                began = time.perf_counter()
                read()
                seconds += time.perf_counter() - began
                for _ in range(BATCH):
                    phone.recv(2048)
    return batches * BATCH / seconds


@contextmanager
def _media_port(phone: HostPort) -> Iterator[tuple[int, Read]]:
    def back(_flow: int, packet: bytes) -> None:
        port.send(packet)

    def read() -> None:
        for _ in range(BATCH):
            port.doRead()

    port = MediaPort(Ears(cast(Any, reactor)), bind(HOST, 0), Latch(HOST), back, Journal(), time.time)
    port.show(phone)
    port.flow = 2
    try:
        yield port.number, read
    finally:
        port.close()


class _Echo(DatagramProtocol):
    """Sends back what comes."""

    transport: Any

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Send it back."""
        self.transport.write(datagram, addr)


@contextmanager
def _datagram_protocol(_phone: HostPort) -> Iterator[tuple[int, Read]]:
    port = cast(Any, reactor).listenUDP(0, _Echo(), interface=HOST)
    try:
        yield port.getHost().port, port.doRead
    finally:
        port.stopListening()
