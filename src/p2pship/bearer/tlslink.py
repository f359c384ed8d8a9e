"""A link over TLS: from the first octet of the handshake, when it is nobody's yet, to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.bearer.handshakelink import HandshakeLink
from p2pship.bearer.tlscontext import proven_key
from p2pship.identity.keys import BadKey
from p2pship.journal import Journal

LONGEST_HANDSHAKE = 16_384
"Octets from a stranger before a key is proven; ours are 2,000, of which a post-quantum key share is 1,200."


@implementer(IHandshakeListener)
class TLSLink(HandshakeLink):
    """One TLS connection."""

    encrypted = True
    handshake_name = "TLS handshake"

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        own_key: bytes,
        ended: Callable[[Any], None],
        locator: Locator | None = None,
        expected: bytes = b"",
    ) -> None:
        """Make a link that dials ``locator`` for the device of the key ``expected``; without them, one that listens."""
        super().__init__("tls", clock, journal, ended, locator)
        self.own = own_key
        self._expected = expected

    def socket_of(self, transport: Any) -> Any:
        return transport.transport

    def handshakeCompleted(self) -> None:
        """Hear from TLS that the other side has the private key of its certificate; no octet was delivered yet."""
        try:
            key = self._checked(proven_key(self.transport.getHandle()))
        except BadKey as error:
            self.abort(str(error))
            return
        self.proven(key)

    def _checked(self, key: bytes) -> bytes:
        if key == self.own:
            raise BadKey("the other side has this device's own key")
        if self._expected and key != self._expected:
            raise BadKey("another device answered")
        return key

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
