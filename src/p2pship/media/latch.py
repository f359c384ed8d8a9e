"""Where the packets of one port go, and from whom packets are taken.

Theory of operation. The phone's SDP names the address at which it listens, and a phone sends from there too (RFC 4961
§3): the first packet from exactly that address locks the latch. Other processes of the same machine share the phone's
host but cannot share its port, so the lock keeps them out for good.

A phone beside its node often shows the machine's address in the network and sends from 127.0.0.1, as it signals: the
port that it shows, on the host that it signals from, is taken at once. Some phones send from another port than their SDP
says. Only if nothing came from there for :data:`PATIENCE` seconds is any other port of that host taken: the first that
sends, and once. Packets then go there as well. The address of the SDP still wins when it speaks later, because whoever
latched before it was not the phone.
"""

from __future__ import annotations

from p2pship.address import HostPort

PATIENCE = 2.0
"Seconds for which the address of the SDP is waited for; a phone that means it sends every 20 ms."


class Latch:
    """The address of one of the phone's two ports, RTP or RTCP, as its SDP says and its packets show."""

    def __init__(self, phone_host: str) -> None:
        """:param phone_host: where the phone's SIP messages come from, in its canonical spelling"""
        self._phone_host = phone_host
        self._shown: HostPort | None = None
        self._heard: HostPort | None = None
        self._since = 0.0

    @property
    def target(self) -> HostPort | None:
        """Where packets for the phone go."""
        return self._heard or self._shown

    def show(self, address: HostPort, now: float) -> None:
        """Take the address of the phone's SDP; another than the last begins anew, the same keeps what was learnt."""
        if address != self._shown:
            self._shown, self._heard = address, None
        self._since = now

    def knows(self, host: str, port: int) -> bool:
        """Tell whether this is where the SDP says, or where was latched to."""
        return HostPort(host, port) in (self._shown, self._heard)

    def admits(self, host: str, port: int, now: float) -> bool:
        """Tell whether a packet from there is the phone's, and lock or latch to it if so."""
        source = HostPort(host, port)
        if self.knows(host, port) or self._may_latch(source, now):
            self._heard = self._shown if source == self._shown else source
            return True
        return False

    def _may_latch(self, source: HostPort, now: float) -> bool:
        if self._shown is None or self._heard is not None or source.host != self._phone_host:
            return False
        return source.port == self._shown.port or now - self._since >= PATIENCE
