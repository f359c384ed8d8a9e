"""The parameters of registrations and of rendezvous servers (RFC 8003 §4, RFC 8004 §4.2).

RVS_HMAC is a MAC and nothing else, so it has no class.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from p2pship.bearer.hip.fields import host_of, octets_of, split
from p2pship.bearer.hip.packet import BadPacket

_STEPS = 8
_ZERO = 64
"An octet n, unless it is 0, means 2^((n - 64) / 8) s (RFC 8003 §4.1)."

_HOST = 16
_ONE = struct.Struct(">B")
_TWO = struct.Struct(">BB")


def seconds_of(lifetime: int) -> float:
    """Return how many seconds a lifetime of one octet means; 0 ends a registration (RFC 8003 §4.1)."""
    return float(2.0 ** ((lifetime - _ZERO) / _STEPS)) if lifetime else 0.0


def lifetime_of(seconds: float) -> int:
    """Return the octet of the longest lifetime that is not longer; the shortest there is, 4 ms, for less than that, and 0 for 0."""
    if seconds <= 0:
        return 0
    nearest = (
        math.floor(_STEPS * math.log2(seconds) + 1e-9) + _ZERO
    )  # a rounded logarithm may be just below a whole one
    return min(max(nearest, 1), 255)


class RegistrationInfo(NamedTuple):
    """REG_INFO: what one may register for; nothing, if the services of a registrar have ended (RFC 8003 §4.2)."""

    shortest: int
    "lifetime, as an octet"
    longest: int
    types: tuple[int, ...]

    @classmethod
    def decode(cls, contents: bytes) -> RegistrationInfo:
        """Read it."""
        (shortest, longest), types = split(_TWO, contents, "REG_INFO")
        return cls(shortest, longest, tuple(types))

    def encode(self) -> bytes:
        """Return the contents."""
        return bytes((self.shortest, self.longest, *self.types))


class Registration(NamedTuple):
    """REG_REQUEST and REG_RESPONSE: what is asked for, and what is granted (RFC 8003 §4.3, §4.4)."""

    lifetime: int
    "as an octet"
    types: tuple[int, ...]

    @classmethod
    def decode(cls, contents: bytes) -> Registration:
        """Read it."""
        return cls(*_first_and_types(contents, "a registration"))

    def encode(self) -> bytes:
        """Return the contents."""
        return bytes((self.lifetime, *self.types))


class RegistrationFailed(NamedTuple):
    """REG_FAILED: what is not granted (RFC 8003 §4.5)."""

    reason: int
    "a RegistrationFailure, or a number that we do not know"
    types: tuple[int, ...]

    @classmethod
    def decode(cls, contents: bytes) -> RegistrationFailed:
        """Read it."""
        return cls(*_first_and_types(contents, "REG_FAILED"))

    def encode(self) -> bytes:
        """Return the contents."""
        return bytes((self.reason, *self.types))


def _first_and_types(contents: bytes, name: str) -> tuple[int, tuple[int, ...]]:
    (first,), types = split(_ONE, contents, name)
    if not types:
        raise BadPacket(f"{name} is for nothing")
    return first, tuple(types)


def decode_from(contents: bytes) -> str:
    """Return the IP address of FROM: where a packet came from that a rendezvous server has passed on (RFC 8004 §4.2.2).

    :raises BadPacket: if there is not just one.
    """
    hosts = decode_via(contents)
    if len(hosts) != 1:
        raise BadPacket(f"FROM has {len(hosts)} addresses")
    return hosts[0]


def decode_via(contents: bytes) -> tuple[str, ...]:
    """Return the IP addresses of VIA_RVS: the servers that a packet has passed (RFC 8004 §4.2.3).

    :raises BadPacket: if there is none, or not all of one.
    """
    if not contents or len(contents) % _HOST:
        raise BadPacket(f"{len(contents)} octets are no addresses")
    return tuple(host_of(contents[at : at + _HOST]) for at in range(0, len(contents), _HOST))


def encode_hosts(hosts: Sequence[str]) -> bytes:
    """Return the contents of FROM and VIA_RVS."""
    return b"".join(octets_of(host) for host in hosts)
