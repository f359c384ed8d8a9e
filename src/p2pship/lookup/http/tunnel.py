"""Connections to a web proxy, and through one, which is asked for it by CONNECT (RFC 9110 §9.3.6)."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.webclient import why

LONGEST_HEAD = 8192
"Octets of a proxy's answer before the tunnel begins."

_END = b"\r\n\r\n"


class TunnelFailed(RemoteError):
    """The proxy makes no connection."""


@implementer(IStreamClientEndpoint)
class ProxyEndpoint:
    """Connects to a proxy; fails with TunnelFailed, which names it, if it cannot be reached."""

    def __init__(self, inner: IStreamClientEndpoint, authority: str, seconds: float) -> None:
        """``authority`` is the proxy's host and port; ``seconds`` are those that ``inner`` has."""
        self._inner = inner
        self._authority = authority
        self._seconds = seconds

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect."""
        connecting: Deferred[IProtocol] = self._inner.connect(factory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        reason = why(failure, self._seconds)
        return Failure(TunnelFailed(f"the proxy {self._authority} cannot be reached: {reason}"))


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """Connects to a server through a proxy."""

    def __init__(self, proxy: IStreamClientEndpoint, authority: str, credentials: bytes = b"") -> None:
        """``authority`` is the server's host and port; ``credentials`` are for the proxy, empty if it wants none."""
        self._proxy = proxy
        self._request = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % ((authority.encode("ascii"),) * 2)
        if credentials:
            self._request += b"Proxy-Authorization: " + credentials + b"\r\n"

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fails with TunnelFailed if the proxy does not want to."""
        return Deferred.fromCoroutine(self._connected(factory))

    async def _connected(self, factory: IProtocolFactory) -> IProtocol:
        tunnel = await self._proxy.connect(_Tunnels(self._request + b"\r\n", factory))
        assert isinstance(tunnel, _Tunnel)
        return await tunnel.made


class _Tunnels(Factory):
    """Makes the one protocol that asks for a tunnel."""

    noisy = False

    def __init__(self, request: bytes, inner: IProtocolFactory) -> None:
        self._request = request
        self._inner = inner

    def buildProtocol(self, addr: IAddress | None) -> _Tunnel:
        assert addr is not None
        return _Tunnel(self._request, self._inner, addr)


class _Tunnel(Protocol):
    """Asks for a tunnel, and hands on what then comes through it."""

    def __init__(self, request: bytes, factory: IProtocolFactory, address: IAddress) -> None:
        self._request = request
        self._factory = factory
        self._address = address
        self._head = b""
        self._inner: IProtocol | None = None
        self.made: Deferred[IProtocol] = Deferred(lambda _: self._hang_up())

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        if _END in self._head:
            self._answered(*self._head.split(_END, 1))
        elif len(self._head) > LONGEST_HEAD:
            self._fail("the proxy's answer does not end")

    def _answered(self, head: bytes, rest: bytes) -> None:
        status = head.split(b"\r\n")[0].split(b" ")
        if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
            self._fail("the proxy does not speak HTTP")
        elif not status[1].startswith(b"2") or len(status[1]) != 3:
            self._fail(f"the proxy refuses with status {status[1][:3].decode('ascii')}")
        else:
            self._begin(rest)

    def _begin(self, rest: bytes) -> None:
        inner = self._factory.buildProtocol(self._address)
        if inner is None or self.made.called:
            self._fail("nobody wants the connection")
            return
        self._inner, self._head = inner, b""
        assert self.transport is not None
        inner.makeConnection(self.transport)
        self.made.callback(inner)
        if rest:
            inner.dataReceived(rest)

    def _fail(self, reason: str) -> None:
        self._hang_up()
        if not self.made.called:
            self.made.errback(TunnelFailed(reason))

    def _hang_up(self) -> None:
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.made.called:
            self.made.errback(TunnelFailed("the proxy hung up"))
