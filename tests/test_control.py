"""The control socket answers its owner, whatever comes, and nobody else."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.interfaces import IReactorUNIX
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from p2pship.control import LONGEST_REQUEST, MOST_CONNECTIONS, MOST_WAITING, ControlServer
from p2pship.controlpath import ControlPath
from p2pship.errors import LocalError, RemoteError

T = TypeVar("T")


class Talk(Protocol):
    """Sends what it is told and collects what comes."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed: Deferred[None] = Deferred()
        self._expected = 0
        self._arrived: Deferred[list[Any]] = Deferred()

    def ask(self, data: bytes, answers: int = 1) -> Deferred[list[Any]]:
        """Send, and fire with the answers when there are as many in all."""
        self._expected = answers
        self._arrived = Deferred()
        assert self.transport is not None
        self.transport.write(data)
        return self._arrived

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if self.heard.count(b"\n") >= self._expected > 0 and not self._arrived.called:
            self._arrived.callback([json.loads(line) for line in self.heard.splitlines()])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed.callback(None)


def attempt(call: Callable[[Any], T], argument: object) -> T | None:
    """Return what a call on a socket gives; None if it would have to wait."""
    try:
        return call(argument)
    except BlockingIOError:
        return None


class ControlServerTests(TestCase):
    """Requests over the real socket."""

    def setUp(self) -> None:
        self.state = Path(tempfile.mkdtemp())  # mktemp's path can be too long for a socket
        self.addCleanup(shutil.rmtree, self.state)
        self.slow: list[Deferred[str]] = []
        self.cancelled: list[Deferred[str]] = []

    def wait(self, arguments: dict[str, Any]) -> Deferred[str]:
        """Answer a command when the test says so."""
        self.slow.append(Deferred(self.cancelled.append))
        return self.slow[-1]

    def refuse(self, arguments: dict[str, Any]) -> None:
        """Refuse a command."""
        raise RemoteError("nobody is called that")

    def break_(self, arguments: dict[str, Any]) -> object:
        """Answer a command with what JSON does not have, or fail."""
        return object() if arguments else 1 / 0

    def tell(self, tell: Callable[[Any], None]) -> Deferred[str]:
        """Tell some news, and answer when the test says so."""
        for news in ("a", {"b": 1}):
            tell(news)
        return self.wait({})

    async def server(self) -> ControlServer:
        """Start a server that has these commands."""
        commands = {
            "echo": lambda arguments: arguments,
            "wait": self.wait,
            "no": self.refuse,
            "break": self.break_,
            "news": lambda arguments: self.tell,
        }
        server = ControlServer(IReactorUNIX(reactor), self.state, commands)
        server.startService()
        self.addCleanup(server.stopService)
        return server

    async def connect(self) -> Talk:
        """Connect, and disconnect after the test."""
        path = str(ControlPath(self.state).find())
        talk = Talk()
        await connectProtocol(UNIXClientEndpoint(reactor, path), talk)
        self.addCleanup(lambda: talk.closed)
        assert talk.transport is not None
        self.addCleanup(talk.transport.loseConnection)
        return talk

    async def test_answer(self) -> None:
        """A command gets its arguments, and its result comes back; one connection serves several."""
        await self.server()
        talk = await self.connect()
        await talk.ask(b'{"command": "echo", "arguments": {"a": "\xc3\xbc"}}\n')
        answers = await talk.ask(b'{"command": "echo"}\n', 2)
        self.assertEqual(answers, [{"ok": True, "result": {"a": "ü"}}, {"ok": True, "result": {}}])

    async def test_refused(self) -> None:
        """An error of ours is told in its words; a bug is told as one, and logged."""
        await self.server()
        talk = await self.connect()
        answers = await talk.ask(
            b'{"command": "no"}\n{"command": "break"}\n{"command": "break", "arguments": {"x": 1}}\n', 3
        )
        inside = {"ok": False, "error": "the command failed inside the node: its log says how"}
        self.assertEqual(answers, [{"ok": False, "error": "nobody is called that"}, inside, inside])
        self.assertEqual(
            [len(self.flushLoggedErrors(kind)) for kind in (ZeroDivisionError, TypeError)], [1, 1]
        )

    async def test_news(self) -> None:
        """What a command tells meanwhile comes at once, and its answer afterwards; hanging up cancels it."""
        await self.server()
        talk = await self.connect()
        news = [{"news": "a"}, {"news": {"b": 1}}]
        self.assertEqual(await talk.ask(b'{"command": "news"}\n', 2), news)
        answered = talk.ask(b"", 3)
        self.slow[0].callback("done")
        self.assertEqual(await answered, [*news, {"ok": True, "result": "done"}])
        await talk.ask(b'{"command": "news"}\n', 5)
        assert talk.transport is not None
        talk.transport.loseConnection()
        await talk.closed
        while not self.cancelled:
            await self.turn()
        self.assertEqual(self.cancelled, self.slow[1:])

    async def test_garbage(self) -> None:
        """What is no request is answered with an error, and the next one is served."""
        await self.server()
        talk = await self.connect()
        lines = [
            b"",
            b"{",
            b"[]",
            b"1",
            b'{"command": 1}',
            b'{"command": "echo", "arguments": []}',
            b"\xff",
            b"[" * 9999,
        ]
        answers = await talk.ask(
            b"\n".join([*lines, b'{"command": "ecko"}', b'{"command": "echo"}', b""]), 10
        )
        for answer in answers[:8]:
            self.assertEqual(
                answer,
                {"ok": False, "error": "The request is not a line of JSON with a command and its arguments."},
            )
        self.assertEqual(
            answers[8:],
            [
                {"ok": False, "error": "there is no command 'ecko': there are break, echo, news, no, wait"},
                {"ok": True, "result": {}},
            ],
        )

    async def test_one_at_a_time(self) -> None:
        """Requests that come while one is under way wait for it, up to a number of them."""
        await self.server()
        talk = await self.connect()
        asked = talk.ask(b'{"command": "wait"}\n{"command": "echo"}\n{"command": "wait"}\n', 2)
        while not self.slow:
            await self.turn()
        self.slow[0].callback("done")
        self.assertEqual(await asked, [{"ok": True, "result": "done"}, {"ok": True, "result": {}}])
        overrun = await talk.ask(b'{"command": "echo"}\n' * (MOST_WAITING + 1), 3)
        self.assertEqual(overrun[2], {"ok": False, "error": "too many requests at once"})
        await talk.closed

    async def test_too_long(self) -> None:
        """A request beyond the limit is answered with an error, and the connection ends."""
        await self.server()
        talk = await self.connect()
        answers = await talk.ask(b"x" * (LONGEST_REQUEST + 1))
        self.assertEqual(answers, [{"ok": False, "error": "the request is longer than 8,500,000 octets"}])
        await talk.closed

    async def test_does_not_read(self) -> None:
        """Who asks without end and reads no answer is read from no more, and served when it reads again."""
        await self.server()
        requests = b'{"command": "echo", "arguments": {"x": "%s"}}\n' % (b"x" * 10_000) * 400
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(ControlPath(self.state).find()))
            deaf.setblocking(False)
            sent, idle = 0, 0
            while idle < 50 and sent < len(requests):
                more = attempt(deaf.send, requests[sent:])
                sent, idle = sent + (more or 0), idle + 1 if more is None else 0
                await self.turn()
            self.assertLess(sent, len(requests) // 2)
            heard = b""
            while heard.count(b"\n") < 400:
                sent += attempt(deaf.send, requests[sent:]) or 0
                heard += attempt(deaf.recv, 1 << 20) or b""
                await self.turn()
        self.assertEqual(heard.count(b'"ok": true'), 400)

    async def test_hang_up_cancels(self) -> None:
        """Whoever hangs up no longer waits: the command is cancelled, and nothing is logged."""
        await self.server()
        talk = await self.connect()
        talk.ask(b'{"command": "wait"}\n')
        while not self.slow:
            await self.turn()
        assert talk.transport is not None
        talk.transport.loseConnection()
        await talk.closed
        while not self.cancelled:
            await self.turn()
        self.assertEqual(self.cancelled, self.slow)

    async def test_stop(self) -> None:
        """Stopping hangs up, and takes the socket away."""
        server = await self.server()
        talk = await self.connect()
        talk.ask(b'{"command": "wait"}\n')
        while not self.slow:
            await self.turn()
        await server.stopService()
        await talk.closed
        self.assertEqual(list(self.state.iterdir()), [])

    async def test_many_connections(self) -> None:
        """Beyond the limit a connection is closed at once; the others are served."""
        await self.server()
        talks = [await self.connect() for _ in range(MOST_CONNECTIONS)]
        for talk in talks:
            await talk.ask(b'{"command": "echo"}\n')
        await (await self.connect()).closed
        await talks[-1].ask(b'{"command": "echo"}\n', 2)

    async def test_private(self) -> None:
        """The socket is its owner's alone, and the process's umask is as before."""
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        await self.server()
        mode = ControlPath(self.state).find().stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(os.umask(0o022), 0o022)

    async def test_left_behind(self) -> None:
        """A socket that a killed node left is replaced."""
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(self.state / "control"))
        left.close()
        await self.server()
        await (await self.connect()).ask(b'{"command": "echo"}\n')

    async def test_another_node(self) -> None:
        """A socket on which somebody answers is left alone."""
        await self.server()
        error = await self.assertFailure(Deferred.fromCoroutine(self.server()), LocalError)
        self.assertIn("another node answers on", str(error))
        await (await self.connect()).ask(b'{"command": "echo"}\n')

    async def test_in_the_way(self) -> None:
        """A file of that name that is no socket is never removed."""
        (self.state / "control").write_text("precious")
        error = await self.assertFailure(Deferred.fromCoroutine(self.server()), LocalError)
        self.assertIn("is in the way of the control socket", str(error))
        self.assertEqual((self.state / "control").read_text(), "precious")

    async def test_long_path(self) -> None:
        """In a folder whose path is too long for a socket, it is elsewhere, and found through the note."""
        self.state = self.state / ("x" * 100)
        self.state.mkdir()
        server = await self.server()
        await (await self.connect()).ask(b'{"command": "echo"}\n')
        elsewhere = ControlPath(self.state).find()
        await server.stopService()
        self.assertEqual((list(self.state.iterdir()), elsewhere.parent.exists()), ([], False))

    def turn(self) -> Deferred[None]:
        """Let the reactor run once."""
        turned: Deferred[None] = Deferred()
        reactor.callLater(0, turned.callback, None)
        return turned
