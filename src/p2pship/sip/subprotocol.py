"""SIP as a subprotocol of the overlay: each message is one payload."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from zope.interface import implementer

from p2pship.errors import PayloadRefused
from p2pship.interfaces import IPeer, IStream, ISubprotocol
from p2pship.sip.hops import SUBPROTOCOL
from p2pship.sip.intake import Intake
from p2pship.sip.message import BadMessage
from p2pship.sip.proxy import SIPProxy


@implementer(ISubprotocol)
class SIPSubprotocol:
    """Hands what peers send to the proxy, each peer in its turn. A payload is acknowledged when it has been served."""

    name = SUBPROTOCOL

    def __init__(self, proxy: SIPProxy, intake: Intake) -> None:
        self._proxy = proxy
        self._intake = intake

    def payload_received(self, peer: IPeer, payload: bytes) -> Deferred[bytes]:
        """Take one SIP message; refused with BadMessage if it is none.

        :raises PayloadRefused: if too much of the peer waits already.
        """
        served: Deferred[bytes] = Deferred()
        if not self._intake.take(peer, len(payload), lambda: self._serve(peer, payload, served)):
            raise PayloadRefused("too much waits to be served already")
        return served

    def _serve(self, peer: IPeer, payload: bytes, served: Deferred[bytes]) -> None:
        try:
            self._proxy.message_from_peer(peer, payload)
        except BadMessage as error:
            served.errback(error)
        else:
            served.callback(b"")

    def stream_opened(self, peer: IPeer, stream: IStream) -> IProtocol | None:
        """Refuse streams: SIP has none."""
        return None

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """End what was under way with the peer, when what it sent before has been served: its CANCEL, for one."""
        if not self._intake.take(peer, 0, lambda: self._proxy.peer_lost(peer, reason)):
            self._intake.forget(peer)
            self._proxy.peer_lost(peer, reason)
