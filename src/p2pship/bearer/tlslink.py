"""A link over TLS: from the first octet of the handshake, when it is nobody's yet, to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IHandshakeListener,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.bearer.streamlink import StreamLink
from p2pship.bearer.tlscontext import proven_key
from p2pship.errors import NotReached
from p2pship.identity.keys import BadKey
from p2pship.interfaces import ILink
from p2pship.journal import Journal

HANDSHAKE_TIME = 5.0
"Seconds from the TCP connection to a proven key: enough for two lost packets on a slow path."

LONGEST_HANDSHAKE = 16_384
"Octets from a stranger before a key is proven; ours are 2,000, of which a post-quantum key share is 1,200."


@implementer(IHandshakeListener)
class TLSLink(StreamLink):
    """One TLS connection. ``handshake`` fires with it when the other side's key is proven, or fails with NotReached."""

    encrypted = True

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        own_key: bytes,
        ended: Callable[[TLSLink], None],
        locator: Locator | None = None,
        expected: bytes = b"",
    ) -> None:
        """Make a link that dials ``locator`` for the device of the key ``expected``; without them, one that listens.

        ``ended`` is called once, when nothing of the connection is left.
        """
        super().__init__("tls", clock, journal, locator)
        self.handshake: Deferred[ILink] = Deferred(lambda _: self.give_up("it was cancelled"))
        self.connector: IConnector | None = None
        self._own_key = own_key
        self._expected = expected
        self._ended = ended
        self._timer: IDelayedCall | None = None

    def socket_of(self, transport: Any) -> Any:
        return transport.transport

    def connectionMade(self) -> None:
        super().connectionMade()
        self._timer = self._clock.callLater(
            HANDSHAKE_TIME, self.abort, f"no TLS handshake within {HANDSHAKE_TIME:.0f} s"
        )

    def handshakeCompleted(self) -> None:
        """Hear from TLS that the other side has the private key of its certificate; no octet was delivered yet."""
        self._stop_timer()
        try:
            self.proof = self._checked(proven_key(self.transport.getHandle()))
        except BadKey as error:
            self.abort(str(error))
            return
        self.hold()
        self.handshake.callback(self)

    def _checked(self, key: bytes) -> bytes:
        if key == self._own_key:
            raise BadKey("the other side has this device's own key")
        if self._expected and key != self._expected:
            raise BadKey("another device answered")
        return key

    def give_up(self, reason: str) -> None:
        """End it in whatever state it is, without waiting for anything."""
        if self._socket is not None:
            self.abort(reason)
        elif self.connector is not None:
            self.connector.stopConnecting()

    def not_connected(self, reason: Failure) -> None:
        """Hear that there is no TCP connection."""
        self._end(self.ending(reason))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        super().connectionLost(reason)
        self._end(self._reason)

    def _end(self, reason: str) -> None:
        self.connector = None
        if not self.handshake.called:
            self.handshake.errback(NotReached(reason))
        self._ended(self)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def ending(self, reason: Failure) -> str:
        if reason.check(SSL.Error):
            return f"TLS: {_openssl_words(reason.value)}"
        return super().ending(reason)


def _openssl_words(error: BaseException | None) -> str:
    queue = error.args[0] if error and error.args else None
    return str(queue[-1][-1]) if isinstance(queue, list) and queue else "it failed"


class TLSStream(TLSMemoryBIOProtocol):
    """TLS between a link and its socket, which takes only so much from a stranger.

    Twisted's default is a subclass that collects small writes, up to 64 kB and without telling its producer; a link
    does that itself.
    """

    wrappedProtocol: TLSLink
    _received = 0

    def dataReceived(self, data: bytes) -> None:
        link = self.wrappedProtocol
        if not link.proof:
            self._received += len(data)
            if self._received > LONGEST_HANDSHAKE:
                link.abort("its handshake is too long")
                return
        super().dataReceived(data)


class TLSStreamFactory(TLSMemoryBIOFactory):
    """Puts TLS under the links of a factory, which may refuse to make one."""

    protocol = TLSStream

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]
        link: Protocol | None = self.wrappedFactory.buildProtocol(addr)
        return None if link is None else self.protocol(self, link)
