"""Media relays: for each media line of a dialog, a pair of UDP ports towards the phone and a flow pair towards the peer.

RTP has the even port and flow, RTCP the next (RFC 3550 §11). With rtcp-mux (RFC 5761 §5.1.1) the phone's two addresses are
the same, and so are the peer's two flows: then all leaves from the RTP port, to the RTP flow. RTP and RTCP are told
apart by where they arrive, never by what is in them.

Several answers to one offer (RFC 3264 §4 with forking, RFC 3261 §12.1) have a relay each, which shares what the offer showed:
the flow, if our phone offered, and each answer shows the phone ports of its own; or the ports, if the peer offered, and
each answer shows the peer a flow of its own. What is shared stays until the last of them closes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from socket import socket

from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from zope.interface import implementer

from p2pship.address import HostPort
from p2pship.config import option, within
from p2pship.descriptors import most
from p2pship.errors import LocalError
from p2pship.interfaces import IMediaRelay, IMediaRelays, IPeer
from p2pship.journal import Journal
from p2pship.media.ears import Ears
from p2pship.media.flow import Flow
from p2pship.media.latch import Latch
from p2pship.media.port import Guest, MediaPort, bind
from p2pship.media.quota import Holder, Quota

SHARE = 4
"One relay for so many of the descriptors that we may have: it takes two, and the other half is for everything else."


@dataclass(frozen=True)
class MediaSettings:
    """The ports that phones are shown for voice and video."""

    first_port: int = option(
        16384, "The first UDP port for media; each media line of a call takes two.", check=within(1024, 65534)
    )
    last_port: int = option(
        32767,
        "The last UDP port for media; above 32767 Linux hands ports to any program that asks for one.",
        check=within(1025, 65535),
    )

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ValueError("last_port must leave room for an even port and the next one after first_port")

    @property
    def pairs(self) -> range:
        """The even ports that start a pair."""
        return range(self.first_port + self.first_port % 2, self.last_port, 2)


Places = tuple[MediaPort | Guest, MediaPort | Guest]
"Where a phone is heard and spoken to: for RTP, and for RTCP."


@dataclass(frozen=True, slots=True)
class Hosts:
    """The two ends of the way to the phone."""

    own: str
    "where our ports are"
    phone: str
    "where the phone signals from"


@dataclass(frozen=True, slots=True)
class Aims:
    """Where a relay sends, as an offer and its answer say; None sends nothing there."""

    phone_rtp: HostPort | None = None
    phone_rtcp: HostPort | None = None
    peer_rtp: int | None = None
    peer_rtcp: int | None = None


@implementer(IMediaRelay)
class MediaRelay:
    """One media line. Only ``close`` ends it: a line on hold is silent for as long as people like."""

    def __init__(
        self,
        peer: IPeer,
        hosts: Hosts,
        places: Places,
        flow: Flow | None,
        seconds: Callable[[], float],
        closed: Callable[[MediaRelay], None],
    ) -> None:
        """Join two ports, of RTP and of RTCP, to a flow.

        :param flow: one to share; without, a new one is opened
        :param seconds: tells the time
        :param closed: called with the relay when it closes
        :raises LocalError: if the peer has no flow number left.
        """
        self.peer = peer
        self.hosts = hosts
        self._rtp, self._rtcp = places
        self._rtcp_out = self._rtcp  # the port that sends the phone its RTCP
        self.port = self._rtp.number
        self._closed: Callable[[MediaRelay], None] | None = closed
        self._agreed = self._staged = Aims()
        if flow is None:
            flow = Flow(peer, seconds, self)
        else:
            flow.join(self)
        self._flow = flow
        self.flow = flow.number

    @property
    def outlets(self) -> Places:
        """From where the phone gets RTP and RTCP."""
        return self._rtp, self._rtcp_out

    @property
    def heard_at(self) -> float:
        """When a packet last came from either side, or the time of opening (Unix time)."""
        return max(self._flow.heard_at, self._rtp.heard_at, self._rtcp.heard_at)

    @property
    def from_peer(self) -> int:
        """Packets that came from the peer for this relay; none while another takes what comes to a flow that both share."""
        return self._flow.packets if self._flow.carries(self) else 0

    @property
    def from_phone(self) -> int:
        """Packets that came from the phone."""
        return self._rtp.taken + self._rtcp.taken

    @property
    def strangers(self) -> int:
        """Packets that somebody else sent to the phone's ports, and that were dropped."""
        return self._rtp.strangers + self._rtcp.strangers

    def to_phone(self, rtp: HostPort | None, rtcp: HostPort | None) -> None:
        """Stage the addresses of the phone's SDP; None sends nothing there, but what comes from there still passes."""
        staged = self._staged
        self._staged = Aims(rtp, rtcp, staged.peer_rtp, staged.peer_rtcp)

    def to_peer(self, rtp: int | None, rtcp: int | None) -> None:
        """Stage the flow numbers of the peer's SDP; None sends nothing there."""
        staged = self._staged
        self._staged = Aims(staged.phone_rtp, staged.phone_rtcp, rtp, rtcp)

    def commit(self) -> None:
        """Send there from now on; harmless when closed."""
        if self._closed is None:
            return
        aims = self._agreed = self._staged
        self._rtp.show(aims.phone_rtp)
        self._rtcp.show(aims.phone_rtcp)
        self._rtp.flow = aims.peer_rtp
        self._rtcp.flow = aims.peer_rtcp
        self._rtcp_out = self._rtp if aims.phone_rtp == aims.phone_rtcp else self._rtcp
        self._flow.aim()

    def rollback(self) -> None:
        """Forget what was staged since the last commit."""
        self._staged = self._agreed

    def close(self) -> None:
        """Give the ports and the flow back, unless they are shared; harmless when repeated."""
        if self._closed is None:
            return
        closed, self._closed = self._closed, None
        closed(self)
        self._flow.leave(self)
        self._rtp.close()
        self._rtcp.close()

    @property
    def shared_flow(self) -> Flow:
        """Its flow, for another relay to share."""
        return self._flow

    def guests(self) -> Places:
        """Return places for another phone at the ports of this relay."""
        rtp, rtcp = (at.invite(Latch(self.hosts.phone), self.peer.cast) for at in (self._rtp, self._rtcp))
        return rtp, rtcp


