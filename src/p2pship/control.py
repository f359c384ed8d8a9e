"""The control socket: a Unix socket that only its owner may use, on which a running node answers commands.

A request is one line of JSON, ``{"command": "status", "arguments": {}}``; its answer is one line, ``{"ok": true,
"result": …}`` or ``{"ok": false, "error": "words"}``; some commands send lines ``{"news": …}`` before it. The requests of a
connection are answered in order, one at a time; closing the connection cancels what is under way.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IConsumer, IListeningPort, IPushProducer, IReactorUNIX, ITCPTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.controlpath import ControlPath
from p2pship.errors import LocalError, P2PShipError, RemoteError

LONGEST_REQUEST = 8_500_000
"Octets of a request: a command with a file, such as a backup, in base64."

MOST_WAITING = 16
"Requests that wait on one connection: more come only from a program that does not read its answers."

MOST_CONNECTIONS = 128
"Connections at a time: a page, a monitor or two, and the commands that a script gives all at once."

PROBE_SECONDS = 1.0
"How long a socket found in place may take to accept; a Unix socket with a listener does so at once."

Command = Callable[[dict[str, Any]], Any]
"""Takes the arguments; returns what JSON has, or a Deferred of it, or a callable that returns either and is given what tells news
meanwhile. A P2PShipError is told in its words."""


class BadRequest(RemoteError):
    """The request is not a line of JSON with a command and its arguments."""


class ControlServer(Service):
    """Listens on the control socket of a state folder while it runs.

    :raises LocalError: from ``startService``, if another node answers there or the socket cannot be made.
    """

    def __init__(self, reactor: IReactorUNIX, state: Path, commands: Mapping[str, Command]) -> None:
        self._reactor = reactor
        self._path = ControlPath(state)
        self._factory = _ConversationFactory(commands)
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        super().startService()
        path = self._path.choose()
        _remove_stale(path)
        try:
            with _created_for_owner():
                self._port = self._reactor.listenUNIX(str(path), self._factory, mode=0o600)
        except CannotListenError as error:
            raise LocalError(f"the control socket {path} cannot be made: {error.socketError}") from error

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        port, self._port = self._port, None
        if port is None:
            return maybeDeferred(lambda: None)
        stopped = maybeDeferred(port.stopListening)
        stopped.addCallback(
            lambda _: DeferredList([talk.hang_up() for talk in tuple(self._factory.conversations)])
        )
        return stopped.addCallback(lambda _: self._path.forget())


class _ConversationFactory(Factory):
    """Makes a conversation for each connection, up to a number of them."""

    noisy = False

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self.commands = commands
        self.conversations: set[_Conversation] = set()

    def buildProtocol(self, addr: object) -> _Conversation | None:
        if len(self.conversations) >= MOST_CONNECTIONS:
            return None
        return _Conversation(self)


@implementer(IPushProducer)
class _Conversation(LineReceiver):
    """One connection: requests wait in line, one is under way at a time."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_REQUEST
    log = Logger()

    def __init__(self, factory: _ConversationFactory) -> None:
        self._talks = factory
        self._waiting: deque[bytes] = deque()
        self._under_way: Deferred[Any] | None = None
        self._gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._talks.conversations.add(self)
        # No more is read while answers wait to leave: who only asks, and reads nothing, does not fill our memory.
        IConsumer(self.transport).registerProducer(self, True)

    def lineReceived(self, line: bytes) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._end("too many requests at once")
            return
        self._waiting.append(line)
        self._next()

    def lineLengthExceeded(self, line: bytes) -> None:
        self._end(f"the request is longer than {LONGEST_REQUEST:,} octets")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self._talks.conversations.discard(self)
        self._waiting.clear()
        if self._under_way is not None:
            self._under_way.cancel()
        self._gone.callback(None)

    def hang_up(self) -> Deferred[None]:
        """Close, and fire when closed."""
        ITCPTransport(self.transport).abortConnection()
        return self._gone

    def _next(self) -> None:
        if self._under_way is not None or not self._waiting:
            return
        self._under_way = maybeDeferred(self._run, self._waiting.popleft())
        self._under_way.addCallbacks(self._answered, self._failed).addBoth(self._done)

    def _run(self, line: bytes) -> Any:
        name, arguments = _parsed(line)
        command = self._talks.commands.get(name)
        if command is None:
            raise BadRequest(
                f"there is no command {name!r}: there are {', '.join(sorted(self._talks.commands))}"
            )
        result = command(arguments)
        return result(self._tell) if callable(result) else result

    def _tell(self, news: Any) -> None:
        self._reply({"news": news})

    def _answered(self, result: Any) -> None:
        self._reply({"ok": True, "result": result})

    def _failed(self, failure: Failure) -> None:
        if failure.check(P2PShipError):
            self._reply({"ok": False, "error": str(failure.value)})
            return
        self._broken(failure)

    def _done(self, result: object) -> None:
        if isinstance(result, Failure):
            self._broken(result)
        self._under_way = None
        self._next()

    def _broken(self, failure: Failure) -> None:
        if not self.connected:
            return
        self.log.failure("a command failed", failure)
        self._reply({"ok": False, "error": "the command failed inside the node: its log says how"})

    def _reply(self, answer: dict[str, Any]) -> None:
        if self.connected:
            self.sendLine(json.dumps(answer, ensure_ascii=False).encode(errors="replace"))

    def _end(self, error: str) -> None:
        self._reply({"ok": False, "error": error})
        IConsumer(self.transport).unregisterProducer()
        ITCPTransport(self.transport).loseConnection()


def _parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest() from None
    if not isinstance(request, dict):
        raise BadRequest()
    name, arguments = request.get("command"), request.get("arguments", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise BadRequest()
    return name, arguments


def _remove_stale(path: Path) -> None:
    """Remove what a node that was killed left; whoever answers is left alone, and what is no socket too."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise LocalError(f"{path} is in the way of the control socket: move it")
    if _answers(path):
        raise LocalError(f"another node answers on {path}: stop it first, or give this one another --state")
    path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError as error:
            raise LocalError(f"{path} cannot be tried: {error.strerror}") from error
    return True


@contextmanager
def _created_for_owner() -> Iterator[None]:
    """Have what is created meanwhile be the owner's from its first moment, not only after a chmod."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
