"""Which locators of a record may be dialled from here."""

import ipaddress

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import Locator
from p2pship.lookup.candidate import Candidate
from p2pship.lookup.dialable import dialable, is_public

NETWORKS = [
    ipaddress.ip_network(text) for text in ("192.168.7.0/24", "fd00:7::/64", "198.51.100.0/24", "10.9.0.0/31")
]

CASES = [
    # address, from far away, from our own network, over loopback
    ("8.8.4.4", True, True, True),
    ("2606:4700::1", True, True, True),
    ("127.0.0.1", False, False, True),
    ("127.9.9.9", False, False, True),
    ("::1", False, False, True),
    ("10.1.2.3", False, True, True),
    ("172.31.0.1", False, True, True),
    ("100.64.0.1", False, True, True),
    ("169.254.3.4", False, True, True),
    ("fd00:8::1", False, True, True),
    ("fe80::1", False, True, True),
    ("64:ff9b::808:404", True, True, True),  # 8.8.4.4 behind a translator, and so on
    ("64:ff9b::a01:203", False, True, True),
    ("64:ff9b::7f00:1", False, False, True),
    ("64:ff9b::c0a8:7ff", False, False, False),
    ("192.168.7.20", True, True, True),
    ("fd00:7::20", True, True, True),
    ("192.168.7.255", False, False, False),
    ("10.9.0.1", True, True, True),
    ("255.255.255.255", False, False, False),
    ("0.0.0.0", False, False, False),
    ("::", False, False, False),
    ("224.0.0.1", False, False, False),
    ("ff02::1", False, False, False),
    ("240.0.0.1", False, False, False),
]


def may_dial(host: str, *, over_loopback: bool = False, on_link: bool = False) -> bool:
    """Tell whether an address in a candidate from there would be dialled."""
    candidate = Candidate(b"item", "memory", over_loopback, on_link)
    return bool(dialable([Locator("tls", host, 5566)], candidate, NETWORKS))


class DialableTests(SynchronousTestCase):
    """The rules, address by address."""

    def test_far(self) -> None:
        """From far away: public addresses, and private ones of our own networks."""
        for host, far, _, _ in CASES:
            self.assertEqual(may_dial(host), far, host)

    def test_on_link(self) -> None:
        """From our own network: private ones too."""
        for host, _, on_link, _ in CASES:
            self.assertEqual(may_dial(host, on_link=True), on_link, host)

    def test_over_loopback(self) -> None:
        """From this machine: loopback too."""
        for host, _, _, over_loopback in CASES:
            self.assertEqual(may_dial(host, over_loopback=True, on_link=True), over_loopback, host)

    def test_order(self) -> None:
        """The order of preference stays."""
        locators = [Locator("tls", host, 1) for host in ("8.8.8.8", "127.0.0.1", "1.1.1.1")]
        self.assertEqual(dialable(locators, Candidate(b"", "memory"), NETWORKS), (locators[0], locators[2]))

    def test_public(self) -> None:
        """Only what is dialled from everywhere may be published to everybody."""
        for host, far, _, _ in CASES:
            own = ipaddress.ip_address(host)
            private = any(own in network for network in NETWORKS)
            self.assertEqual(is_public(Locator("tls", host, 1)), far and not private, host)
