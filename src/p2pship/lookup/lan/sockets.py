"""The sockets of the LAN lookup: for each interface, one that hears the group and those that ask and answer.

They are made here, because Twisted sets no option before it binds, and joins an IPv6 group with an address where the kernel
wants the number of an interface (RFC 3493 §5.2).

A listener is bound to the group, so that nothing but questions to the group reaches it, and shares its port with the other
nodes of the machine. A unicast to a shared port would reach only one of them: questions are therefore asked from a port
of one's own, bound to an address of the interface, since a socket bound to no address may send through one interface with
the address of another.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from p2pship.network import Interface, IPNetwork

HOP_LIMIT = 1
"Questions and answers stay on the link."

IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29
"""Linux: whether a socket also gets what other sockets of the machine joined, on whatever interface it came; linux/in.h,
linux/in6.h; ip(7). Off, so that a listener hears its own interface only, which says whether a question came over loopback."""

MOST_ADDRESSES = 4
"IPv4 addresses of one interface from which a question is asked: more would multiply the multicast for nothing."


@dataclass(frozen=True, slots=True)
class Group:
    """A multicast group and its port."""

    host: str
    port: int

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 group; else it is an IPv4 one."""
        return ":" in self.host


def own_addresses(interface: Interface, group: Group) -> list[str]:
    """Return the addresses of an interface to ask from.

    With IPv6 one is enough, best the link-local one, which is there on every link and from which everybody takes a
    question. With IPv4 each network on the link needs its own: others drop a question from outside their networks.
    """
    found = [host for host, _ in interface.addresses if (":" in host) == group.is_ipv6]
    if not group.is_ipv6:
        return found[:MOST_ADDRESSES]
    return sorted(found, key=lambda host: not ipaddress.ip_address(host).is_link_local)[:1]


def is_on_link(networks: Sequence[IPNetwork], host: str) -> bool:
    """Tell whether an address, without scope, is on one of an interface's networks (RFC 6762 §11)."""
    address = ipaddress.ip_address(host)
    if address.version == 6 and address.is_link_local:
        return True
    return any(address in network for network in networks)


def open_listener(group: Group, interface: Interface) -> socket.socket:
    """Return a socket that hears what is sent to the group on this interface.

    :raises OSError: if the interface cannot be used.
    """
    made = _socket(group)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if group.is_ipv6:
            _join6(made, group, interface)
            made.bind((group.host, group.port, 0, interface.index))
        else:
            _join4(made, group, interface)
            made.bind((group.host, group.port))
    except OSError:
        made.close()
        raise
    return made


def open_asker(group: Group, interface: Interface, host: str) -> socket.socket:
    """Return a socket on an address of the interface, which sends to the group, hears the answers, and gives answers.

    :raises OSError: if the address cannot be used.
    """
    made = _socket(group)
    try:
        if group.is_ipv6:
            _send6(made, interface)
            link_local = ipaddress.ip_address(host).is_link_local
            made.bind((host, 0, 0, interface.index if link_local else 0))
        else:
            _send4(made, interface, host)
            made.bind((host, 0))
    except OSError:
        made.close()
        raise
    return made


def _socket(group: Group) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if group.is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _join4(made: socket.socket, group: Group, interface: Interface) -> None:
    made.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
    membership = _mreqn(group.host, "0.0.0.0", interface.index)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def _join6(made: socket.socket, group: Group, interface: Interface) -> None:
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
    membership = socket.inet_pton(socket.AF_INET6, group.host) + struct.pack("@I", interface.index)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)


def _send4(made: socket.socket, interface: Interface, host: str) -> None:
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _mreqn("0.0.0.0", host, interface.index))
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, HOP_LIMIT)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, HOP_LIMIT)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)


def _send6(made: socket.socket, interface: Interface) -> None:
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.index)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOP_LIMIT)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HOP_LIMIT)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)


def _mreqn(group: str, host: str, index: int) -> bytes:
    """Return a struct ip_mreqn; ip(7)."""
    return struct.pack("@4s4si", socket.inet_aton(group), socket.inet_aton(host), index)
