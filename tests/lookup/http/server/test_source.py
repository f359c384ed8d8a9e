"""As what a request is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import BadAddress, canonical_host
from p2pship.lookup.http.server.source import asker_of, network_of
from p2pship.lookup.http.server.store import owner_of

PROXY = frozenset({"10.0.0.1", "10.0.0.2"})


class NetworkTests(SynchronousTestCase):
    """An address of IPv4, a network of IPv6."""

    def test_networks(self) -> None:
        """A line of IPv6 has as many addresses as it likes, and counts once; IPv4 in IPv6 is IPv4."""
        expected = {
            "192.0.2.1": "192.0.2.1",
            "2001:db8:1:2:3::4": "2001:db8:1:2::/64",
            "2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
            "::ffff:192.0.2.1": "192.0.2.1",
            "fe80::1%eth0": "fe80::/64",
        }
        self.assertEqual({host: network_of(host) for host in expected}, expected)

    @given(st.text())
    def test_garbage(self, text: str) -> None:
        """What is no address gives a RemoteError only."""
        try:
            network = network_of(text)
        except BadAddress:
            self.assertRaises(BadAddress, canonical_host, text)
        else:
            self.assertEqual(network, network_of(canonical_host(text)))


class SiteTests(SynchronousTestCase):
    """As whose slots are counted."""

    def test_owners(self) -> None:
        """Whoever has a site of IPv6 has one quota, not one for each of its 65,536 networks; an IPv4 address has its own."""
        sources = [network_of(each) for each in ("2001:db8:1::1", "2001:db8:1:ffff::1", "2001:db8:2::1")]
        one, same, other = (owner_of(b"salt", source) for source in sources)
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)
        self.assertNotEqual(owner_of(b"salt", "192.0.2.1"), owner_of(b"salt", "192.0.2.2"))


class ForwardedTests(SynchronousTestCase):
    """What proxies say."""

    def test_believed(self) -> None:
        """Our proxies are believed about who asked them, as far back as they follow each other, and no further."""
        self.assertEqual(asker_of("10.0.0.1", ["192.0.2.9, 192.0.2.1"], PROXY), "192.0.2.1")
        self.assertEqual(asker_of("10.0.0.1", ["192.0.2.9,192.0.2.1", "10.0.0.2"], PROXY), "192.0.2.1")
        self.assertEqual(asker_of("10.0.0.1", [], PROXY), "10.0.0.1")

    def test_both_families(self) -> None:
        """A proxy is believed too that asks a socket of IPv6 from an address of IPv4; addresses are compared, not spellings."""
        self.assertEqual(asker_of("::ffff:10.0.0.1", ["192.0.2.1"], PROXY), "192.0.2.1")
        self.assertEqual(asker_of("10.0.0.1", ["::ffff:192.0.2.1"], PROXY), "192.0.2.1")
        self.assertEqual(asker_of("2001:DB8::0:1", [], PROXY), "2001:db8::1")

    def test_not_believed(self) -> None:
        """Others are not."""
        self.assertEqual(asker_of("198.51.100.1", ["192.0.2.1"], PROXY), "198.51.100.1")
        self.assertRaises(BadAddress, asker_of, "10.0.0.1", ["me"], PROXY)
