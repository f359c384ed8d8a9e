"""SIP as a subprotocol of the overlay: each message is one payload."""

from __future__ import annotations

from twisted.internet.interfaces import IProtocol
from zope.interface import implementer

from p2pship.interfaces import IPeer, IStream, ISubprotocol
from p2pship.sip.hops import SUBPROTOCOL
from p2pship.sip.proxy import SIPProxy


@implementer(ISubprotocol)
class SIPSubprotocol:
    """Hands what peers send to the proxy."""

    name = SUBPROTOCOL

    def __init__(self, proxy: SIPProxy) -> None:
        self._proxy = proxy

    def payload_received(self, peer: IPeer, payload: bytes) -> None:
        """Take one SIP message; raises BadMessage, which refuses it."""
        self._proxy.message_from_peer(peer, payload)

    def stream_opened(self, peer: IPeer, stream: IStream) -> IProtocol | None:
        """Refuse streams: SIP has none."""
        return None

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """End what was under way with the peer."""
        self._proxy.peer_lost(peer, reason)
