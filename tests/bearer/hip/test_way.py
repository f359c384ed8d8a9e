"""Tests for p2pship.bearer.hip.way."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.carried import Carried
from p2pship.bearer.datagramport import DatagramPort
from p2pship.bearer.hip.credit import AGING_INTERVAL, Credit
from p2pship.bearer.hip.esp import LAST, inbound, outbound
from p2pship.bearer.hip.inner import FRAMES_PORT, ICMPV6, MEDIA_PORT, UDP, InnerUDP
from p2pship.bearer.hip.numbers import ESPSuite
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.suites import ESP_KEYS, OFFERED_ESP
from p2pship.bearer.hip.way import HIPWay, Incoming
from p2pship.bearer.pathmtu import BASE
from p2pship.journal import Journal

OWN, THEIR = b"\x20\x01\x00\x2a" + bytes(12), b"\x20\x01\x00\x2a" + bytes([1] * 12)
SPI = 0x1234
GCM = ESPSuite.AES_GCM_16

CARRIERS = {
    "UDP on IPv4": ("192.0.2.1", "192.0.2.2", 10500, 28),
    "UDP on IPv6": ("2001:db8::1", "2001:db8::2", 10500, 48),
    "IPv4": ("192.0.2.1", "192.0.2.2", 0, 20),
    "IPv6": ("2001:db8::1", "2001:db8::2", 0, 40),
}
"Our address, theirs, the port, and the octets of headers before ESP."


class FakePort(DatagramPort):
    """A port that writes down what it sends, or fails as the system does."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []
        self.error: OSError | None = None
        self.send = self.put

    def put(self, datagram: bytes, address: Any) -> int:
        """Write it down."""
        if self.error is not None:
            raise self.error
        self.sent.append((datagram, address))
        return len(datagram)


