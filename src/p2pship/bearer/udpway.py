"""The way to the other side of a link over UDP: one address, until the other side is shown to be at another.

Everything that a link says is sealed and sent here; :meth:`UDPWay.put` runs for every media packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pship.address import is_never_dialled
from p2pship.bearer.carried import Carried
from p2pship.bearer.channel import DatagramSealer, Exhausted
from p2pship.bearer.datagramport import Address, DatagramPort, address_of, is_too_large, send_or_lose
from p2pship.bearer.pathcheck import PathCheck
from p2pship.bearer.pathmtu import PathMTU
from p2pship.bearer.udpwire import overhead
from p2pship.journal import Journal


class UDPWay:
    """One link's way."""

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        sealer: DatagramSealer,
        their_id: bytes,
        port: DatagramPort,
        address: Address,
        random: Callable[[int], bytes],
        worn_out: Callable[[], Any],
    ) -> None:
        """Send from ``port`` to ``address``; call ``worn_out`` when the key may seal no more."""
        self.their_id = their_id
        "the connection id of what goes there"
        self.port = port
        self.address = address
        "as the socket gives it"
        self.remote = address_of(address)
        "the same, as the rest of the node has it"
        self.mtu = PathMTU(overhead(self.remote.host))
        self.base_room = self.mtu.base_room
        "octets that one datagram always carries"
        self.seal = sealer.seal
        self._clock = clock
        self._journal = journal
        self._check = PathCheck(random)
        self._worn_out = worn_out

    def put(self, kind: int, data: bytes) -> bool:
        """Send one datagram; one that the system does not take is lost. Returns False if it is too large for the path."""
        try:
            self.port.send(self.their_id + self.seal(kind, data), self.address)
        except OSError as error:
            if is_too_large(error) and len(data) > self.base_room:
                self.mtu.refused(len(data), self._clock.seconds())
                return False
            self._journal.count("udp.unsent")
        except Exhausted:
            self._worn_out()
        return True

    def say(self, datagram: bytes) -> None:
        """Send a datagram that is not sealed."""
        send_or_lose(self.port, datagram, self.address, self._journal)

    def may_ask(self) -> bool:
        """Tell whether it is some time since an address was asked."""
        return not self._check.pauses(self._clock.seconds())

    def ask(self, source: Address, port: DatagramPort) -> None:
        """Ask at an address, where something new came from, whether the other side is there."""
        if is_never_dialled(address_of(source).host):
            return
        question = self.seal(Carried.QUESTION, self._check.question(source, self._clock.seconds()))
        send_or_lose(port, self.their_id + question, source, self._journal)

    def replied(self, reply: bytes, source: Address, port: DatagramPort) -> bool:
        """Take a reply that came from an address; returns whether it is right, and the way leads there from now on."""
        if not self._check.holds(reply, source):
            return False
        self.address, self.port, self.remote = source, port, address_of(source)
        self.mtu.restart(overhead(self.remote.host))
        self.base_room = self.mtu.base_room
        return True