@implementer(IMediaRelays)
class MediaRelays:
    """Opens relays on ports of a range, one pair after the other from a random one on, so that a pair rests before it
    is used again and packets of an ended call meet no new one."""

    def __init__(
        self,
        reactor: IReactorFDSet,
        settings: MediaSettings,
        journal: Journal,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._ears = Ears(reactor)
        self._seconds = IReactorTime(reactor).seconds
        self._journal = journal
        self._pairs = settings.pairs
        self._next = int.from_bytes(random(4), "big") % len(self._pairs)
        self._open: dict[MediaRelay, Holder] = {}
        self._quota = Quota(most() // SHARE, len(self._pairs))
        self._past_packets = 0

    @property
    def count(self) -> int:
        """The relays that are open."""
        return len(self._open)

    @property
    def packets(self) -> int:
        """The packets taken from phones and peers since the start."""
        return self._past_packets + sum(relay.from_phone + relay.from_peer for relay in self._open)

    def open(self, peer: IPeer, own_host: str, phone_host: str) -> MediaRelay:
        """Open a relay with ports at ``own_host`` for a phone that signals from ``phone_host``.

        :raises LocalError: if no ports, no file descriptors or no flow numbers are left, or the peer has too many; it
            says which.
        """
        hosts = Hosts(own_host, phone_host)
        return self._joined(peer, hosts, lambda: self._places(peer, hosts), None)

    def open_beside(self, relay: IMediaRelay, own_ports: bool) -> MediaRelay:
        """Open a relay for another answer to the same offer; raises as :meth:`open`.

        With ``own_ports`` it shares the flow of ``relay``, because our phone offered; else it shares the ports.
        """
        assert isinstance(relay, MediaRelay)
        peer, hosts = relay.peer, relay.hosts
        if own_ports:
            return self._joined(peer, hosts, lambda: self._places(peer, hosts), relay.shared_flow)
        return self._joined(peer, hosts, relay.guests, None)

    def close(self) -> None:
        """Close every relay."""
        for relay in tuple(self._open):
            relay.close()

    def _places(self, peer: IPeer, hosts: Hosts) -> Places:
        rtp, rtcp = (
            MediaPort(self._ears, opened, Latch(hosts.phone), peer.cast, self._journal, self._seconds)
            for opened in self._bind_pair(hosts.own)
        )
        return rtp, rtcp

    def _joined(
        self, peer: IPeer, hosts: Hosts, places_for: Callable[[], Places], flow: Flow | None
    ) -> MediaRelay:
        holder = self._quota.take(peer)
        places: Places | tuple[()] = ()
        try:
            places = places_for()
            relay = MediaRelay(peer, hosts, places, flow, self._seconds, self._relay_closed)
        except LocalError:
            self._quota.give_back(holder)
            for place in places:
                place.close()
            raise
        self._open[relay] = holder
        return relay

    def _relay_closed(self, relay: MediaRelay) -> None:
        self._quota.give_back(self._open.pop(relay))
        self._past_packets += relay.from_phone + relay.from_peer

    def _bind_pair(self, host: str) -> tuple[socket, socket]:
        for _ in self._pairs:
            port = self._pairs[self._next]
            self._next = (self._next + 1) % len(self._pairs)
            try:
                return _bind_both(host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise LocalError(_words(host, error)) from error
        raise LocalError(f"every media port from {self._pairs[0]} to {self._pairs[-1] + 1} is taken")


def _bind_both(host: str, port: int) -> tuple[socket, socket]:
    rtp = bind(host, port)
    try:
        return rtp, bind(host, port + 1)
    except OSError:
        rtp.close()
        raise


def _words(host: str, error: OSError) -> str:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "no file descriptor is left for a media port: allow more open files (ulimit -n)"
    return f"cannot open a media port at {host}: {error.strerror}"
