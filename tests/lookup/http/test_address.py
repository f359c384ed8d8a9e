"""Tests of the addresses of servers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.address import LONGEST, BadServer, ServerAddress
from tests.scale import scaled


class ServerAddressTests(SynchronousTestCase):
    """Reading an address."""

    def test_read(self) -> None:
        """The usual port may be left out, and a slash at the end; upper and lower case are the same in a name."""
        for text, shown, authority in (
            (
                "https://Rendezvous.example.com",
                "https://rendezvous.example.com",
                "rendezvous.example.com:443",
            ),
            ("https://r.example.com:443/", "https://r.example.com", "r.example.com:443"),
            ("http://r.example.com:5580/p2p/", "http://r.example.com:5580/p2p", "r.example.com:5580"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]", "[2001:db8::1]:443"),
            ("http://192.0.2.1", "http://192.0.2.1", "192.0.2.1:80"),
        ):
            address = ServerAddress.parse(text)
            self.assertEqual((str(address), address.authority), (shown, authority))
            self.assertEqual(ServerAddress.parse(str(address)), address)

    def test_wrong(self) -> None:
        """What is no server's address, or has more in it, is refused."""
        for text in (
            "",
            "rendezvous.example.com",
            "ftp://r.example.com",
            "https://",
            "https://:443",
            "https://r.example.com:0",
            "https://r.example.com:65536",
            "https://r.example.com:x",
            "https://user@r.example.com",
            "https://r.example.com/?q",
            "https://r.example.com/#f",
            "https://r.example.com/a b",
            "https://r.example.com/\r\nHost: x",
            "https://bücher.example",
            "https://[::1",
            "https://a..example",
            "https://.example",
            f"https://{'a' * 64}.example",
            "https://" + ".".join(["a" * 60] * 5),
            "https://a%2eb.example",
            "https://" + "a" * LONGEST,
        ):
            with self.assertRaises(BadServer, msg=text):
                ServerAddress.parse(text)

    def test_is_here(self) -> None:
        """Loopback, in all of it and by its name, is this machine; what only looks like it is not."""
        here = {
            host: ServerAddress.parse(f"http://{host}").is_here
            for host in ("127.0.0.1", "127.9.9.9", "[::1]", "localhost", "192.0.2.1", "127.0.0.1.example.com")
        }
        self.assertEqual(list(here.values()), [True] * 4 + [False] * 2)

    @settings(max_examples=scaled(300, 5000), deadline=None)
    @given(st.text(), st.sampled_from(["", "https://", "http://"]))
    def test_garbage(self, text: str, scheme: str) -> None:
        """Any text is an address that is read again as the same one, or refused."""
        try:
            address = ServerAddress.parse(scheme + text)
        except BadServer:
            return
        self.assertEqual(ServerAddress.parse(str(address)), address)
