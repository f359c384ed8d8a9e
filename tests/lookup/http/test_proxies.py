"""Tests of the proxies that the environment names."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.address import BadServer, ServerAddress
from p2pship.lookup.http.proxies import Proxy, proxy_for
from tests.scale import scaled

SERVER = ServerAddress.parse("https://r.example.com")
CLEAR = ServerAddress.parse("http://192.0.2.1")
PROXY = Proxy("proxy.example.net", 3128)


class ProxyTests(SynchronousTestCase):
    """Which proxy is used for what."""

    def test_none(self) -> None:
        """Without a word in the environment there is none."""
        self.assertIsNone(proxy_for(SERVER, {}))
        self.assertIsNone(proxy_for(SERVER, {"https_proxy": ""}))

    def test_named(self) -> None:
        """Each kind of address has its own; all_proxy is for both, and lower case comes before upper."""
        text = "http://proxy.example.net:3128"
        for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            self.assertEqual(proxy_for(SERVER, {name: text}), PROXY)
        for name in ("http_proxy", "all_proxy", "ALL_PROXY"):
            self.assertEqual(proxy_for(CLEAR, {name: text}), PROXY)
        self.assertIsNone(proxy_for(CLEAR, {"https_proxy": text}))
        self.assertEqual(proxy_for(SERVER, {"https_proxy": text, "HTTPS_PROXY": "http://other:1"}), PROXY)

    def test_header_of_a_request(self) -> None:
        """What anybody can put into a web server's environment by a header field named Proxy does nothing."""
        self.assertIsNone(proxy_for(CLEAR, {"HTTP_PROXY": "http://attacker.example:1"}))

    def test_without(self) -> None:
        """Hosts, domains and networks are excepted as they are listed."""
        for listed, server, excepted in (
            ("example.com", SERVER, True),
            (" .example.com ,x", SERVER, True),
            ("*.example.com", SERVER, True),
            ("*", CLEAR, True),
            ("192.0.2.0/24", CLEAR, True),
            ("192.0.2.1", CLEAR, True),
            ("ample.com", SERVER, False),
            ("r.example.com.attacker", SERVER, False),
            ("192.0.3.0/24", CLEAR, False),
            (",, ,", SERVER, False),
        ):
            environment = {"all_proxy": "proxy.example.net:3128", "no_proxy": listed}
            self.assertEqual(proxy_for(server, environment), None if excepted else PROXY, listed)
        upper = {"all_proxy": "proxy.example.net:3128", "NO_PROXY": "*"}
        self.assertIsNone(proxy_for(SERVER, upper))

    def test_credentials(self) -> None:
        """A name and a password are sent as RFC 7617 §2 says."""
        proxy = Proxy.parse("http://Aladdin:open%20sesame@proxy.example.net")
        self.assertEqual(proxy, Proxy("proxy.example.net", 80, b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))

    def test_wrong(self) -> None:
        """What is no proxy in the clear is refused, never passed over: that would show where a user did not want it."""
        for text in (
            "https://proxy.example.net",
            "socks5://127.0.0.1:9050",
            "http://",
            "http://[::",
            "http://a b",
        ):
            with self.assertRaises(BadServer, msg=text):
                proxy_for(SERVER, {"all_proxy": text})

    @settings(max_examples=scaled(300, 5000), deadline=None)
    @given(st.text(), st.text())
    def test_garbage(self, named: str, without: str) -> None:
        """Any environment names a proxy, none, or is refused."""
        try:
            proxy = proxy_for(SERVER, {"all_proxy": named, "no_proxy": without})
        except BadServer:
            return
        self.assertTrue(proxy is None or proxy.host)
