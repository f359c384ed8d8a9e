"""Tests of how servers are reached: TLS, proxies, and connections that are kept, over real sockets."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.protocol import Factory, Protocol
from twisted.web.server import Site

from p2pship.errors import ConfigError
from p2pship.lookup.candidate import Question
from p2pship.lookup.http.protocol import HTTPLookup
from p2pship.lookup.http.web import trusting
from p2pship.lookup.http.wire import print_slots
from p2pship.testing.programs import free_ports
from tests.lookup.http.lookupcase import LookupCase, address, response
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher
from tests.trust.webserver import Answers, listen, web_certificate

BOB = Publisher(1)
QUESTION = Question(LOOKUP_KEY)
PATH = f"/v1/slots/{LOOKUP_KEY.hex()}"
PEM = web_certificate((), authority=True).public_bytes(Encoding.PEM)


class _Through(Protocol):
    """A proxy's connection: reads CONNECT, and joins the client with the server."""

    other: Any = None
    _head = b""

    def dataReceived(self, data: bytes) -> None:
        assert isinstance(self.factory, ConnectProxy) and self.transport is not None
        if self.other is not None:
            self.other.transport.write(data)
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self.factory.asked.append(self._head)
            self.factory.connect(self)

    def joined(self, other: Any) -> None:
        """Let everything through from now on."""
        self.other = other
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 Go\r\n\r\n")

    def connectionLost(self, reason: Any = None) -> None:
        if self.other is not None:
            self.other.transport.loseConnection()


class _Beyond(Protocol):
    """The proxy's connection to the server."""

    def __init__(self, near: _Through) -> None:
        self._near = near

    def connectionMade(self) -> None:
        self._near.joined(self)

    def dataReceived(self, data: bytes) -> None:
        assert self._near.transport is not None
        self._near.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        assert self._near.transport is not None
        self._near.transport.loseConnection()


class ConnectProxy(Factory):
    """A proxy that connects to one port of loopback, whatever is asked for."""

    protocol = _Through
    noisy = False

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._port = port
        self.asked: list[bytes] = []

    def connect(self, near: _Through) -> None:
        """Connect to the server."""
        from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

        connectProtocol(TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._port), _Beyond(near))


