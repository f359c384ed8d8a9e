"""One RTP stream of a test phone in both directions: PCMU and telephone events (RFC 3550, RFC 4733).

A packet goes every 20 ms, from whatever is played, else silence, as a telephone does. What comes is kept.
"""

from __future__ import annotations

import socket
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol

from p2pship.address import HostPort
from p2pship.errors import LocalError
from p2pship.testing.audio import RATE, Sound
from p2pship.testing.moment import Conditions, Moment
from p2pship.testing.pcmu import SILENCE, decode, encode
from p2pship.testing.timers import Timers

INTERVAL = 0.02
"Seconds from one packet to the next."
SAMPLES = round(RATE * INTERVAL)
"Samples in one packet."
PCMU = 0
"The payload type of PCMU (RFC 3551 §6)."
DIGITS = "0123456789*#ABCD"
"Telephone events by their number (RFC 4733 §3.2)."
TONE_PACKETS = 5
"How many packets one digit sounds: 100 ms."
END_PACKETS = 3
"How often the end of a digit is sent (RFC 4733 §2.5.1.4)."
LARGEST_BURST = 10
"Packets sent at once when the machine was late; older ones are left out."

_HEADER = struct.Struct(">BBHII")
_EVENT = struct.Struct(">BBH")
_END = 0x80
_VOLUME = 10  # -10 dBm0
_TRIES = 50


@dataclass(frozen=True)
class Packet:
    """An RTP packet that came."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    source: HostPort
    at: float
    "when it came, in the reactor's seconds"


Received = Callable[[bytes, Any], None]
"Takes a datagram and where it came from."


class Datagrams(DatagramProtocol):
    """A UDP port that hands on what comes."""

    def __init__(self, received: Received) -> None:
        """``received`` gets each datagram and its address."""
        self._received = received

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Hand it on."""
        self._received(datagram, addr)


