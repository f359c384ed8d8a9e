"""The sockets of the LAN lookup: where they are bound, how far they reach, and what they hear."""

from __future__ import annotations

import ipaddress
import socket

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.lan.sockets import (
    IP_MULTICAST_ALL,
    MOST_ADDRESSES,
    Group,
    is_on_link,
    open_asker,
    open_listener,
    own_addresses,
)
from p2pship.network import Interface
from p2pship.testing.programs import free_ports

GROUP4, GROUP6 = Group("239.255.55.66", 5565), Group("ff12::5566", 5565)
LOOPBACK = Interface("lo", socket.if_nametoindex("lo"), (("127.0.0.1", 8),), loopback=True, multicast=False)


class AddressTests(SynchronousTestCase):
    """From where is asked, and who is near."""

    def test_own_addresses(self) -> None:
        """IPv4 asks from each of a few addresses, IPv6 from one, best the link-local one."""
        hosts = [f"10.0.{number}.1" for number in range(MOST_ADDRESSES + 1)]
        addresses = (
            (hosts[0], 24),
            ("2001:db8::1", 64),
            ("fe80::1", 64),
            *((host, 24) for host in hosts[1:]),
        )
        interface = Interface("eth0", 2, addresses, loopback=False, multicast=True)
        self.assertEqual(own_addresses(interface, GROUP4), hosts[:MOST_ADDRESSES])
        self.assertEqual(own_addresses(interface, GROUP6), ["fe80::1"])
        self.assertEqual(own_addresses(LOOPBACK, GROUP6), [])

    def test_on_link(self) -> None:
        """Near is who is in one of the interface's networks, or has a link-local IPv6 address."""
        networks = [ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("2001:db8::/64")]
        for host, near in (
            ("10.0.0.255", True),
            ("10.0.1.1", False),
            ("2001:db8::9", True),
            ("2001:db8:0:1::9", False),
            ("fe80::9", True),
            ("169.254.1.1", False),
        ):
            self.assertIs(is_on_link(networks, host), near, host)


class SocketTests(SynchronousTestCase):
    """What the kernel was told, on loopback."""

    def setUp(self) -> None:
        self.group = Group("239.255.55.66", free_ports(1))

    def test_listener(self) -> None:
        """It is bound to the group, so that no unicast reaches it, hears its own interface only, and shares its port."""
        with open_listener(self.group, LOOPBACK) as one, open_listener(self.group, LOOPBACK) as other:
            self.assertEqual(one.getsockname(), (self.group.host, self.group.port))
            self.assertEqual(other.getsockname(), one.getsockname())
            self.assertEqual(one.getsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL), 0)
            self.assertFalse(one.getblocking())

    def test_asker(self) -> None:
        """It has an address of the interface and a port of its own, and nothing that it sends leaves the link."""
        with open_asker(self.group, LOOPBACK, "127.0.0.1") as asker:
            host, port = asker.getsockname()
            self.assertEqual(host, "127.0.0.1")
            self.assertNotEqual(port, self.group.port)
            for option in (socket.IP_TTL, socket.IP_MULTICAST_TTL, socket.IP_MULTICAST_LOOP):
                self.assertEqual(asker.getsockopt(socket.IPPROTO_IP, option), 1)

    def test_cannot_be_used(self) -> None:
        """What cannot be opened leaves no socket behind."""
        gone = Interface("gone0", 999_999, (("203.0.113.1", 24),), loopback=False, multicast=True)
        self.assertRaises(OSError, open_listener, self.group, gone)
        self.assertRaises(OSError, open_asker, self.group, gone, "203.0.113.1")
