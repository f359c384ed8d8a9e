"""The seams of ``p2pship.media``: relays of media lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from p2pship.address import HostPort
    from p2pship.interfaces.overlay import IPeer


class IMediaRelay(Interface):
    """One media line of one dialog: a pair of ports towards the phone, a flow pair towards the peer.

    ``to_phone`` and ``to_peer`` say what an offer or an answer asks for; that takes effect with ``commit`` (the answer
    was accepted) and is forgotten with ``rollback`` (it was not): RFC 3264 §8, RFC 6337 §3.4.
    """

    port = Attribute("int: the UDP port for RTP that the phone is shown, even; RTCP has the next")
    flow = Attribute("int: the flow number for RTP that the peer is shown, even; RTCP has the next")
    heard_at = Attribute(
        "float: when a packet last came from either side, or the time of opening (Unix time)"
    )

    def to_phone(rtp: HostPort | None, rtcp: HostPort | None) -> None:
        """Say where the phone's SDP wants RTP and RTCP (the same with rtcp-mux); None sends nothing there."""

    def to_peer(rtp: int | None, rtcp: int | None) -> None:
        """Say which flow numbers the peer's SDP shows for RTP and RTCP; None sends nothing there."""

    def commit() -> None:
        """Make what was last said take effect."""

    def rollback() -> None:
        """Forget what was said since the last commit."""

    def close() -> None:
        """Give the ports and the flow back; harmless when repeated."""


class IMediaRelays(Interface):
    """Opens media relays."""

    def open(peer: IPeer, own_host: str, phone_host: str) -> IMediaRelay:
        """Open a relay with ports at ``own_host`` for a phone that signals from ``phone_host``.

        :raises LocalError: if no ports or no flow numbers are left.
        """

    def open_beside(relay: IMediaRelay, own_ports: bool) -> IMediaRelay:
        """Open a relay for another answer to the same offer (RFC 3261 §12.1: another To tag).

        With ``own_ports`` it shares the flow of ``relay``, else its ports; what is shared stays open until all that share
        it are closed.

        :raises LocalError: as ``open``.
        """
