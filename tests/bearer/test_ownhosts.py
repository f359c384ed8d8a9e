"""Tests for p2pship.bearer.ownhosts."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.ownhosts import dialled_hosts
from p2pship.network import Interface

LOOPBACK = Interface("lo", 1, (("127.0.0.1", 8), ("::1", 128)), loopback=True, multicast=False)
ETHERNET = Interface(
    "eth0", 2, (("10.0.0.7", 8), ("198.51.100.7", 24), ("fe80::7", 64)), loopback=False, multicast=True
)
RADIO = Interface("wlan0", 3, (("fd00::7", 64), ("2001:470::7", 64)), loopback=False, multicast=True)
ANY = ("0.0.0.0", "::")


class DialledHostsTests(TestCase):
    """Which addresses are shown, in which order."""

    def test_order(self) -> None:
        """Public addresses come first, then private ones, loopback last; link-local IPv6 is left out."""
        public = Interface("eth1", 4, (("8.8.8.8", 24),), loopback=False, multicast=True)
        hosts = dialled_hosts(ANY, [LOOPBACK, ETHERNET, RADIO, public])
        self.assertEqual(hosts[:2], ["2001:470::7", "8.8.8.8"])
        self.assertEqual(hosts[-2:], ["127.0.0.1", "::1"])
        self.assertIn("10.0.0.7", hosts[2:-2])
        self.assertIn("fd00::7", hosts[2:-2])
        self.assertNotIn("fe80::7", hosts)

    def test_one_family(self) -> None:
        """Where one family is listened on, the other is not shown."""
        self.assertEqual(dialled_hosts(("::",), [LOOPBACK, ETHERNET]), ["::1"])
        self.assertEqual(dialled_hosts(("0.0.0.0",), [RADIO, LOOPBACK]), ["127.0.0.1"])

    def test_some_addresses(self) -> None:
        """Only addresses that are listened on and there are shown, each once."""
        listen = ("10.0.0.7", "192.0.2.99")
        self.assertEqual(dialled_hosts(listen, [LOOPBACK, ETHERNET, ETHERNET]), ["10.0.0.7"])
        self.assertEqual(dialled_hosts((), [ETHERNET]), [])
