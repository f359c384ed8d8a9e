"""What the subprotocols of the relations have in common: they say everything in payloads."""

from __future__ import annotations

from twisted.internet.interfaces import IProtocol

from p2pship.errors import PayloadRefused
from p2pship.interfaces import IPeer, IStream


class PayloadsOnly:
    """The rest of :class:`~p2pship.interfaces.ISubprotocol` for one that takes payloads alone."""

    def handed_over(self, peer: IPeer, thing: object, octets: int) -> None:
        """Refuse: a node tells itself nothing."""
        raise PayloadRefused("nothing is handed over")

    def stream_opened(self, peer: IPeer, stream: IStream) -> IProtocol | None:
        """Refuse every stream."""
        return None

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """Leave what was asked to fail by itself."""