class WebTests(LookupCase):
    """The ways to a server."""

    def secure(self, *names: str) -> int:
        """Start a server that speaks TLS under these names, and return its port."""
        self.answers = Answers()
        self.answers.pages[PATH] = print_slots([])
        port = listen(self.clock, self.answers, names)
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def trusting(self, pem: bytes, where: str, **environment: str) -> HTTPLookup:
        """Make a lookup that believes these authorities."""
        lookup = self.lookup(where, environment=environment)
        lookup._web._policy = trusting(pem)
        return lookup

    async def test_own_authority(self) -> None:
        """A server whose authority is in the file is believed; without the file, or under another name, it is not even asked."""
        port = self.secure("localhost")
        where = f"https://localhost:{port}"
        self.assertEqual(await self.found(self.trusting(PEM, where), QUESTION), [])
        self.assertEqual(self.answers.asked, [PATH])
        self.assertIn("of no authority", await self.fails(self.trusting(b"", where), QUESTION))
        await self.fails(self.trusting(PEM, f"https://127.0.0.1:{port}"), QUESTION)
        self.assertEqual(self.answers.asked, [PATH])

    def test_no_authority(self) -> None:
        """A file without certificates is refused at the start."""
        for pem in (b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            self.assertRaises(ConfigError, trusting, pem)

    async def test_certificate_without_names(self) -> None:
        """A certificate that names nobody is for nobody, though its authority is believed."""
        for names, host in (((), "localhost"), ((), "127.0.0.1"), (("localhost",), "127.0.0.1")):
            where = f"https://{host}:{self.secure(*names)}"
            error = await self.fails(self.trusting(PEM, where), QUESTION)
            self.assertIn("its certificate is for another name or address", error)
            self.assertEqual(self.answers.asked, [])

    async def test_connections_kept(self) -> None:
        """Questions one after the other take one connection, also through a proxy."""
        site = Site(answers := Answers())
        answers.pages[PATH] = print_slots([])
        made: list[Any] = []
        build = site.buildProtocol
        site.buildProtocol = lambda where: made.append(where) or build(where)  # type: ignore[method-assign, func-returns-value]
        port = self.clock.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        where = f"http://127.0.0.1:{port.getHost().port}"
        answers.pages[where + PATH] = answers.pages[PATH]
        direct, through = self.lookup(where), self.lookup(where, environment={"http_proxy": where})
        for _ in range(5):
            self.assertEqual(await self.found(direct, QUESTION), [])
            self.assertEqual(await self.found(through, QUESTION), [])
        self.assertEqual((len(made), len(answers.asked)), (2, 10))

    async def test_tunnel(self) -> None:
        """A server with TLS is reached through a proxy by CONNECT, and it is the server whose certificate counts."""
        proxy = ConnectProxy(self.clock, self.secure("r.example.com"))
        port = self.clock.listenTCP(0, proxy, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        named = f"http://me:secret@127.0.0.1:{port.getHost().port}"
        lookup = self.trusting(PEM, "https://r.example.com", https_proxy=named)
        self.assertEqual(await self.found(lookup, QUESTION), [])
        (asked,) = proxy.asked
        self.assertTrue(asked.startswith(b"CONNECT r.example.com:443 HTTP/1.1\r\n"))
        self.assertIn(b"Proxy-Authorization: Basic ", asked)
        self.assertNotIn(LOOKUP_KEY.hex().encode(), asked)
        liar = self.trusting(PEM, "https://attacker.example.com", https_proxy=named)
        await self.fails(liar, QUESTION)

    async def test_proxy_in_the_clear(self) -> None:
        """A server without TLS is asked for through a proxy by its whole URL."""
        puppet, where = self.puppet(lambda method, path: response(print_slots([])))
        lookup = self.lookup("http://r.example.com", environment={"http_proxy": where})
        self.assertEqual(await self.found(lookup, QUESTION), [])
        self.assertEqual(puppet.asked, [("GET", f"http://r.example.com:80{PATH}")])

    async def test_bad_proxy(self) -> None:
        """A proxy that cannot be used is never passed over: where the user is would be shown."""
        server = await self.server()
        lookup = self.lookup(address(server), environment={"all_proxy": "socks5://127.0.0.1:9"})
        self.assertIn("the proxy cannot be used", await self.fails(lookup, QUESTION))

    async def test_absent_proxy(self) -> None:
        """If it is the proxy that cannot be reached, that is said."""
        port = free_ports(1)
        proxies = {"http_proxy": f"127.0.0.1:{port}", "https_proxy": f"127.0.0.1:{port}"}
        for where in ("http://r.example.com", "https://r.example.com"):
            error = await self.fails(self.lookup(where, environment=proxies), QUESTION)
            self.assertIn(f"the proxy 127.0.0.1:{port} cannot be reached: connection refused", error)

    async def test_folder(self) -> None:
        """A server may be in a folder of another one."""
        puppet, where = self.puppet(lambda method, path: response(print_slots([])))
        self.assertEqual(await self.found(self.lookup(f"{where}/p2p/"), QUESTION), [])
        self.assertEqual(puppet.asked, [("GET", f"/p2p{PATH}")])

    async def test_put(self) -> None:
        """A put has the slot as its body, whole."""
        server = await self.server()
        lookup = self.lookup(address(server))
        await lookup.publish(BOB.slot(), bytes(2048))
        self.assertEqual(await self.found(lookup, QUESTION), [bytes(2048)])
        await lookup.publish(BOB.slot(), ITEM)
        self.assertEqual(await self.found(lookup, QUESTION), [ITEM])
