"""One UDP socket for questions and answers in the reactor, which answers from the address that was asked."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorFDSet

from p2pship.lookup.port import LookupPort, host_of
from p2pship.lookup.questions.wire import QUESTION_LENGTH

_IP_PKTINFO = 8
"Linux: linux/in.h; Python 3.11 has no name for it."

_PKTINFO = struct.Struct("@i4s4s")
"struct in_pktinfo; ip(7). IPV6_PKTINFO has the address first: RFC 3542 §6.1."


def open_socket(host: str, port: int) -> socket.socket:
    """Return a UDP socket on an own address, or 0.0.0.0 or ::.

    :raises CannotListenError: if there cannot be one.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise CannotListenError(host, port, error) from error
    try:
        made.setblocking(False)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise CannotListenError(host, port, error) from error
    return made


class QuestionPort(LookupPort):
    """Passes on what a socket receives, with the sender's host, without scope, and port."""

    def __init__(
        self,
        reactor: IReactorFDSet,
        opened: socket.socket,
        received: Callable[[QuestionPort, bytes, str, int], None],
    ) -> None:
        """Take over an open socket."""
        super().__init__(reactor, opened, QUESTION_LENGTH + 1, "questions")
        self._received = received
        self.host, self.port = opened.getsockname()[:2]

    @property
    def is_ipv6(self) -> bool:
        """Whether it sends and receives IPv6, else IPv4."""
        return ":" in self.host

    def write(self, datagram: bytes, host: str, port: int, source: str | None = None) -> None:
        """Send, from ``source`` if it is an own address.

        :raises OSError: if it cannot be sent.
        """
        ancillary = [self._from(source)] if source is not None else []
        self._socket.sendmsg([datagram], ancillary, 0, (host, port))

    def _from(self, source: str) -> tuple[int, int, bytes]:
        octets = ipaddress.ip_address(source).packed
        if self.is_ipv6:
            return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, octets + struct.pack("@I", 0)
        return socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, octets, bytes(4))

    def _take(self, datagram: bytes, source: Any) -> None:
        self._received(self, datagram, host_of(source), source[1])
