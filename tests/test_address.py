"""Addresses and locators have one spelling each, and what is none is refused in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import (
    BadAddress,
    HostPort,
    Locator,
    canonical_host,
    is_loopback,
    is_never_dialled,
    is_private,
)

HOSTS = st.ip_addresses().map(lambda address: canonical_host(str(address)))
PORTS = st.integers(1, 65535)


class CanonicalHostTests(SynchronousTestCase):
    """The one spelling of an address literal."""

    def test_spellings(self) -> None:
        """Every spelling of an address comes out the same (RFC 5952); IPv4-mapped ones are IPv4."""
        for text, canonical in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:C000:201", "192.0.2.1"),
            ("[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"),
            ("2001:db8::0:1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ):
            self.assertEqual(canonical_host(text), canonical)

    def test_refused(self) -> None:
        """Names, other notations of IPv4 and half a pair of brackets are no address literals."""
        for text in (
            "",
            "localhost",
            "127.1",
            "010.0.0.1",
            "0x7f.0.0.1",
            "2130706433",
            "[::1",
            "::1]",
            "1.2.3.4 ",
        ):
            self.assertRaises(BadAddress, canonical_host, text)


class HostPortTests(SynchronousTestCase):
    """An address and a port."""

    @given(HOSTS, st.integers(0, 65535))
    def test_round_trip(self, host: str, port: int) -> None:
        """What is printed is read as the same."""
        self.assertEqual(HostPort.parse(str(HostPort(host, port))), HostPort(host, port))

    def test_refused(self) -> None:
        """A missing part, a bare IPv6 address and a number that is no port are refused, however long it is."""
        for text in (
            "",
            "127.0.0.1",
            "127.0.0.1:",
            ":5060",
            "::1:5060",
            "[::1]",
            "127.0.0.1:65536",
            "127.0.0.1:-1",
            "127.0.0.1:٥",
            "127.0.0.1:" + "9" * 5000,
            "example.com:5060",
        ):
            self.assertRaises(BadAddress, HostPort.parse, text)

    @given(st.text())
    def test_garbage(self, text: str) -> None:
        """Whatever comes is read or refused."""
        for parse in (HostPort.parse, Locator.parse):
            try:
                parse(text)
            except BadAddress:
                continue


class LocatorTests(SynchronousTestCase):
    """A bearer, an address and a port."""

    @given(st.from_regex("[a-z0-9]{1,32}", fullmatch=True), HOSTS, PORTS)
    def test_round_trip(self, bearer: str, host: str, port: int) -> None:
        """What is printed is read as the same."""
        locator = Locator(bearer, host, port)
        self.assertEqual(Locator.parse(str(locator)), locator)

    def test_refused(self) -> None:
        """A bearer's name is lower-case letters and digits, a port is not 0, and a scope means nothing elsewhere."""
        for text in (
            "192.0.2.1:5566",
            "TLS:192.0.2.1:5566",
            ":192.0.2.1:5566",
            "tls:192.0.2.1",
            "tls:192.0.2.1:0",
            "tls:[fe80::1%eth0]:5566",
            "x" * 33 + ":192.0.2.1:5566",
        ):
            self.assertRaises(BadAddress, Locator.parse, text)


class KindTests(SynchronousTestCase):
    """Which addresses mean something where."""

    def test_kinds(self) -> None:
        """Each address is of one kind: this machine's, its network's, nobody's, or everybody's."""
        for host, kind in (
            ("127.0.0.1", "loopback"),
            ("127.255.0.9", "loopback"),
            ("::1", "loopback"),
            ("10.0.0.1", "private"),
            ("172.31.0.1", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "private"),
            ("169.254.1.1", "private"),
            ("fd00::1", "private"),
            ("fe80::1", "private"),
            ("fec0::1", "private"),
            ("64:ff9b:1::808:808", "private"),
            ("0.0.0.0", "never"),
            ("::", "never"),
            ("224.0.0.1", "never"),
            ("ff02::1", "never"),
            ("255.255.255.255", "never"),
            ("240.0.0.1", "never"),
            ("8.8.8.8", "public"),
            ("2600::1", "public"),
        ):
            kinds = [name for name, test in KINDS.items() if test(host)]
            self.assertEqual(kinds[0] if kinds else "public", kind, host)


KINDS = {"never": is_never_dialled, "loopback": is_loopback, "private": is_private}
