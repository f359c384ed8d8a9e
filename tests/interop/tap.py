"""An ear on the loopback interface of a network namespace: which RTP packets reach a phone, and when."""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

_IPV4 = 0x0800
_UDP = struct.Struct(">HHHH")
_RTP = struct.Struct(">2xH4xI")
_RTCP_TYPES = range(64, 96)
"What RTCP's packet types look like as payload types (RFC 5761 §4)."


LATE = 0.3
"Seconds by which a packet may be later than those after it."


@implementer(IReadDescriptor)
class Tap:
    """Listens from when it is made to :meth:`close`."""

    def __init__(self, reactor: Any, ports: range) -> None:
        """Hear what comes to the UDP ports of a phone at loopback."""
        self._reactor = reactor
        self._ports = ports
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4))
        self._socket.bind(("lo", _IPV4))
        self._socket.setblocking(False)
        self.ways: set[tuple[int, int]] = set()
        "from which ports of the node to which of the phone RTP has come"
        self._heard: defaultdict[int, list[tuple[float, int, int]]] = defaultdict(list)
        reactor.addReader(self)

    def packets(self, since: float) -> Iterator[list[tuple[float, int, int]]]:
        """Give the packets of each SSRC since a moment: when they came (Unix time), their sequence numbers and octets."""
        for heard in self._heard.values():
            yield [packet for packet in heard if packet[0] > since]

    def gap(self, since: float) -> float:
        """Return the longest time without any packet since a moment, up to now."""
        times = sorted(packet[0] for packets in self.packets(since) for packet in packets)
        moments: list[float] = [since, *times, self._reactor.seconds()]
        return max(late - early for early, late in pairwise(moments))

    def missing(self, since: float) -> int:
        """Return how many packets between two that came since a moment have not come, and how many came again.

        Those of the last moments do not count, as one of them may still come.
        """
        until, wrong = self._reactor.seconds() - LATE, 0
        for packets in self._heard.values():
            numbers = [(number - packets[0][1] + 0x8000) % 0x10000 for _, number, _ in packets]
            within = [number for number, (at, *_) in zip(numbers, packets, strict=True) if since < at < until]
            span = range(min(within, default=0), max(within, default=-1) + 1)
            found = [number for number in numbers if number in span]
            wrong += len(span) + len(found) - 2 * len(set(found))
        return wrong

    def speak(self, number: int, size: int) -> None:
        """Send an RTP packet to the node, in the phone's name and from its port."""
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as mouth:
            mouth.bind(("127.0.0.1", 0))
            for relay, phone in self.ways:
                header = _UDP.pack(phone, relay, _UDP.size + size, 0)
                mouth.sendto(
                    header + (b"\x80\x60" + number.to_bytes(2, "big")).ljust(size, b"x"), ("127.0.0.1", 0)
                )

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """Return what the reactor calls this."""
        return "tap"

    def doRead(self) -> None:
        """Take all that has come."""
        while True:
            try:
                packet = self._socket.recv(65_535)
            except BlockingIOError:
                return
            self._take(packet)

    def connectionLost(self, reason: object) -> None:
        """Hear that the reactor listens no more."""
        self._socket.close()

    def _take(self, packet: bytes) -> None:
        start = 4 * (packet[0] & 0x0F)
        if packet[9] != socket.IPPROTO_UDP:
            return
        source, to, _, _ = _UDP.unpack_from(packet, start)
        if to not in self._ports:
            return
        datagram = packet[start + _UDP.size :]
        if len(datagram) < _RTP.size or datagram[1] & 0x7F in _RTCP_TYPES:
            return
        self.ways.add((source, to))
        sequence, ssrc = _RTP.unpack_from(datagram)
        self._heard[ssrc].append((self._reactor.seconds(), sequence, len(datagram)))