class _WayCase(SynchronousTestCase):
    """One way, and what opens what it sends."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = Journal()
        self.port = FakePort()
        self.worn_out: list[str] = []
        self.way, self.opens = self.between("UDP on IPv4", GCM)

    def path(self, carrier: str = "UDP on IPv4", host: str | None = None) -> Path:
        own, their, number, _ = CARRIERS[carrier]
        return Path(self.port, (host or their, number), own, host or their, number)

    def between(self, carrier: str, suite: ESPSuite) -> tuple[HIPWay, Any]:
        keys = os.urandom(ESP_KEYS[suite].size)
        way = HIPWay(
            self.clock,
            self.journal,
            outbound(suite, SPI, keys, os.urandom),
            OWN,
            THEIR,
            self.path(carrier),
            lambda: self.worn_out.append("worn out"),
            Credit(self.clock.seconds()),
        )
        return way, inbound(suite, SPI, keys)

    def sent(self) -> bytes:
        """Return the one datagram that was sent."""
        ((datagram, address),) = self.port.sent
        self.assertEqual(address, self.way.address)
        self.port.sent.clear()
        return datagram

    def counted(self, name: str) -> int:
        return self.journal.counts[name]


class PutTests(_WayCase):
    """What leaves."""

    def test_media(self) -> None:
        """A media datagram is in UDP from and to port 5567, with nothing around it."""
        self.assertTrue(self.way.put(Carried.MEDIA, b"voice"))
        header = InnerUDP(OWN, THEIR, MEDIA_PORT).header(b"voice")
        self.assertEqual(self.opens.open(self.sent()), (UDP, header + b"voice"))

    def test_frames(self) -> None:
        """Everything else is in UDP from and to port 5566, behind an octet that says what it is."""
        for kind in set(Carried) - {Carried.MEDIA}:
            self.way.put(kind, b"data")
            data = bytes([kind]) + b"data"
            header = InnerUDP(OWN, THEIR, FRAMES_PORT).header(data)
            self.assertEqual(self.opens.open(self.sent()), (UDP, header + data))

    def test_other(self) -> None:
        """Another payload is sent as it is."""
        self.way.send(ICMPV6, b"echo")
        self.assertEqual(self.opens.open(self.sent()), (ICMPV6, b"echo"))

    def test_size(self) -> None:
        """What fits the base makes datagrams of at most 1280 octets, with all headers: with every suite, carrier and kind."""
        for carrier, (_, _, _, headers) in CARRIERS.items():
            for suite in OFFERED_ESP:
                way, _ = self.between(carrier, suite)
                largest = 0
                for size in range(way.base_room - 40, way.base_room + 1):
                    for kind in (Carried.MEDIA, Carried.SEGMENT):
                        self.assertTrue(way.put(kind, bytes(size)))
                        largest = max(largest, headers + len(self.port.sent.pop()[0]))
                self.assertLessEqual(largest, BASE)
                self.assertGreater(largest, BASE - 16, "no more is wasted than padding is long")
                self.assertEqual(way.mtu.room, way.base_room)

    def test_size_raised(self) -> None:
        """So it is for every size that was found by trying."""
        for carrier, (_, _, _, headers) in CARRIERS.items():
            way, _ = self.between(carrier, GCM)
            sizes = []
            way.mtu.wanted(0.0)
            while (probe := way.mtu.probe(0.0)) is not None:
                number, octets = probe
                way.put(Carried.SEGMENT, bytes(octets))
                sizes.append(headers + len(self.port.sent.pop()[0]))
                way.mtu.probed(number, 0.0)
            self.assertEqual(len(sizes), 4)
            self.assertTrue(all(BASE < size <= 1500 for size in sizes), sizes)

    def test_other_path(self) -> None:
        """Another path begins at the base again, with the headers of its own."""
        before = self.way.base_room
        self.way.lead(self.path("UDP on IPv6"))
        self.assertEqual((self.way.base_room, self.way.mtu.room), (before - 20, before - 20))
        self.way.put(Carried.MEDIA, b"voice")
        self.assertEqual(self.port.sent.pop()[1][0], "2001:db8::2")

    def test_too_large(self) -> None:
        """What the first network does not carry is told from what is lost; a size that every path carries is lost."""
        self.port.error = OSError(errno.EMSGSIZE, "Message too long")
        self.assertFalse(self.way.put(Carried.MEDIA, bytes(self.way.base_room + 1)))
        self.assertEqual(self.counted("hip.unsent"), 0)
        for kind in (Carried.MEDIA, Carried.SEGMENT):
            self.assertTrue(self.way.put(kind, bytes(self.way.base_room)))
        self.assertEqual(self.counted("hip.unsent"), 2)

    def test_no_room(self) -> None:
        """What the system has no room for is lost, and counted."""
        self.port.error = BlockingIOError()
        self.assertTrue(self.way.put(Carried.MEDIA, b"voice"))
        self.assertEqual(self.counted("hip.unsent"), 1)

    def test_worn_out(self) -> None:
        """A key that may seal no more is said so; nothing leaves."""
        self.way.outbound.sequence = LAST
        self.assertTrue(self.way.put(Carried.MEDIA, b"voice"))
        self.assertEqual((self.port.sent, self.worn_out), ([], ["worn out"]))

    def test_renewed(self) -> None:
        """With other keys, it is those that seal, to the other SPI."""
        keys = os.urandom(ESP_KEYS[GCM].size)
        self.way.renew(outbound(GCM, 0x999, keys, os.urandom))
        self.way.put(Carried.MEDIA, b"voice")
        self.assertEqual(inbound(GCM, 0x999, keys).open(self.sent())[1][8:], b"voice")


class CreditTests(_WayCase):
    """A path that is not verified gets no more than the other side has sent (RFC 8046 §5.6)."""

    def flood(self) -> int:
        """Send a great deal, and return the octets that left."""
        for _ in range(1000):
            self.way.put(Carried.MEDIA, bytes(200))
        octets = sum(len(datagram) for datagram, _ in self.port.sent)
        self.port.sent.clear()
        return octets

    def test_nothing_received(self) -> None:
        """Who has sent nothing gets nothing there."""
        self.way.lead(self.path(host="192.0.2.77"), verified=False)
        self.assertEqual(self.flood(), 0)
        self.assertEqual(self.counted("hip.over_credit"), 1000)

    def test_as_much_as_received(self) -> None:
        """All octets that leave count, with the overhead of ESP, and there are never more than have come."""
        self.way.octets = 10_000
        self.way.lead(self.path(host="192.0.2.77"), verified=False)
        self.assertIn(self.flood(), range(9_500, 10_001))
        self.assertEqual(self.flood(), 0)

    def test_old_credit(self) -> None:
        """What came long ago counts for less and less."""
        self.way.octets = 10_000
        self.way.lead(self.path(host="192.0.2.77"), verified=False)
        self.way.put(Carried.MEDIA, b"asks for the credit once")
        self.clock.advance(100 * AGING_INTERVAL)
        self.port.sent.clear()
        self.assertEqual(self.flood(), 0)

    def test_verified(self) -> None:
        """Once the path is verified, there is no limit any more."""
        self.way.lead(self.path(host="192.0.2.77"), verified=False)
        self.way.verify(True)
        self.assertGreater(self.flood(), 200_000)


class IncomingTests(_WayCase):
    """What comes."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[tuple[Any, ...]] = []
        keys = os.urandom(ESP_KEYS[GCM].size)
        self.seals = outbound(GCM, SPI, keys, os.urandom)
        self.incoming = Incoming(
            self.journal,
            inbound(GCM, SPI, keys),
            lambda kind, data: self.told.append(("taken", kind, data)),
            lambda next_header, data: self.told.append(("other", next_header, data)),
            lambda source, port: self.told.append(("elsewhere", source)),
            lambda: self.told.append(("answer",)),
            self.way,
            lambda spi: self.told.append(("first", spi)),
        )

    def udp(self, port: int, data: bytes) -> bytes:
        """Return the packet with a UDP datagram to a port."""
        return self.seals.seal(UDP, data, InnerUDP(THEIR, OWN, port).header(data))

    def arrive(self, packet: bytes, source: Any = None, port: DatagramPort | None = None) -> None:
        self.incoming.datagram_arrived(packet, source or self.way.address, port or self.port)

    def test_taken(self) -> None:
        """Media and frames are taken as what they are; the first true packet is told, and no other."""
        self.arrive(self.udp(MEDIA_PORT, b"voice"))
        self.arrive(self.udp(FRAMES_PORT, b"\x12segment"))
        self.arrive(self.udp(MEDIA_PORT, b""))
        self.incoming.batch_ended()
        media = [
            ("taken", Carried.MEDIA, b"voice"),
            ("taken", 0x12, b"segment"),
            ("taken", Carried.MEDIA, b""),
        ]
        self.assertEqual(self.told, [("first", SPI), *media, ("answer",)])

    def test_untrue(self) -> None:
        """What is forged, altered, cut, repeated, or not UDP inside though it says so, is counted, and nobody is told."""
        packet = self.udp(MEDIA_PORT, b"voice")
        for at in range(len(packet)):
            self.arrive(packet[:at])
            self.arrive(packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :])
        self.assertEqual(self.told, [])
        refused = self.counted("hip.forged") + self.counted("hip.replayed")
        self.assertEqual((refused, self.way.octets), (2 * len(packet), 0))
        replayed = self.counted("hip.replayed")
        self.arrive(packet)
        self.told.clear()
        self.arrive(packet)
        self.arrive(self.seals.seal(UDP, bytes(7)))
        self.arrive(self.seals.seal(UDP, bytes(20)))
        self.assertEqual(self.told, [])
        self.assertEqual((self.counted("hip.replayed"), self.way.octets), (replayed + 1, len(packet)))

    def test_octets(self) -> None:
        """All octets of true packets are counted, and of no others."""
        packets = [self.udp(MEDIA_PORT, bytes(size)) for size in range(100)]
        for packet in packets:
            self.arrive(packet)
            self.arrive(packet)
        self.assertEqual(self.way.octets, sum(map(len, packets)))

    def test_unknown(self) -> None:
        """Another UDP port, and a frame without a kind, are counted and dropped; another protocol goes to whom it concerns."""
        for port in (0, 53, MEDIA_PORT + 1):
            self.arrive(self.udp(port, b"query"))
        self.arrive(self.udp(FRAMES_PORT, b""))
        self.assertEqual((self.told[1:], self.counted("hip.unknown")), ([], 4))
        self.arrive(self.seals.seal(ICMPV6, b"echo"))
        self.arrive(self.seals.seal(6, b"TCP"))
        self.assertEqual(self.told[1:], [("other", ICMPV6, b"echo"), ("other", 6, b"TCP")])

    def test_elsewhere(self) -> None:
        """It is told when something true came from another address, or to another socket, and the rest goes on."""
        self.arrive(self.udp(MEDIA_PORT, b"1"), ("192.0.2.77", 4000))
        self.arrive(self.udp(MEDIA_PORT, b"2"), port=FakePort())
        self.arrive(b"forged", ("192.0.2.88", 4000))
        told = [each[1] for each in self.told if each[0] == "elsewhere"]
        self.assertEqual(told, [("192.0.2.77", 4000), self.way.address])
        self.assertEqual([each[2] for each in self.told if each[0] == "taken"], [b"1", b"2"])

    def test_late_elsewhere(self) -> None:
        """What is late, and came from where the other side was before, is taken, and says nothing of where it is now."""
        late, newer = self.udp(MEDIA_PORT, b"late"), self.udp(MEDIA_PORT, b"newer")
        self.arrive(newer)
        self.arrive(late, ("192.0.2.77", 4000))
        self.assertEqual([each[0] for each in self.told], ["first", "taken", "taken"])