class RTPStream:
    """Sends from, and listens at, an even port; RTCP has the next."""

    def __init__(self, reactor: Any, timers: Timers, host: str, random: Random) -> None:
        """Open a pair of ports.

        :raises LocalError: if none is free.
        """
        self.packets: list[Packet] = []
        "what came, in the order of its coming"
        self.control: list[bytes] = []
        "the RTCP packets that came"
        self.digits = ""
        "the telephone events that came"
        self.sent = 0
        "how many packets were sent"
        self.event_type = 101
        "the payload type of telephone events"
        self._conditions = Conditions()
        self._reactor = reactor
        self._timers = timers
        self._rtp: HostPort | None = None
        self._rtcp: HostPort | None = None
        self._due: float | None = None
        self._source: Iterator[int] = iter(())
        self._played: Moment[None] = Moment()
        self._events: Iterator[bytes] = iter(())
        self._waiting: list[tuple[str, Moment[None]]] = []
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(31)
        self._last_event: tuple[int, int] | None = None
        self._ports = _open_pair(reactor, host, self._rtp_received, self._rtcp_received)
        self.address = HostPort(host, self._ports[0].getHost().port)

    def aim(self, rtp: HostPort | None, rtcp: HostPort | None) -> None:
        """Send there from now on; RTP to None is not sent."""
        self._rtp, self._rtcp = rtp, rtcp
        if rtp is not None and self._due is None:
            self._due = self._reactor.seconds()
            self._tick()

    def play(self, samples: Iterable[int]) -> Deferred[None]:
        """Play samples instead of what is played now; fires when the last of them was sent or replaced."""
        self._played.fire(None)
        self._played = Moment()
        self._source = iter(samples)
        return self._played.wait()

    def send_digits(self, digits: str) -> Deferred[Any]:
        """Send digits as telephone events, after those that wait; fires when the last was sent."""
        moments: list[Moment[None]] = [Moment() for _ in digits]
        self._waiting += zip(digits, moments, strict=True)
        return gatherResults([moment.wait() for moment in moments])

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet, if there is somewhere to send it."""
        if self._rtcp is not None:
            self._ports[1].write(packet, (self._rtcp.host, self._rtcp.port))

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Wait for a condition, which is asked again with each packet that comes or goes."""
        return self._conditions.wait(condition)

    def sound(self) -> Sound:
        """Return what was heard, in the order of its coming, without what was lost."""
        samples: array[int] = array("h")
        for packet in self.packets:
            if packet.payload_type == PCMU:
                samples.extend(decode(packet.payload))
        return Sound(samples)

    def close(self) -> Deferred[Any]:
        """Stop sending, and close the ports."""
        self._rtp = self._rtcp = None
        return gatherResults([maybeDeferred(port.stopListening) for port in self._ports])

    def _tick(self) -> None:
        """Send what is due, and come again."""
        assert self._due is not None
        if self._rtp is None:
            self._due = None
            return
        now = self._reactor.seconds()
        self._due = max(self._due, now - LARGEST_BURST * INTERVAL)
        while self._due <= now:
            self._send_next(self._rtp)
            self._due += INTERVAL
        self._timers.later(self._due - now, self._tick)

    def _send_next(self, to: HostPort) -> None:
        datagram = next(self._events, None)
        if datagram is None and self._waiting:
            self._events = self._event(*self._waiting.pop(0))
            datagram = next(self._events)
        self._ports[0].write(datagram or self._audio(), (to.host, to.port))
        self._timestamp = (self._timestamp + SAMPLES) & 0xFFFFFFFF
        self.sent += 1
        self._conditions.check()

    def _audio(self) -> bytes:
        payload = encode(islice(self._source, SAMPLES))
        if len(payload) < SAMPLES:
            self._played.fire(None)
        return self._header(PCMU, self._timestamp, False) + payload.ljust(SAMPLES, bytes((SILENCE,)))

    def _event(self, digit: str, sent: Moment[None]) -> Iterator[bytes]:
        """Yield the packets of one digit; all have the timestamp of its begin (RFC 4733 §2.2)."""
        number, begin = DIGITS.index(digit), self._timestamp
        for count in range(1, TONE_PACKETS + END_PACKETS):
            flags = _VOLUME | (_END if count >= TONE_PACKETS else 0)
            duration = min(count, TONE_PACKETS) * SAMPLES
            yield self._header(self.event_type, begin, count == 1) + _EVENT.pack(number, flags, duration)
        sent.fire(None)

    def _header(self, payload_type: int, timestamp: int, marker: bool) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        return _HEADER.pack(0x80, payload_type | marker << 7, self._sequence, timestamp, self._ssrc)

    def _rtp_received(self, datagram: bytes, source: Any) -> None:
        if len(datagram) < _HEADER.size or datagram[0] >> 6 != 2:
            return
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
        payload = datagram[_HEADER.size + 4 * (first & 0x0F) :]
        at = HostPort(source[0], source[1]), self._reactor.seconds()
        packet = Packet(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, payload, *at)
        self.packets.append(packet)
        if packet.payload_type == self.event_type and len(payload) >= _EVENT.size:
            self._event_received(packet)
        self._conditions.check()

    def _event_received(self, packet: Packet) -> None:
        event = packet.ssrc, packet.timestamp
        if event != self._last_event and packet.payload[0] < len(DIGITS):
            self._last_event = event
            self.digits += DIGITS[packet.payload[0]]

    def _rtcp_received(self, datagram: bytes, source: Any) -> None:
        self.control.append(datagram)
        self._conditions.check()


def _open_pair(reactor: Any, host: str, rtp: Received, rtcp: Received) -> tuple[Any, Any]:
    """Listen at two ports that follow each other, the first of them even (RFC 3550 §11)."""
    for _ in range(_TRIES):
        port = _even_port(host)
        try:
            first = reactor.listenUDP(port, Datagrams(rtp), interface=host)
        except CannotListenError:
            continue
        try:
            return first, reactor.listenUDP(port + 1, Datagrams(rtcp), interface=host)
        except CannotListenError:
            first.stopListening()
    raise LocalError(f"no pair of ports is free at {host}")


def _even_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1]) & ~1
