"""Whether the system knows how to reach a host, so that what is sent to it leaves at once.

What goes to a neighbour that the system has not found yet is kept until it answers (RFC 826, RFC 4861 §7.2.2), or for three seconds,
and takes room that others need meanwhile. An honest neighbour has been found as soon as it has sent us something: it asked for us.

Theory of operation: two questions to the kernel over netlink, 20 us together: which way a host is (RTM_GETROUTE), and whether the next
hop is found (RTM_GETNEIGH, since Linux 5.0). Nothing is remembered. See rtnetlink(7), linux/rtnetlink.h and linux/neighbour.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

REQUEST = 1
"NLM_F_REQUEST"

NEW_ROUTE, GET_ROUTE = 24, 26
NEW_NEIGHBOUR, GET_NEIGHBOUR = 28, 30

DESTINATION, INTERFACE, GATEWAY, VIA = 1, 4, 5, 18
"RTA_DST, which is NDA_DST as well, RTA_OIF, RTA_GATEWAY and RTA_VIA."

FOUND = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80
"NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_NOARP and NUD_PERMANENT: what goes there waits for nothing."

LARGEST = 4096
"Octets of an answer."

_ALIGNMENT = 4

_header = struct.Struct("=IHHII")
"Length, type, flags, sequence, port: struct nlmsghdr."

_route = struct.Struct("=BBBBBBBBI")
"Family, lengths of the destination and the source, service, table, protocol, scope, type, flags: struct rtmsg."

_neighbour = struct.Struct("=B3xiHBB")
"Family, interface, state, flags, type: struct ndmsg."

_tag = struct.Struct("=HH")
"Length and type: struct rtattr."

_index = struct.Struct("=i")

_FAMILY_SIZE = 2
"Octets before the address in RTA_VIA."

_IPV4_SIZE = 4


def open_netlink() -> socket.socket:
    """Open a socket to ask the kernel by, which answers at once.

    :raises OSError: if this system has none.
    """
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise OSError("this system has no netlink")
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


class Hop(NamedTuple):
    """Where the system sends first what goes to a host."""

    on_link: bool
    "whether that is the host itself: a neighbour, and no router"
    found: bool
    "whether the system has found it, so that what goes there leaves at once"


UNKNOWN = Hop(False, False)
"Also where the system does not tell."


class Neighbours:
    """Asks the kernel, by a netlink socket that ``opened`` makes at the first question; it raises OSError if there is none."""

    def __init__(self, opened: Callable[[], socket.socket]) -> None:
        self._opened = opened
        self._socket: socket.socket | None = None
        self._sequence = 0

    def hop(self, host: str) -> Hop:
        """Return the next hop to a host, an address without scope."""
        try:
            packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
            index, hop = self._way(packed)
            asked = _neighbour.pack(_family(hop), index, 0, 0, 0) + _attribute(DESTINATION, hop)
            _, _, state, _, _ = _neighbour.unpack_from(self._ask(GET_NEIGHBOUR, asked, NEW_NEIGHBOUR))
        except (OSError, ValueError, struct.error):
            return UNKNOWN
        return Hop(hop == packed, bool(state & FOUND))

    def _way(self, host: bytes) -> tuple[int, bytes]:
        """Return the number of the interface and the address of the next hop."""
        asked = _route.pack(_family(host), 8 * len(host), 0, 0, 0, 0, 0, 0, 0)
        asked += _attribute(DESTINATION, host)
        told = dict(_attributes(self._ask(GET_ROUTE, asked, NEW_ROUTE)[_route.size :]))
        (index,) = _index.unpack(told.get(INTERFACE, b""))
        by_other_family = (
            told[VIA][_FAMILY_SIZE:] if VIA in told else None
        )  # IPv4 by way of an IPv6 neighbour (RFC 8950)
        return index, told.get(GATEWAY) or by_other_family or host

    def _ask(self, type_: int, asked: bytes, answer: int) -> bytes:
        """Return the body of the answer to a question.

        :raises OSError: if there is none.
        """
        if self._socket is None:
            self._socket = self._opened()
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        size = _header.size + len(asked)
        self._socket.send(_header.pack(size, type_, REQUEST, self._sequence, 0) + asked)
        while True:
            octets = self._socket.recv(LARGEST)
            size, given, _, sequence, _ = _header.unpack_from(octets)
            if sequence != self._sequence:  # to a question that was given up
                continue
            if given != answer:
                raise OSError("the kernel knows nothing of it")
            return octets[_header.size : size]

    def close(self) -> None:
        """Ask no more; harmless when repeated."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _attribute(type_: int, value: bytes) -> bytes:
    return _tag.pack(_tag.size + len(value), type_) + value  # addresses need no padding


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _tag.size <= len(octets):
        size, type_ = _tag.unpack_from(octets, place)
        yield type_, octets[place + _tag.size : place + size]
        place += max(_tag.size, size + -size % _ALIGNMENT)


def _family(packed: bytes) -> int:
    return socket.AF_INET if len(packed) == _IPV4_SIZE else socket.AF_INET6
