"""SIP as a subprotocol of the overlay: each message is one payload."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from zope.interface import implementer

from p2pship.errors import LocalError, PayloadRefused
from p2pship.interfaces import IPeer, IStream, ISubprotocol
from p2pship.sip.hops import SUBPROTOCOL
from p2pship.sip.intake import Intake
from p2pship.sip.message import BadMessage, Message, parse
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

    def handed_over(self, peer: IPeer, thing: object, octets: int) -> None:
        """Take a message of the other half of a call between two phones of this node.

        :raises PayloadRefused: if too much of the peer waits already.
        """
        if not isinstance(thing, Message):
            raise LocalError(f"{thing!r} is no SIP message")
        if not self._intake.take(peer, octets, lambda: self._proxy.message_from_peer(peer, thing)):
            raise PayloadRefused("too much waits to be served already")

    def _serve(self, peer: IPeer, payload: bytes, served: Deferred[bytes]) -> None:
        try:
            self._proxy.message_from_peer(peer, parse(payload))
        except BadMessage as error:
            served.errback(error)
        else:
            served.callback(b"")

    def stream_opened(self, peer: IPeer, stream: IStream) -> IProtocol | None:
        """Refuse streams: SIP has none."""
        return None

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """End what was under way with the peer, when what it sent before has been served: its CANCEL, for one.

        What is sent to it from now on is for its next life: it may be back already, with the hello that tells of its loss.
        """
        sent = self._proxy.sent_to(peer)
        if not self._intake.take(peer, 0, lambda: self._proxy.peer_lost(peer, reason, sent)):
            self._intake.forget(peer)
            self._proxy.peer_lost(peer, reason, sent)
