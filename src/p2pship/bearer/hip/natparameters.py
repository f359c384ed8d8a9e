"""The parameters of NAT traversal (RFC 9028 §5.3 to §5.15).

RELAY_HMAC is a MAC and nothing else, so it has no class; LOCATOR_SET is :mod:`p2pship.bearer.hip.locatorset`'s.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from p2pship.bearer.hip.fields import host_of, numbers, octets, octets_of, unpack
from p2pship.bearer.hip.packet import BadPacket

MOST_MODES = 6
"Entries of NAT_TRAVERSAL_MODE; a receiver drops the rest (RFC 9028 §5.4)."

UDP = 17

_ADDRESS = struct.Struct(">HBx16s")
_NUMBER = struct.Struct(">I")
_PERMISSION = struct.Struct(">HHB3x16s16sII")


def decode_modes(contents: bytes) -> tuple[int, ...]:
    """Return the modes of NAT_TRAVERSAL_MODE, most preferred first, at most six (RFC 9028 §5.4).

    :raises BadPacket: if there is none.
    """
    if len(contents) < 2:
        raise BadPacket(f"NAT_TRAVERSAL_MODE has {len(contents)} octets")
    return numbers(contents[2:], 2, "NAT_TRAVERSAL_MODE")[:MOST_MODES]


def encode_modes(modes: tuple[int, ...]) -> bytes:
    """Return the contents of NAT_TRAVERSAL_MODE."""
    return b"\0\0" + octets(modes, 2)


class TransportAddress(NamedTuple):
    """REG_FROM, RELAY_FROM, RELAY_TO, RELAYED_ADDRESS and MAPPED_ADDRESS (RFC 9028 §5.6, §5.12)."""

    host: str
    "an IP address, in its canonical spelling"
    port: int
    "0 if the protocol is IP itself"
    protocol: int = UDP
    "17 for UDP, 0 for IP itself"

    @classmethod
    def decode(cls, contents: bytes) -> TransportAddress:
        """Read it.

        :raises BadPacket: if it is of another length.
        """
        port, protocol, address = _ADDRESS.unpack(_sized(_ADDRESS, contents, "a transport address"))
        return cls(host_of(address), port, protocol)

    def encode(self) -> bytes:
        """Return the contents."""
        return _ADDRESS.pack(self.port, self.protocol, octets_of(self.host))


class PeerPermission(NamedTuple):
    """PEER_PERMISSION: whose packets a relay should pass on, and between which SPIs (RFC 9028 §5.13)."""

    relay_host: str
    relay_port: int
    peer_host: str
    peer_port: int
    protocol: int
    outbound_spi: int
    inbound_spi: int

    @classmethod
    def decode(cls, contents: bytes) -> PeerPermission:
        """Read it.

        :raises BadPacket: if it is of another length.
        """
        fields = _PERMISSION.unpack(_sized(_PERMISSION, contents, "PEER_PERMISSION"))
        relay_port, peer_port, protocol, relay, peer, outbound, inbound = fields
        return cls(host_of(relay), relay_port, host_of(peer), peer_port, protocol, outbound, inbound)

    def encode(self) -> bytes:
        """Return the contents."""
        relay, peer = octets_of(self.relay_host), octets_of(self.peer_host)
        ports = self.relay_port, self.peer_port, self.protocol
        return _PERMISSION.pack(*ports, relay, peer, self.outbound_spi, self.inbound_spi)


def decode_number(contents: bytes) -> int:
    """Return the milliseconds of TRANSACTION_PACING, the priority of CANDIDATE_PRIORITY, or what NOMINATE reserves (RFC 9028 §5.5, §5.14, §5.15).

    :raises BadPacket: if it has not four octets.
    """
    return unpack(_NUMBER, contents, "a number of 32 bits")[0]


def encode_number(number: int) -> bytes:
    """Return the contents of TRANSACTION_PACING, CANDIDATE_PRIORITY or NOMINATE, whose number is zero."""
    return _NUMBER.pack(number)


def _sized(form: struct.Struct, contents: bytes, name: str) -> bytes:
    if len(contents) != form.size:
        raise BadPacket(f"{name} has {len(contents)} octets, not {form.size}")
    return contents
