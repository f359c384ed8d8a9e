"""Our packets before tshark: checksums over raw IP, and where each parameter begins and ends.

It reads some parameters as the first version of HIP had them; what it says of their contents is not looked at.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from unittest import skipUnless
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import parse as parse_xml
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import notify_packet
from p2pship.bearer.hip.describe import DECODERS
from p2pship.bearer.hip.locatorset import LocatorField, encode_locators
from p2pship.bearer.hip.numbers import PROTOCOL, LocatorType, NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import Builder, parse, with_checksum
from tests.bearer.hip.hosts import KINDS, TwoHosts, host, identity

RAW_IP = 101
"The link type of a file whose packets begin with IP."

GOOD = "1"

ADDRESSES = (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2"))


class Seen(NamedTuple):
    """What tshark sees of one packet."""

    checksum: str
    parameters: list[tuple[int, int, int]]
    "type, beginning in the packet, and octets without padding"
    is_malformed: bool


def ip(octets: bytes, source: str, destination: str) -> bytes:
    """Return an IP packet around a HIP packet, with its checksum."""
    checked = with_checksum(octets, source, destination)
    packed = ip_address(source).packed + ip_address(destination).packed
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28, len(checked), PROTOCOL, 64) + packed + checked
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(checked), 0, 0, 64, PROTOCOL, 0) + packed + checked


def pcap(packets: list[bytes]) -> bytes:
    """Return a file of IP packets."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)
    return head + b"".join(struct.pack("<IIII", 0, 0, len(each), len(each)) + each for each in packets)


def seen(packet: Element) -> Seen:
    """Read what tshark writes of a packet."""
    hip = packet.find("proto[@name='hip']")
    assert hip is not None
    start = int(hip.get("pos", ""))
    listed = [
        (int(each.get("show", "")), int(each.get("pos", "")) - start, len(each.get("value", "")) // 2)
        for each in hip.iter("field")
        if each.get("name") == "hip.type"
    ]
    status = next(
        each.get("show", "") for each in hip.iter("field") if each.get("name") == "hip.checksum.status"
    )
    return Seen(status, listed, packet.find("proto[@name='_ws.malformed']") is not None)


@skipUnless(shutil.which("tshark"), "tshark is not installed")
class TsharkTests(TestCase):
    """What a program sees that has nothing to do with ours."""

    def packets(self) -> list[bytes]:
        """Return packets of every type, by every kind of identity, and one with every parameter."""
        found = [self.with_everything()]
        for kind in KINDS:
            hosts = TwoHosts(
                host(identity(kind, "one"), os.urandom), host(identity(kind, "other"), os.urandom)
            )
            hosts.dial()
            hosts.talk()
            ends = hosts.associations()
            hosts.hosts[0].rekey(ends[0], hosts.now)
            hosts.talk()
            hosts.hosts[1].close(ends[1], hosts.now, "enough")
            hosts.talk()
            found += [octets for _, octets in hosts.said]
            found.append(
                notify_packet(identity(kind), ends[0].agreement.own.hit, NotifyType.INVALID_SYNTAX, b"data")
            )
        self.assertEqual({parse(octets).type for octets in found}, {*PacketType})
        return found

    def with_everything(self) -> bytes:
        """Return a packet with all of its parameters of different lengths."""
        builder = Builder(PacketType.UPDATE, identity("P-256").hit, identity("P-384").hit)
        locators = [
            LocatorField(0, LocatorType.ADDRESS, True, 60, "192.0.2.1"),
            LocatorField(0, LocatorType.SPI_AND_ADDRESS, False, 60, "2001:db8::1", 0x1000),
        ]
        builder.add(ParameterType.LOCATOR_SET, encode_locators(locators))
        for number, type_ in enumerate(
            (ParameterType.SEQ, ParameterType.ACK, ParameterType.ECHO_REQUEST_SIGNED)
        ):
            builder.add(type_, bytes(4 + 4 * number))
        for size in range(9):
            builder.add(ParameterType.ECHO_REQUEST_UNSIGNED, b"\xaa" * size)
        return builder.octets()

    def test_packets(self) -> None:
        """Every checksum is good, over IPv4 and IPv6, and every parameter begins and ends where we say."""
        packets = self.packets()
        carried = [ip(octets, *addresses) for octets in packets for addresses in ADDRESSES]
        path = Path(self.mktemp())
        path.write_bytes(pcap(carried))
        for found, octets in zip(self.look(path), [each for each in packets for _ in ADDRESSES], strict=True):
            wanted = [(each.type, each.start, 4 + len(each.contents)) for each in parse(octets).parameters]
            self.assertEqual(found, Seen(GOOD, wanted, False))
            self.assertLessEqual({type_ for type_, _, _ in wanted}, set(DECODERS))

    def look(self, path: Path) -> list[Seen]:
        """Have tshark read a file."""
        command = ["tshark", "-r", str(path), "-T", "pdml", "-o", "ip.check_checksum:FALSE"]
        written = path.with_suffix(".xml")
        with written.open("wb") as output:
            subprocess.run(command, stdout=output, stderr=subprocess.DEVNULL, check=True, timeout=60)
        return [seen(packet) for packet in parse_xml(written).getroot().iter("packet")]
