"""The parameters of NAT traversal (RFC 9028 §5.3 to §5.13)."""

from __future__ import annotations

from p2pship.bearer.hip.fields import numbers, octets
from p2pship.bearer.hip.packet import BadPacket


def decode_modes(contents: bytes) -> tuple[int, ...]:
    """Return the modes of NAT_TRAVERSAL_MODE, most preferred first (RFC 9028 §5.4).

    :raises BadPacket: if there is none.
    """
    if len(contents) < 2:
        raise BadPacket(f"NAT_TRAVERSAL_MODE has {len(contents)} octets")
    return numbers(contents[2:], 2, "NAT_TRAVERSAL_MODE")


def encode_modes(modes: tuple[int, ...]) -> bytes:
    """Return the contents of NAT_TRAVERSAL_MODE."""
    return b"\0\0" + octets(modes, 2)
