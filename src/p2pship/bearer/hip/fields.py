"""What parameters are made of: fixed fields, lists of numbers, and the errors that their octets may have."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv6Address

from p2pship.bearer.hip.packet import BadPacket


def unpack(form: struct.Struct, contents: bytes, name: str) -> tuple[int, ...]:
    """Return the numbers that are all the contents of a parameter.

    :raises BadPacket: if there are more or fewer octets.
    """
    if len(contents) != form.size:
        raise BadPacket(f"{name} has {len(contents)} octets, not {form.size}")
    return form.unpack(contents)


def split(form: struct.Struct, contents: bytes, name: str) -> tuple[tuple[int, ...], bytes]:
    """Return the numbers at the beginning of a parameter, and what follows them.

    :raises BadPacket: if there are fewer octets.
    """
    if len(contents) < form.size:
        raise BadPacket(f"{name} has {len(contents)} octets, fewer than {form.size}")
    return form.unpack_from(contents), contents[form.size :]


def numbers(contents: bytes, size: int, name: str) -> tuple[int, ...]:
    """Return a list of numbers of ``size`` octets each, at least one.

    :raises BadPacket: if it is empty, or not all of a number is there.
    """
    if not contents or len(contents) % size:
        raise BadPacket(f"{name} has {len(contents)} octets, which is no list of numbers of {size} octets")
    return tuple(int.from_bytes(contents[at : at + size], "big") for at in range(0, len(contents), size))


def octets(listed: Sequence[int], size: int) -> bytes:
    """Return the octets of a list of numbers of ``size`` octets each."""
    return b"".join(number.to_bytes(size, "big") for number in listed)


def host_of(octets: bytes) -> str:
    """Return the IP address in 16 octets, which hold one of IPv4 as the lower part of ``::ffff:0:0``, in its canonical spelling."""
    address = IPv6Address(octets)
    return str(address.ipv4_mapped or address)


def octets_of(host: str) -> bytes:
    """Return the 16 octets of an IP address."""
    return IPv6Address(host if ":" in host else f"::ffff:{host}").packed
