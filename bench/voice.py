"""Voice that phones send each other through something: paced packets, how many of them arrive, and how late."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from struct import Struct

from bench.nodes import HOST
from p2pship.address import HostPort

EVERY = 0.02
"Seconds between two packets of a phone."

SLOTS = 20
"Parts of that time in which the phones take turns, as if each had been switched on at another moment."

RTP_HEADER = bytes((0x80, 0)) + bytes(10)
"Version 2 and payload type 0 (RFC 3550 §5.1); nobody here looks at the rest."

G711 = 160
"Octets of 20 ms of G.711."

LAST_ARRIVE = 0.3
"Seconds after the last packet was sent in which those under way may arrive."

BUFFER = 1 << 20
"Octets that wait at a phone's socket while this program does something else."

Slot = list[tuple[Callable[[bytes, tuple[str, int]], int], tuple[str, int]]]
"How the phones send whose turn it is, and where."

_STAMP = Struct("!d")
_PADDING = bytes(G711 - _STAMP.size)


@dataclass
class Heard:
    """What arrived."""

    sent: int = 0
    "packets"
    delays: list[float] = field(default_factory=list)
    "seconds from the sending of each packet to its arrival"

    @property
    def lost(self) -> int:
        """The packets that did not arrive."""
        return self.sent - len(self.delays)

    @property
    def p99(self) -> float:
        """The seconds that 99 of 100 packets did not exceed."""
        return sorted(self.delays)[int(len(self.delays) * 0.99)] if self.delays else 0.0


class Voice:
    """One phone's RTP."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.address = HostPort(*self.socket.getsockname())
        "what its SDP shows"
        self.to: tuple[str, int] = (HOST, 0)
        "where it sends"

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


def speak(voices: Sequence[Voice], seconds: float) -> Heard:
    """Let all of them speak for so long, and listen meanwhile."""
    heard = Heard()
    ears = select.epoll()
    sockets = {voice.socket.fileno(): voice.socket for voice in voices}
    for number in sockets:
        ears.register(number, select.EPOLLIN)
    slots: list[Slot] = [
        [(voice.socket.sendto, voice.to) for voice in voices[at::SLOTS]] for at in range(SLOTS)
    ]
    began = time.monotonic()
    for turn in range(round(seconds / EVERY) * SLOTS):
        _listen(ears, sockets, heard, began + turn * EVERY / SLOTS)
        _send(slots[turn % SLOTS], heard)
    _listen(ears, sockets, heard, time.monotonic() + LAST_ARRIVE)
    ears.close()
    return heard


def _send(slot: Slot, heard: Heard) -> None:
    for sendto, to in slot:
        sendto(RTP_HEADER + _STAMP.pack(time.monotonic()) + _PADDING, to)
    heard.sent += len(slot)


def _listen(ears: select.epoll, sockets: dict[int, socket.socket], heard: Heard, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        for number, _event in ears.poll(left):
            packet = sockets[number].recv(2048)
            heard.delays.append(time.monotonic() - _STAMP.unpack_from(packet, len(RTP_HEADER))[0])
