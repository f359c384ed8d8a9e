"""One UDP port towards a phone: its packets go to a flow of the peer, the flow's packets go to the phone.

This is the code that runs for every packet of every call. It is told by :class:`~p2pship.media.ears.Ears` and reads one packet
at a time, which carries more than Twisted's DatagramProtocol (``python -m bench relay``), and it never looks into a packet:
SRTP, DTLS, any codec and video pass as they are.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from p2pship.journal import Journal
from p2pship.media.ears import Ears
from p2pship.media.latch import Latch
from p2pship.media.place import Place

LARGEST_PACKET = 65535
"No UDP datagram is larger, so none is ever cut; asking for so much costs no more than asking for a packet's size."


def bind(host: str, port: int) -> socket.socket:
    """Open a UDP socket; the operating system then lets no other process have the same port.

    :raises OSError: if the port is taken, the address is not this machine's, or no file descriptor is left.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


class MediaPort(Place):
    """The RTP or the RTCP half of a relay: the place of its phone, what reads its packets, and the places of its guests."""

    def __init__(
        self,
        ears: Ears,
        opened: socket.socket,
        latch: Latch,
        cast: Callable[[int, bytes], None],
        journal: Journal,
        seconds: Callable[[], float],
    ) -> None:
        """Take over an open socket, and have ``ears`` tell when something has come; the rest is as for a place."""
        super().__init__(opened, latch, cast, journal, seconds)
        self._ears = ears
        self.places: list[Place] = [self]
        "those whose phones were shown this port"
        ears.addReader(self)

    def doRead(self) -> None:
        """Take one packet: a phone sends one at a time, and to ask for another that is not there costs as much again."""
        try:
            packet, source = self._socket.recvfrom(LARGEST_PACKET)
        except BlockingIOError:
            return
        except OSError:
            self._journal.count("media.unread")
            return
        if source == self._phone:
            self.take(packet)
        else:
            self._take_of(source, packet)

    def _take_of(self, source: Any, packet: bytes) -> None:
        place = self._place_of(source)
        if place is None:
            self.strangers += 1
            self._journal.count("media.stranger")
        else:
            place.take(packet)

    def _place_of(self, source: Any) -> Place | None:
        """Return whose packet it is: an address that one place knows is not latched to by another."""
        known = [place for place in self.places if place.knows(source)] if len(self.places) > 1 else []
        return next((place for place in known or self.places if place.admits(source)), None)

    def invite(self, latch: Latch, cast: Callable[[int, bytes], None]) -> Guest:
        """Give another phone, to which this port was shown as well, a place of its own."""
        guest = Guest(self, self._socket, latch, cast, self._journal, self._seconds)
        self.places.append(guest)
        return guest

    def leave(self, place: Place) -> None:
        """End a place; the socket closes with the last. Harmless when repeated."""
        place.vacate()
        if place in self.places:
            self.places.remove(place)
        if not self.places and self._socket.fileno() >= 0:
            self._ears.removeReader(self)
            self._socket.close()

    def close(self) -> None:
        """End the place of the port's first phone; harmless when repeated."""
        self.leave(self)

    def fileno(self) -> int:
        """Return the socket's file descriptor, -1 when it is closed."""
        return self._socket.fileno()


class Guest(Place):
    """The place of one more phone at a port that another relay opened."""

    def __init__(
        self,
        host: MediaPort,
        opened: socket.socket,
        latch: Latch,
        cast: Callable[[int, bytes], None],
        journal: Journal,
        seconds: Callable[[], float],
    ) -> None:
        super().__init__(opened, latch, cast, journal, seconds)
        self._host = host

    def invite(self, latch: Latch, cast: Callable[[int, bytes], None]) -> Guest:
        """Give yet another phone a place beside this one."""
        return self._host.invite(latch, cast)

    def close(self) -> None:
        """End this place; harmless when repeated."""
        self._host.leave(self)
