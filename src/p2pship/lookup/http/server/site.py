"""HTTP with limits: how long a body may be, how many connections there are, and nobody's address in the log."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from p2pship.address import BadAddress, canonical_host
from p2pship.lookup.http.server.places import Places
from p2pship.lookup.http.server.source import network_of

LONGEST_BODY = 32 * 1024
"Octets of a body that are read: a slot has at most 2,205, and what the P2PEXT calls carry in a form, each octet as three, is the longest."

LONGEST_PASSED_OVER = 256 * 1024
"""Octets of a longer body that are thrown away so that the refusal can be read; of one that is still longer the connection is cut,
and who sends it may never see why."""

IDLE = 60
"Seconds for a whole request, from the end of the one before: a connection without one is closed, however it trickles."

PATIENCE = 1.0
"Seconds that who still reads has when the server stops."

_CUT = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedRequest(Request):
    """A request of whose body no more is kept than any request of ours has."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.body = BytesIO()
        "what has come of the body"
        self.too_long = False
        "whether the body was longer than 32 KiB; what is in it is then cut short"
        self._octets = 0
        self._cut = False

    def gotLength(self, length: int | None) -> None:
        """Make room for a body of a length, or of one that nobody said."""
        self.content = self.body
        if length is not None and length > LONGEST_PASSED_OVER:
            self._cut_off()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._octets += len(data)
        if self._octets <= LONGEST_BODY:
            self.body.write(data)
            return
        self.too_long = True
        if self._octets > LONGEST_PASSED_OVER:
            self._cut_off()

    def _cut_off(self) -> None:
        if not self._cut:
            self._cut = True
            self.channel.write(_CUT)
            self.channel.loseConnection()


class _Channel(HTTPChannel):
    """A connection whose requests have a time to come whole, and come one by one.

    Twisted's gives them more time with every octet, and takes hundreds from one packet before anybody else has their turn.
    """

    _requests = 0

    def dataReceived(self, data: bytes) -> None:
        self._requests = 0
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        """Take a request; whoever sends the next one without waiting for the answer is hung up on, which they may expect
        (RFC 9112 §9.3.2)."""
        self._requests += 1
        if self._requests == 1:
            super().allContentReceived()
        else:
            self.loseConnection()

    def resetTimeout(self) -> None:
        """Do nothing: it begins when a connection is made, and when a request has been answered."""

    def timeoutConnection(self) -> None:
        """End the connection; Twisted's would tell the log whose it was."""
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]


class QuietSite(Site):
    """Serves one resource, and writes no access log: who asks for whom is nobody's business."""

    protocol = _Channel  # type: ignore[assignment]  # Twisted's would do HTTP/2 as well, which nobody is offered
    requestFactory = BoundedRequest
    displayTracebacks = False

    def __init__(self, resource: Resource, reactor: Any) -> None:
        super().__init__(resource, timeout=IDLE, reactor=reactor)

    def log(self, request: Any) -> None:
        """Write nothing."""


class _Connection(ProtocolWrapper):
    """A connection that has a place, or is closed at once."""

    _source: str | None = None

    def makeConnection(self, transport: Any) -> None:
        self._source = self._doorway.enter(transport.getPeer().host)
        if self._source is None:
            transport.abortConnection()
        else:
            super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        if self._source is not None:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._source is not None:
            super().connectionLost(reason)
            self._doorway.leave(self._source)

    @property
    def _doorway(self) -> Doorway:
        assert isinstance(self.factory, Doorway)
        return self.factory


class Doorway(WrappingFactory):
    """Lets in so many connections, in all and from each address; proxies may make as many as there are."""

    protocol = _Connection

    def __init__(self, wrapped: ServerFactory, places: Places, proxies: frozenset[str]) -> None:
        super().__init__(wrapped)
        self._places = places
        self._proxies = proxies
        self._through_proxies = 0
        self._emptied: Deferred[None] | None = None

    def close(self, reactor: Any) -> Deferred[None]:
        """Close every connection, when what was written has gone out or after a second; fires when none is left."""
        emptied = self._emptied = Deferred()
        for connection in tuple(self.protocols):
            connection.loseConnection()
        late = reactor.callLater(PATIENCE, self._abort)
        emptied.addCallback(lambda _: late.active() and late.cancel())
        self._tell_emptied()
        return emptied

    def _abort(self) -> None:
        for connection in tuple(self.protocols):
            connection.abortConnection()

    def _tell_emptied(self) -> None:
        emptied = self._emptied
        if emptied is not None and not self.protocols and not emptied.called:
            emptied.callback(None)

    def enter(self, host: str) -> str | None:
        """Take a place for a connection from an address, and return as what it is counted; None if there is none."""
        source = self._source(host)
        return source if source is not None and self._places.take(source) else None

    def leave(self, source: str) -> None:
        """Give back a place."""
        self._places.leave(source)
        self._tell_emptied()

    def _source(self, host: str) -> str | None:
        try:
            if canonical_host(host) not in self._proxies:
                return network_of(host)
        except BadAddress:
            return None
        self._through_proxies += 1
        return f"proxy {self._through_proxies}"  # one for each, so that no two share their places
