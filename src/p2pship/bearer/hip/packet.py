"""A HIP packet: header, parameters in ascending order, checksum (RFC 7401 §5.1, §5.2.1).

A parsed packet keeps its octets: MACs and signatures cover what was sent, not what we would have sent in its place, so
each parameter knows where it lies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from p2pship.bearer.hip.numbers import HIP_VERSION, NO_NEXT_HEADER, PROTOCOL, NotifyType
from p2pship.errors import LocalError, RemoteError

HEADER_SIZE = 40
"Octets of the fixed header."

LARGEST = 2048
"Octets of a packet: 8 bits count units of 8 octets after the first (RFC 7401 §5.1)."

HIT_SIZE = 16

_HEADER = struct.Struct(">BBBBHH16s16s")
_TLV = struct.Struct(">HH")
_unpack_header = _HEADER.unpack_from
_unpack_tlv = _TLV.unpack_from

_VERSION_OCTET = HIP_VERSION << 4 | 1
"""Version, three reserved bits, and a bit that is one for compatibility with SHIM6. Only the version is looked at in what comes, and
neither is the first bit of the octet before (RFC 7401 §5.1)."""
_TYPE_MASK = 0x7F


class BadPacket(RemoteError):
    """What came is no HIP packet that can be used.

    ``notify`` says what its sender may be told, once it is known to be who it says (RFC 7401 §5.2.19).
    """

    def __init__(self, text: str = "", notify: NotifyType = NotifyType.INVALID_SYNTAX) -> None:
        super().__init__(text)
        self.notify = notify


class BadVersion(BadPacket):
    """The packet is of another version of HIP."""


class UnknownCritical(BadPacket):
    """The packet has a parameter that nobody may ignore, of a type that is not known here (RFC 7401 §5.2.1)."""

    def __init__(self, type_: int) -> None:
        super().__init__(
            f"the critical parameter {type_} is not known", NotifyType.UNSUPPORTED_CRITICAL_PARAMETER_TYPE
        )
        self.type = type_


class Parameter(NamedTuple):
    """One parameter as it lies in its packet."""

    type: int
    contents: bytes
    "without type, length and padding"
    start: int
    "where its type begins in the packet"
    end: int
    "where the next parameter begins"


class Packet(NamedTuple):
    """A packet that came."""

    raw: bytes
    type: int
    "a PacketType, or a number that we do not know"
    controls: int
    sender: bytes
    "the HIT of 16 octets"
    receiver: bytes
    "as above; zero in an I1 of opportunistic mode"
    parameters: tuple[Parameter, ...]

    def find(self, type_: int) -> bytes | None:
        """Return the contents of the first parameter of a type; None if there is none."""
        parameter = self.parameter(type_)
        return None if parameter is None else parameter.contents

    def parameter(self, type_: int) -> Parameter | None:
        """Return the first parameter of a type; None if there is none."""
        for parameter in self.parameters:
            if parameter.type == type_:
                return parameter
        return None

    def all(self, type_: int) -> Iterator[bytes]:
        """Return the contents of all parameters of a type, in their order."""
        return (parameter.contents for parameter in self.parameters if parameter.type == type_)

    def need(self, type_: int) -> bytes:
        """Return the contents of the first parameter of a type.

        :raises BadPacket: if there is none.
        """
        parameter = self.parameter(type_)
        if parameter is None:
            raise BadPacket(f"the parameter {type_} is missing")
        return parameter.contents

    def before(self, parameter: Parameter) -> bytes:
        """Return what a MAC or signature covers: all before it, with that length and no checksum (RFC 7401 §6.4)."""
        return scope(self.raw[: parameter.start])


def scope(octets: bytes) -> bytes:
    """Return the beginning of a packet, up to the end of a parameter, as if nothing followed, and without checksum.

    :raises BadPacket: if it is longer than any packet, as it may be with another parameter behind it.
    """
    if len(octets) > LARGEST:
        raise BadPacket(f"{len(octets)} octets are covered by a MAC, more than a packet may have")
    return b"%c%c%b\0\0%b" % (octets[0], len(octets) // 8 - 1, octets[2:4], octets[6:])


def parse(octets: bytes) -> Packet:
    """Read a packet; its checksum is not looked at, as over UDP there is none.

    Octets behind the packet are left out (RFC 7401 §5.1).

    :raises BadVersion: if it is of another version.
    :raises BadPacket: if its length is wrong or its parameters are not complete, in order and in units of 8 octets.
    """
    if len(octets) < HEADER_SIZE:
        raise BadPacket(f"{len(octets)} octets are no HIP packet")
    _, units, type_, version, _, controls, sender, receiver = _unpack_header(octets)
    if version >> 4 != HIP_VERSION:
        raise BadVersion(f"the packet is of version {version >> 4} of HIP")
    size = (units + 1) * 8
    if not HEADER_SIZE <= size <= len(octets):
        raise BadPacket(f"the packet says that it has {size} octets, and has {len(octets)}")
    octets = octets[:size]
    return Packet(
        octets, type_ & _TYPE_MASK, controls, sender, receiver, parse_parameters(octets, HEADER_SIZE)
    )


def parse_parameters(octets: bytes, start: int = 0) -> tuple[Parameter, ...]:
    """Read parameters from a place on up to the end.

    :raises BadPacket: if they are not complete, in order and in units of 8 octets.
    """
    found = []
    highest, size = 0, len(octets)
    while start < size:
        if size - start < _TLV.size:
            raise BadPacket("the last parameter has no type and length")
        type_, length = _unpack_tlv(octets, start)
        end = start + padded(length)
        if end > size:
            raise BadPacket(f"the parameter {type_} is cut off")
        if type_ < highest:
            raise BadPacket(f"the parameter {type_} comes after one of type {highest}")
        found.append(Parameter(type_, octets[start + 4 : start + 4 + length], start, end))
        start, highest = end, type_
    return tuple(found)


def padded(length: int) -> int:
    """Return the octets of a whole parameter with contents of a length (RFC 7401 §5.2.1)."""
    return 11 + length - (length + 3) % 8


def tlv(type_: int, contents: bytes) -> bytes:
    """Return a parameter with its padding."""
    return (_TLV.pack(type_, len(contents)) + contents).ljust(padded(len(contents)), b"\0")


class Builder:
    """A packet in the making: parameters are added in ascending order, MAC and signature over what is there so far."""

    def __init__(self, type_: int, sender: bytes, receiver: bytes, controls: int = 0) -> None:
        self._octets = bytearray(
            _HEADER.pack(NO_NEXT_HEADER, 4, type_, _VERSION_OCTET, 0, controls, sender, receiver)
        )
        self._highest = 0

    def add(self, type_: int, contents: bytes) -> Builder:
        """Add a parameter.

        :raises LocalError: if it is out of order, or the packet becomes too long.
        """
        if type_ < self._highest:
            raise LocalError(f"the parameter {type_} must come before {self._highest}")
        self._highest = type_
        self._octets += tlv(type_, contents)
        if len(self._octets) > LARGEST:
            raise LocalError(f"a packet with {len(self._octets)} octets is too long: the most is {LARGEST}")
        return self

    def octets(self) -> bytes:
        """Return the packet as it is now, without a checksum: as UDP carries it (RFC 9028 §5.1), and as a MAC covers it."""
        self._octets[1] = len(self._octets) // 8 - 1
        return bytes(self._octets)


def checksum(octets: bytes, source: str, destination: str) -> int:
    """Return the checksum of a packet between two addresses; what it holds as checksum does not count (RFC 7401 §5.1.1).

    :raises LocalError: if the addresses are not both of IPv4 or both of IPv6.
    """
    summed = _pseudo_header(source, destination, len(octets)) + octets[:4] + octets[6:]
    return ones_complement(summed)


def with_checksum(octets: bytes, source: str, destination: str) -> bytes:
    """Return a packet as raw IP carries it between two addresses."""
    return octets[:4] + checksum(octets, source, destination).to_bytes(2, "big") + octets[6:]


def has_checksum(octets: bytes, source: str, destination: str) -> bool:
    """Tell whether the checksum of a packet of at least a header, that came by raw IP, is right.

    Octets behind the packet are not in it: its length is the one that the packet says (RFC 7401 §5.1.1).
    """
    octets = octets[: (octets[1] + 1) * 8]
    return octets[4:6] == checksum(octets, source, destination).to_bytes(2, "big")


def ones_complement(octets: bytes) -> int:
    """Return the Internet checksum of an even number of octets (RFC 1071).

    A number in base 65536 has the same remainder by 65535 as the sum of its digits, which Python finds at once.
    """
    number = int.from_bytes(octets, "big")
    return ~((number % 0xFFFF) or (0xFFFF if number else 0)) & 0xFFFF


def _pseudo_header(source: str, destination: str, length: int) -> bytes:
    if ":" in source and ":" in destination:
        addresses = IPv6Address(source).packed + IPv6Address(destination).packed
        return addresses + struct.pack(">I3xB", length, PROTOCOL)
    if ":" in source or ":" in destination:
        raise LocalError(f"{source} and {destination} are of two versions of IP")
    return (
        IPv4Address(source).packed + IPv4Address(destination).packed + struct.pack(">xBH", PROTOCOL, length)
    )
