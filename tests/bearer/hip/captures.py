"""Recorded exchanges of other programs: see tests/vectors/hip/README.md."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parents[2] / "vectors" / "hip"

WITH_SECRET = ("raw-ecdsa384-rekey-close", "raw-rsa2048", "udp-rsa2048")
"Captures whose Diffie-Hellman secret is known."

ALL = (*WITH_SECRET, "udp-mobility")

HIP, ESP, UDP = 139, 50, 17
_ETHERNET = 14
_IPV4 = b"\x08\x00"


class Captured(NamedTuple):
    """A packet, without what carries it."""

    protocol: int
    "HIP or ESP"
    octets: bytes
    source: str
    destination: str
    is_encapsulated: bool


@cache
def captured(name: str) -> tuple[Captured, ...]:
    """Return the HIP and ESP packets of a capture."""
    octets = (FOLDER / f"{name}.pcap").read_bytes()
    return tuple(_packets(octets))


def _packets(octets: bytes) -> Iterator[Captured]:
    assert octets[:4] == b"\xd4\xc3\xb2\xa1", "a pcap file in the other order of octets is not read"
    start = 24
    while start < len(octets):
        size = struct.unpack_from("<I", octets, start + 8)[0]
        frame = octets[start + 16 : start + 16 + size]
        start += 16 + size
        if frame[12:14] == _IPV4:
            yield _unwrapped(frame[_ETHERNET:])


def _unwrapped(packet: bytes) -> Captured:
    size = int.from_bytes(packet[2:4], "big")
    source, destination = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
    protocol, octets = packet[9], packet[(packet[0] & 15) * 4 : size]
    if protocol != UDP:
        return Captured(protocol, octets, source, destination, False)
    inner = octets[8:]
    if inner[:4] == bytes(4):
        return Captured(HIP, inner[4:], source, destination, True)
    return Captured(ESP, inner, source, destination, True)


def control(name: str) -> list[bytes]:
    """Return the HIP packets of a capture."""
    return [each.octets for each in captured(name) if each.protocol == HIP]


def secret(name: str) -> bytes:
    """Return the Diffie-Hellman secret of a capture."""
    text = (FOLDER / f"{name}.kij").read_text("ascii")
    return bytes.fromhex(text.partition("=")[2].strip())


@cache
def exchanges() -> list[dict[str, Any]]:
    """Return the two exchanges that are known whole."""
    found: list[dict[str, Any]] = json.loads((FOLDER / "exchanges.json").read_text("ascii"))
    return found
