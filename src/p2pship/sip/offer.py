"""The offer/answer exchange of one dialog (RFC 3264), with a media relay for each line.

A description that crosses the node is rewritten: towards the link it shows our device's HIT and flow numbers, towards
the phone it shows our own address and ports. What an offer says takes effect when its answer is accepted, and is
forgotten when it is refused (RFC 6337 §3.4); only the first offer takes effect at once, because its sender must be
ready to hear from the moment it is sent (RFC 3264 §5.1).
"""

from __future__ import annotations

import ipaddress

from p2pship.address import HostPort
from p2pship.interfaces import IMediaRelay, IMediaRelays, IPeer
from p2pship.sip.sdp import SDP, MediaLine


class OfferAnswer:
    """Rewrites the descriptions of one dialog and owns its relays, one for each media line ever used."""

    def __init__(self, relays: IMediaRelays, peer: IPeer, own_host: str, phone_host: str) -> None:
        """Serve a phone that signals from ``phone_host`` and is to send media to ``own_host``."""
        self._relays = relays
        self._peer = peer
        self._own_host = own_host
        self._phone_host = phone_host
        self._own_hit = str(ipaddress.IPv6Address(peer.own_hit))
        self._lines: list[IMediaRelay | None] = []
        self._begun = False
        self.closed = False
        self.users = 0

    def from_phone(self, description: bytes) -> bytes:
        """Take a phone's description, and return it as the peer is to see it.

        :raises BadSDP: if it cannot be read.
        :raises LocalError: if no port or flow number is left.
        """
        sdp = SDP.parse(description)
        shown: list[tuple[int, int] | None] = []
        for index, line in enumerate(sdp.media):
            relay = self._relay(index, line)
            if relay is None:
                shown.append(None)
                continue
            relay.to_phone(line.rtp, line.rtcp)
            shown.append((relay.flow, relay.flow if _muxed(line) else relay.flow + 1))
        self._begin()
        return sdp.rewrite(self._own_hit, shown)

    def from_peer(self, description: bytes) -> bytes:
        """Take a peer's description, and return it as the phone is to see it; raises as :meth:`from_phone`."""
        sdp = SDP.parse(description)
        shown: list[tuple[int, int] | None] = []
        for index, line in enumerate(sdp.media):
            relay = self._relay(index, line)
            if relay is None:
                shown.append(None)
                continue
            relay.to_peer(_port(line.rtp), _port(line.rtcp))
            shown.append((relay.port, relay.port if _muxed(line) else relay.port + 1))
        self._begin()
        return sdp.rewrite(self._own_host, shown)

    def commit(self) -> None:
        """The answer was accepted: what was said last takes effect."""
        for relay in self._open_relays():
            relay.commit()

    def rollback(self) -> None:
        """The offer was refused: all stays as it was."""
        for relay in self._open_relays():
            relay.rollback()

    def close(self) -> None:
        """Close every relay; harmless when repeated."""
        self.closed = True
        for relay in self._open_relays():
            relay.close()
        self._lines = []

    @property
    def relays(self) -> int:
        """How many relays are open."""
        return len(self._open_relays())

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.commit()

    def _open_relays(self) -> list[IMediaRelay]:
        return [relay for relay in self._lines if relay is not None]

    def _relay(self, index: int, line: MediaLine) -> IMediaRelay | None:
        """Return the line's relay, opened when it is first used; None for a line that is refused or not UDP."""
        while len(self._lines) <= index:
            self._lines.append(None)
        relay = self._lines[index]
        if not line.is_udp or line.port == 0:
            if relay is not None:
                relay.to_phone(None, None)
                relay.to_peer(None, None)
            return None
        if relay is None and not self.closed:
            relay = self._relays.open(self._peer, self._own_host, self._phone_host)
            self._lines[index] = relay
        return relay


def _muxed(line: MediaLine) -> bool:
    return line.rtp is not None and line.rtp == line.rtcp


def _port(at: HostPort | None) -> int | None:
    return None if at is None else at.port
