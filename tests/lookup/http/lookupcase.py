"""The lookup of the tests, and the servers that it uses: real ones on loopback, or one that answers as a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.interfaces import ILookup
from p2pship.journal import Journal
from p2pship.lookup.candidate import Question
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.lookup.http.protocol import HTTPLookup
from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.lookup.http.web import trusting
from p2pship.testing.network import StaticNetwork
from tests.lookup.recording import RecordingReceiver

PATIENCE = 30.0
"Seconds until a test gives up."

STEP = 0.01

Reply = Callable[[str, str], bytes | None]
"Returns everything that is answered to a method and a path; None: nothing, ever."


def response(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """Return a whole answer."""
    fields = {"content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body


class _Puppet(Protocol):
    """Reads requests, and answers each as it is told."""

    _buffer = b""

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, rest = self._buffer.split(b"\r\n\r\n", 1)
            length = _length(head)
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        assert isinstance(self.factory, PuppetServer) and self.transport is not None
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.factory.asked.append((method, path))
        self.factory.heads.append(head.decode())
        peer: Any = self.transport.getPeer()
        self.factory.peers.append(peer.port)
        answer = self.factory.reply(method, path)
        if answer is not None:
            self.transport.write(answer)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class PuppetServer(Factory):
    """A server that answers whatever a test wants."""

    protocol = _Puppet
    noisy = False

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[tuple[str, str]] = []
        self.heads: list[str] = []
        self.peers: list[int] = []
        "the ports from which it was asked, one for each connection"


class LookupCase(TestCase):
    """Tests with lookups and servers, all of which end with the test."""

    clock: Any = reactor

    def lookup(self, *servers: str, environment: Mapping[str, str] | None = None) -> HTTPLookup:
        """Start a lookup that uses these servers."""
        self.journal = Journal()
        self.network = StaticNetwork()
        self.clock_doubt = ClockDoubt()
        self.facts: list[str] = []
        self.journal.watch(lambda fact: self.facts.append(str(fact)))
        lookup = HTTPLookup(
            self.clock,
            servers,
            trusting(b""),
            environment or {},
            lambda length: b"\x80" * length,
            self.journal,
            self.network,
            self.clock_doubt,
        )
        lookup.start()
        self.addCleanup(lookup.stop)
        return lookup

    async def server(self, state: Path | None = None, **settings: Any) -> RendezvousServer:
        """Start a real server; the one on a state folder that another had has its slots."""
        if state is None:
            state = Path(self.mktemp())
            state.mkdir()
        options = ServerSettings(**{"listen": ("127.0.0.1",), "port": 0, **settings})
        server = make_server(self.clock, options, state, lambda length: b"\x07" * length)
        server.startService()
        await server.when_started()
        self.addCleanup(lambda: server.stopService() if server.running else None)
        return server

    def puppet(self, reply: Reply) -> tuple[PuppetServer, str]:
        """Start a server that answers as it is told, and return it and its address."""
        puppet = PuppetServer(reply)
        port = self.clock.listenTCP(0, puppet, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return puppet, f"http://127.0.0.1:{port.getHost().port}"

    async def found(self, lookup: ILookup, question: Question) -> list[bytes]:
        """Ask, wait for the end, which must be a good one, and return the items."""
        receiver = await self.asked(lookup, question)
        self.assertEqual(receiver.ends, [None])
        return [candidate.item for candidate in receiver.candidates]

    async def fails(self, lookup: ILookup, question: Question) -> str:
        """Ask, and return why the search failed; it told nothing."""
        receiver = await self.asked(lookup, question)
        (error,) = receiver.ends
        self.assertEqual(receiver.candidates, [])
        self.assertIsNotNone(error)
        return str(error)

    async def asked(self, lookup: ILookup, question: Question) -> RecordingReceiver:
        """Ask, and return who was told until the end."""
        receiver = RecordingReceiver()
        lookup.find(question, receiver)
        await receiver.ended.addTimeout(PATIENCE, self.clock)
        return receiver

    async def eventually(self, happened: Callable[[], bool]) -> None:
        """Wait until something is so."""
        waiting: Deferred[None] = Deferred.fromCoroutine(self._looked(happened))
        await waiting.addTimeout(PATIENCE, self.clock)

    async def _looked(self, happened: Callable[[], bool]) -> None:
        while not happened():
            await deferLater(self.clock, STEP, lambda: None)


def address(server: RendezvousServer) -> str:
    """Return the address of a real server."""
    host, port = server.addresses()[0]
    return f"http://{host}:{port}"
