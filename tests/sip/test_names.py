"""Tests of which person a URI names."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.aor import BadAOR
from p2pship.sip.names import OwnNames
from p2pship.sip.uri import BadURI


class OwnNamesTests(SynchronousTestCase):
    """A node with the domain home.p2pship.alt and two addresses."""

    def setUp(self) -> None:
        """Make the names."""
        self.names = OwnNames("home.p2pship.alt", lambda: ["192.0.2.7", "2001:db8::7"])

    def test_person(self) -> None:
        """A URI names a person at its host, without what is no part of a name; IPv6 keeps its brackets (RFC 5118 §4.6)."""
        for uri, aor in (
            ("sip:alice:secret@Example.com:5070;transport=tcp", "alice@example.com"),
            ("sips:user@[2001:db8:0::10]:5060", "user@[2001:db8::10]"),
            ("sip:user@[2001:db8:::192.0.2.1]", "user@[2001:db8::c000:201]"),
            ("sip:null-%00-null@example.com", "null-%00-null@example.com"),
        ):
            self.assertEqual(self.names.aor(uri), aor)

    def test_own_hosts(self) -> None:
        """Loopback, own addresses and localhost are the node; other hosts are people's domains."""
        for host in (
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "192.0.2.7",
            "[2001:db8:0::7]",
            "LOCALHOST",
            "localhost.",
            "x.localhost",
            "ip6-localhost",
            "0.0.0.0",
            "[::]",
            "127.1",
            "2130706433",
            "0x7f.1",
        ):
            self.assertTrue(self.names.is_own(host), host)
        for host in ("192.0.2.8", "example.com", "localhost.example.com", "1und1.de", "3221226248"):
            self.assertFalse(self.names.is_own(host), host)

    def test_own(self) -> None:
        """A host that is this node stands for its domain, or for the one that is given."""
        for host in ("127.0.0.1", "192.0.2.7:5060", "[2001:DB8::7]", "[::1]", "localhost"):
            self.assertEqual(self.names.aor(f"sip:bob@{host}"), "bob@home.p2pship.alt")
            self.assertEqual(self.names.aor(f"sip:bob@{host}", "example.com"), "bob@example.com")

    def test_nobody(self) -> None:
        """What names no person is an error, and so is what is no SIP URI."""
        self.assertRaises(BadAOR, self.names.aor, "sip:example.com")
        self.assertRaises(BadURI, self.names.aor, "tel:+358")
