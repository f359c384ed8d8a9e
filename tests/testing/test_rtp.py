"""Tests of the test phone's RTP stream, with a clock."""

from __future__ import annotations

import socket
import struct
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.address import HostPort
from p2pship.errors import LocalError
from p2pship.testing import rtp
from p2pship.testing.pcmu import encode
from p2pship.testing.programs import free_ports
from p2pship.testing.rtp import INTERVAL, LARGEST_BURST, SAMPLES, RTPStream
from p2pship.testing.timers import Timers

THERE = HostPort("192.0.2.1", 4000)
FROM_THERE = ("192.0.2.1", 4000)


class Port:
    """A UDP port that keeps what is sent."""

    def __init__(self, number: int, protocol: Any) -> None:
        self.number = number
        self.protocol = protocol
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def getHost(self) -> HostPort:
        """Return where it is."""
        return HostPort("127.0.0.1", self.number)

    def write(self, datagram: bytes, address: tuple[str, int]) -> None:
        """Keep it."""
        self.sent.append((datagram, address))

    def stopListening(self) -> Deferred[None]:
        """Stop."""
        return succeed(None)


class PortsClock(Clock):
    """A clock that opens such ports, or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[Port] = []
        self.refused: list[int] = []

    def listenUDP(self, port: int, protocol: Any, interface: str) -> Port:
        """Open one, unless its parity is refused."""
        if port % 2 in self.refused:
            raise CannotListenError(interface, port, OSError("in use"))
        self.ports.append(Port(port, protocol))
        return self.ports[-1]


class RTPStreamTests(SynchronousTestCase):
    """Sending by the clock, and taking what comes."""

    def setUp(self) -> None:
        """Open a stream."""
        self.clock = PortsClock()
        self.stream = RTPStream(self.clock, Timers(self.clock), "127.0.0.1", Random(1))
        self.rtp, self.rtcp = self.clock.ports

    def _advance(self, packets: int) -> list[bytes]:
        """Let time pass, and return what was sent."""
        before = len(self.rtp.sent)
        self.clock.pump([INTERVAL] * packets)
        return [datagram for datagram, _ in self.rtp.sent[before:]]

    def _receive(self, payload_type: int, timestamp: int, payload: bytes, first: int = 0x80) -> None:
        header = struct.pack(">BBHII", first, payload_type, 1, timestamp, 7)
        self.rtp.protocol.datagramReceived(header + payload, FROM_THERE)

    def test_ports(self) -> None:
        """RTP has an even port, RTCP the next; without a free pair there is no stream."""
        self.assertEqual((self.rtp.number % 2, self.rtcp.number), (0, self.rtp.number + 1))
        self.clock.refused = [1]
        self.assertRaises(LocalError, RTPStream, self.clock, Timers(self.clock), "127.0.0.1", Random(1))

    def test_silence(self) -> None:
        """Nothing is sent to nowhere; else a packet every 20 ms, numbered and timed (RFC 3550 §5.1)."""
        self.assertEqual(self._advance(3), [])
        self.stream.aim(THERE, None)
        headers = [struct.unpack_from(">BBHII", datagram) for datagram in self._advance(5)]
        self.assertEqual(len(headers), 5)
        self.assertEqual(
            {(header[0], header[1], header[4]) for header in headers}, {(0x80, 0, headers[0][4])}
        )
        self.assertEqual([header[2] - headers[0][2] for header in headers], list(range(5)))
        self.assertEqual([header[3] - headers[0][3] for header in headers], [SAMPLES * n for n in range(5)])
        self.assertEqual(self.rtp.sent[0], (self.rtp.sent[0][0][:12] + b"\xff" * SAMPLES, FROM_THERE))
        self.stream.aim(None, None)
        self.assertEqual(self._advance(3), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_play(self) -> None:
        """What is played goes out sample for sample, then silence; the Deferred tells the end."""
        samples = list(range(0, 100 * (2 * SAMPLES + 10), 100))
        played = self.stream.play(samples)
        self.stream.aim(THERE, None)
        self._advance(1)
        self.assertNoResult(played)
        self._advance(1)
        self.successResultOf(played)
        sent = b"".join(datagram[12:] for datagram, _ in self.rtp.sent)
        self.assertEqual(sent, encode(samples).ljust(3 * SAMPLES, b"\xff"))

    def test_play_replaced(self) -> None:
        """Playing something else ends what was played."""
        first = self.stream.play([1] * 10_000)
        second = self.stream.play([2])
        self.successResultOf(first)
        self.assertNoResult(second)

    def test_late(self) -> None:
        """A machine that was late sends so many packets at once, and no more."""
        self.stream.aim(THERE, None)
        self.clock.advance(INTERVAL * 100)
        self.assertEqual(len(self.rtp.sent), 1 + LARGEST_BURST + 1)
        self.assertEqual(len(self._advance(5)), 5)

    def test_digits(self) -> None:
        """A digit is five packets of 100 ms, the last three times, all with one timestamp (RFC 4733 §2.5.1)."""
        self.stream.aim(THERE, None)
        done = self.stream.send_digits("5#")
        sent = self._advance(14)
        self.assertNoResult(done)
        sent += self._advance(1)
        self.successResultOf(done)
        headers = [struct.unpack_from(">BBHII", datagram) for datagram in sent]
        self.assertEqual([header[1] for header in headers], [101 | 0x80, *[101] * 6] * 2 + [0])
        self.assertEqual(len({header[3] for header in headers[:7]}), 1)
        events = [struct.unpack_from(">BBH", datagram, 12) for datagram in sent[:14]]
        self.assertEqual([event[0] for event in events], [5] * 7 + [11] * 7)
        self.assertEqual([event[1] >> 7 for event in events[:7]], [0, 0, 0, 0, 1, 1, 1])
        self.assertEqual([event[2] for event in events[:7]], [SAMPLES * n for n in (1, 2, 3, 4, 5, 5, 5)])

    def test_digits_heard(self) -> None:
        """Each event counts once; events that are no digits, and what is too short, do not."""
        for timestamp, payload in (
            (1, b"\x03\x0a\x00\xa0"),
            (1, b"\x03\x8a\x01\x40"),
            (9, b"\x03\x0a\x00\xa0"),
        ):
            self._receive(101, timestamp, payload)
        self._receive(101, 10, b"\x10\x0a\x00\xa0")
        self._receive(101, 11, b"\x01")
        self.assertEqual(self.stream.digits, "33")

    def test_garbage(self) -> None:
        """What is no RTP is passed over; contributing sources are skipped."""
        for datagram in (b"", b"\x80" * 11, b"\x00" * 40):
            self.rtp.protocol.datagramReceived(datagram, FROM_THERE)
        self.assertEqual(self.stream.packets, [])
        self._receive(0, 1, b"cccc" + b"\xff" * 3, first=0x81)
        packet = self.stream.packets[0]
        self.assertEqual((packet.payload, packet.source, packet.marker), (b"\xff" * 3, THERE, False))
        self.assertEqual(list(self.stream.sound().samples), [0, 0, 0])

    def test_control(self) -> None:
        """RTCP goes where it is wanted, and is kept."""
        self.stream.send_control(b"x")
        self.stream.aim(None, THERE)
        self.stream.send_control(b"y")
        self.rtcp.protocol.datagramReceived(b"z", FROM_THERE)
        self.assertEqual((self.rtcp.sent, self.stream.control), ([(b"y", FROM_THERE)], [b"z"]))

    def test_close(self) -> None:
        """A closed stream sends nothing more."""
        self.stream.aim(THERE, THERE)
        self.successResultOf(self.stream.close())
        self.assertEqual(self._advance(2), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RealPortTests(TestCase):
    """The ports of a stream, on real sockets."""

    def test_pair_that_is_half_taken(self) -> None:
        """Where only the even port is free, another pair is taken."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", free_ports(2) + 1))
            odd = taken.getsockname()[1]
            tries = iter([odd - 1])
            real = rtp._even_port
            self.patch(rtp, "_even_port", lambda host: next(tries, None) or real(host))
            stream = RTPStream(reactor, Timers(reactor), "127.0.0.1", Random(1))
            self.addCleanup(stream.close)
            self.assertNotEqual(stream.address.port, odd - 1)
