"""The way of a link's datagrams: inside ESP, along the path that its association has chosen.

:meth:`HIPWay.put` runs for every media packet that leaves, :meth:`Incoming.datagram_arrived` for every one that comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pship.bearer.carried import Carried
from p2pship.bearer.datagramport import Address, DatagramPort, is_too_large
from p2pship.bearer.hip.credit import Credit
from p2pship.bearer.hip.esp import Exhausted, Inbound, Outbound, Replayed, overhead
from p2pship.bearer.hip.inner import FRAMES_PORT, MEDIA_PORT, UDP, UDP_HEADER, InnerUDP, unwrap
from p2pship.bearer.hip.path import Path
from p2pship.bearer.pathmtu import PathMTU
from p2pship.bearer.udpwire import IP_HEADERS
from p2pship.bearer.udpwire import UDP_HEADER as OUTER_UDP
from p2pship.errors import RemoteError
from p2pship.journal import Journal

_MEDIA = Carried.MEDIA
_KINDS = {int(kind): bytes([kind]) for kind in Carried}


class HIPWay:
    """What goes to the other side of one association."""

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        outbound: Outbound,
        own: bytes,
        peer: bytes,
        path: Path,
        worn_out: Callable[[], Any],
        credit: Credit,
    ) -> None:
        """Send from one HIT to another; call ``worn_out`` when the key may seal no more."""
        self._clock = clock
        self._journal = journal
        self._media = InnerUDP(own, peer, MEDIA_PORT).header
        self._frames = InnerUDP(own, peer, FRAMES_PORT).header
        self._worn_out = worn_out
        self.outbound = outbound
        self.seal = outbound.seal
        self.path = path
        self.port: DatagramPort
        self.address: Address
        self.mtu = PathMTU(_overhead(path, outbound))
        self.octets = 0
        "received, of all packets that were true"
        self.sent = 0
        "octets sent, of all packets"
        self._credit = credit
        self._is_verified = True
        self.lead(path)

    def lead(self, path: Path, verified: bool = True) -> None:
        """Go along another path from now on; as long as it is not ``verified``, only within the other side's credit."""
        assert isinstance(path.carrier, DatagramPort)
        self._is_verified = verified
        self.path, self.port, self.address = path, path.carrier, path.address
        self.mtu.restart(_overhead(path, self.outbound))
        self.base_room = self.mtu.base_room
        "octets that one datagram always carries"

    def verify(self, verified: bool) -> None:
        """Hear whether the path in use is verified."""
        self._is_verified = verified

    def earn(self) -> None:
        """Count what has come until now towards the credit: it ages from when it is counted last, not from when it came."""
        self._credit.left(self.octets, self._clock.seconds())

    def renew(self, outbound: Outbound) -> None:
        """Seal with other keys from now on."""
        self.outbound = outbound
        self.seal = outbound.seal

    def put(self, kind: int, data: bytes) -> bool:
        """Send one datagram; one that the system does not take is lost. Returns False if it is too large for the path."""
        if kind == _MEDIA:
            return self.send(UDP, data, self._media(data), len(data))
        framed = _KINDS[kind] + data
        return self.send(UDP, framed, self._frames(framed), len(data))

    def send(self, next_header: int, inner: bytes, head: bytes = b"", size: int = 0) -> bool:
        """Send one packet in ESP, ``head`` first; ``size`` is what is looked at if it is too large."""
        if not self._is_verified and not self._afford(len(head) + len(inner) + overhead(self.outbound.suite)):
            return True
        try:
            sealed = self.seal(next_header, inner, head)
            self.sent += len(sealed)
            self.port.send(sealed, self.address)
        except OSError as error:
            if is_too_large(error) and size > self.base_room:
                self.mtu.refused(size, self._clock.seconds())
                return False
            self._journal.count("hip.unsent")
        except Exhausted:
            self._worn_out()
        return True

    def _afford(self, octets: int) -> bool:
        """Tell whether the other side has sent enough for us to send so much where it may not be."""
        if self._credit.left(self.octets, self._clock.seconds()) <= octets:
            self._journal.count("hip.over_credit")
            return False
        self._credit.spend(octets)
        return True


def _overhead(path: Path, outbound: Outbound) -> int:
    ip = IP_HEADERS[6 if ":" in path.host else 4] + (OUTER_UDP if path.is_encapsulated else 0)
    return ip + overhead(outbound.suite) + UDP_HEADER + 1


class Incoming:
    """Gets what comes to one SPI (see :class:`~p2pship.bearer.datagramport.Party`)."""

    def __init__(
        self,
        journal: Journal,
        inbound: Inbound,
        taken: Callable[[int, bytes], None],
        other: Callable[[int, bytes], None],
        elsewhere: Callable[[Address, DatagramPort], None],
        answer: Callable[[], None],
        way: HIPWay,
        first: Callable[[int], None],
    ) -> None:
        """Give what is carried to ``taken``, other payloads to ``other``; call ``answer`` after a batch.

        ``first`` is told the SPI when something true has come for the first time, ``elsewhere`` when something newer than all
        before came from another address than ``way`` sends to, or to another socket.
        """
        self._journal = journal
        self._inbound = inbound
        self._open = inbound.open
        self._taken = taken
        self._other = other
        self._elsewhere = elsewhere
        self._answer = answer
        self._way = way
        self._first: Callable[[int], None] | None = first
        self.spi = inbound.spi
        self.refused: Callable[[RemoteError], object] = _ignore
        "is told of what was forged or replayed"

    def deliver_to(self, taken: Callable[[int, bytes], None]) -> None:
        """Give what is carried to another call from now on."""
        self._taken = taken

    def datagram_arrived(self, datagram: bytes, source: Address, port: DatagramPort) -> None:
        """Take an ESP packet; whoever sent it is not proven yet."""
        try:
            next_header, inner = self._open(datagram)
            to, data = unwrap(inner) if next_header == UDP else (0, inner)
        except RemoteError as error:
            self.refused(error)
            self._journal.count("hip.replayed" if isinstance(error, Replayed) else "hip.forged")
            return
        if self._first is not None:
            first, self._first = self._first, None
            first(self.spi)
        way = self._way
        way.octets += len(datagram)
        if (source != way.address or port is not way.port) and self._is_newest(datagram):
            self._elsewhere(source, port)
        if to == MEDIA_PORT:
            self._taken(_MEDIA, data)
        elif to == FRAMES_PORT and data:
            self._taken(data[0], data[1:])
        elif next_header != UDP:
            self._other(next_header, data)
        else:
            self._journal.count("hip.unknown")

    def _is_newest(self, datagram: bytes) -> bool:
        """Tell whether a packet that was taken is the newest of all: what is late says nothing of where the other side is now."""
        return int.from_bytes(datagram[4:8], "big") == self._inbound.newest & 0xFFFF_FFFF

    def batch_ended(self) -> None:
        """Hear that all of a batch that had something for it were delivered."""
        self._answer()


def _ignore(error: RemoteError) -> None:
    """Do nothing."""
