"""The parameter LOCATOR_SET: where a host can be reached (RFC 8046 §4, RFC 9028 §5.7)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from p2pship.bearer.hip.fields import host_of, octets_of
from p2pship.bearer.hip.numbers import LocatorType, TrafficType
from p2pship.bearer.hip.packet import BadPacket

MOST_LOCATORS = 16
"Locators of one set that are looked at."

UNLIMITED = 0xFFFF_FFFF
"The lifetime of what does not end (RFC 8046 §5.1)."

UDP = 17
"The protocol of a transport address (RFC 9028 §5.7)."

_UNIT = 4
_PREFERRED = 1
_HEAD = struct.Struct(">BBBBI")
_SPI = struct.Struct(">I")
_TRANSPORT = struct.Struct(">HBBII")
_LENGTHS = {LocatorType.ADDRESS: 4, LocatorType.SPI_AND_ADDRESS: 5, LocatorType.TRANSPORT_ADDRESS: 7}
"Units of four octets, by type."


class LocatorField(NamedTuple):
    """One locator of the set."""

    traffic: int
    type: int
    preferred: bool
    lifetime: int
    "seconds; not zero"
    host: str
    "an IP address, in its canonical spelling"
    spi: int = 0
    port: int = 0
    protocol: int = 0
    kind: int = 0
    priority: int = 0

    def encode(self) -> bytes:
        """Return its octets."""
        units = _LENGTHS[LocatorType(self.type)]
        head = _HEAD.pack(self.traffic, self.type, units, _PREFERRED * self.preferred, self.lifetime)
        address = octets_of(self.host)
        if self.type == LocatorType.SPI_AND_ADDRESS:
            return head + _SPI.pack(self.spi) + address
        if self.type == LocatorType.TRANSPORT_ADDRESS:
            return (
                head + _TRANSPORT.pack(self.port, self.protocol, self.kind, self.priority, self.spi) + address
            )
        return head + address


def encode_locators(locators: Sequence[LocatorField]) -> bytes:
    """Return the contents of LOCATOR_SET."""
    return b"".join(locator.encode() for locator in locators)


def decode_locators(contents: bytes) -> tuple[LocatorField, ...]:
    """Return the locators of a LOCATOR_SET, at most sixteen; those of types that nobody knows are left out.

    :raises BadPacket: if one of them is cut off or has another length than its type.
    """
    found = [_locator(octets) for octets in _cut(contents) if octets[1] in _LENGTHS]
    return tuple(found[:MOST_LOCATORS])


def unsupported(contents: bytes) -> bytes:
    """Return the preferred locator of a LOCATOR_SET if it is of a type that nobody knows, which its sender should hear (RFC 8046 §5.3).

    :raises BadPacket: if a locator is cut off.
    """
    preferred = (octets for octets in _cut(contents) if octets[3] & _PREFERRED)
    return next((octets for octets in preferred if octets[1] not in _LENGTHS), b"")


def _cut(contents: bytes) -> Iterator[bytes]:
    """Return the octets of each locator."""
    start = 0
    while start < len(contents):
        if len(contents) - start < _HEAD.size:
            raise BadPacket("a locator is cut off")
        end = start + _HEAD.size + contents[start + 2] * _UNIT
        if end > len(contents):
            raise BadPacket("a locator is cut off")
        yield contents[start:end]
        start = end


def _locator(octets: bytes) -> LocatorField:
    traffic, type_, units, flags, lifetime = _HEAD.unpack_from(octets)
    preferred, body = bool(flags & _PREFERRED), octets[_HEAD.size :]
    if units != _LENGTHS[LocatorType(type_)]:
        raise BadPacket(f"a locator of type {type_} has {units * _UNIT} octets")
    host = host_of(body[-16:])
    if type_ == LocatorType.SPI_AND_ADDRESS:
        return LocatorField(traffic, type_, preferred, lifetime, host, _SPI.unpack_from(body)[0])
    if type_ == LocatorType.TRANSPORT_ADDRESS:
        port, protocol, kind, priority, spi = _TRANSPORT.unpack_from(body)
        return LocatorField(traffic, type_, preferred, lifetime, host, spi, port, protocol, kind, priority)
    return LocatorField(traffic, type_, preferred, lifetime, host)


def for_data(locator: LocatorField) -> bool:
    """Tell whether a locator may be used for data as well as for control packets, as all of ours are; one with a port is in UDP."""
    is_udp = locator.protocol == UDP and bool(locator.port)
    is_usable = is_udp or locator.type != LocatorType.TRANSPORT_ADDRESS
    return is_usable and locator.traffic == TrafficType.BOTH and bool(locator.lifetime)
