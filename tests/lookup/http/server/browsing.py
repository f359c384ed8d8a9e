"""A client of the tests: asks a server over real sockets and reads what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    FileBodyProducer,
    HTTPConnectionPool,
    readBody,
)
from twisted.web.http_headers import Headers

from p2pship.lookup.http.wire import SignedSlot, parse_event, slot_path

MOST_WAITING = 10.0
"Seconds until a test gives up."


@dataclass(frozen=True)
class Answered:
    """What a server answered."""

    status: int
    body: bytes
    headers: Headers

    @property
    def said(self) -> dict[str, Any]:
        """The JSON of the body."""
        read: dict[str, Any] = json.loads(self.body)
        return read

    def header(self, name: str) -> str:
        """Return a header field; empty if there is none."""
        return (self.headers.getRawHeaders(name) or [""])[0]


class Browser:
    """Asks one server."""

    def __init__(self, reactor: Any, base: str, policy: Any = None) -> None:
        """``base`` is the beginning of every URL, such as ``http://127.0.0.1:5580``."""
        self._base = base
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = 32
        self._agent = Agent(reactor, policy or BrowserLikePolicyForHTTPS(), pool=self._pool)

    async def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Answered:
        """Ask, and return the whole answer."""
        response = await self._response(path, method, body, headers)
        text = await readBody(response).addTimeout(MOST_WAITING, self._reactor)
        return Answered(response.code, text, response.headers)

    async def put(self, slot: SignedSlot, **headers: str) -> Answered:
        """Put a slot where it belongs."""
        path = slot_path(slot.lookup_key, slot.publication_key)
        return await self.ask(path, "PUT", slot.print(), **headers)

    async def follow(self, path: str) -> Listener:
        """Ask for what is answered bit by bit."""
        response = await self._response(path, "GET", None, {})
        listener = Listener(self._reactor, Answered(response.code, b"", response.headers))
        response.deliverBody(listener)
        return listener

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.closeCachedConnections()

    async def _response(self, path: str, method: str, body: bytes | None, headers: dict[str, str]) -> Any:
        fields = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        producer = None if body is None else FileBodyProducer(BytesIO(body))
        asked = self._agent.request(method.encode(), (self._base + path).encode(), fields, producer)
        return await asked.addTimeout(MOST_WAITING, self._reactor)


class Listener(Protocol):
    """Reads server-sent events."""

    def __init__(self, reactor: Any, head: Answered) -> None:
        self._reactor = reactor
        self.head = head
        "the answer, without its body"
        self.text = ""
        self.ended = False
        self._waiting: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.text += data.decode("ascii")
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = True
        self._wake()

    def events(self) -> list[tuple[str, str]]:
        """Return the name and data of what has come whole."""
        return list(_events(self.text))

    def slots(self) -> list[SignedSlot]:
        """Return the slots that have come."""
        return [parse_event(data) for name, data in self.events() if name == "slot"]

    async def until(self, number: int) -> None:
        """Wait until so many events have come."""
        while len(self.events()) < number and not self.ended:
            await self._more()

    async def until_end(self) -> None:
        """Wait until the server ends the answer."""
        while not self.ended:
            await self._more()

    def close(self) -> None:
        """Close the connection."""
        assert self.transport is not None
        self.transport.loseConnection()

    def _more(self) -> Deferred[None]:
        self._waiting = Deferred()
        return self._waiting.addTimeout(MOST_WAITING, self._reactor)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


def _events(text: str) -> Iterator[tuple[str, str]]:
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.partition(":")[::2] for line in block.splitlines())
        if "event" in fields:
            yield fields["event"].strip(), fields.get("data", "").strip()
