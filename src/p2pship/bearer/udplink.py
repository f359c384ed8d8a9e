"""A link of the bearer ``udp``: frames by :mod:`p2pship.bearer.arq`, media as single datagrams, all of it sealed.

The code from :meth:`UDPLink.datagram_arrived` to the receiver, and :meth:`UDPLink.cast`, run for every media packet.

A link belongs to its two connection ids and keys, not to an address: when something that is sealed rightly and newer than
everything before comes from elsewhere, and the other side answers there (:mod:`p2pship.bearer.pathcheck`), the link goes
on there. So a router that gives a node a new port (RFC 4787 §4.3), or another network under it, does not end a call.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.address import HostPort, Locator
from p2pship.bearer.carried import Carried
from p2pship.bearer.channel import DatagramOpener, DatagramSealer, Replayed
from p2pship.bearer.datagramlink import DatagramLink
from p2pship.bearer.datagramport import Address, DatagramPort
from p2pship.bearer.exchange import Exchange
from p2pship.bearer.repetition import Repetition
from p2pship.bearer.udpway import UDPWay
from p2pship.bearer.udpwire import ID_SIZE
from p2pship.errors import RemoteError
from p2pship.interfaces import ILink
from p2pship.journal import Journal

NAME = "udp"


@implementer(ILink)
class UDPLink(DatagramLink):
    """One link, made when the other side's key is proven."""

    name = NAME
    encrypted = False

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        exchange: Exchange,
        own_id: bytes,
        their_id: bytes,
        port: DatagramPort,
        address: Address,
        ended: Callable[[UDPLink], None],
        random: Callable[[int], bytes],
        locator: Locator | None = None,
    ) -> None:
        """Make a link of an exchange that is done; ``ended`` is called once, when nothing of it is left."""
        sealer = DatagramSealer(exchange.send_key)
        way = UDPWay(clock, journal, sealer, their_id, port, address, random, self._worn_out)
        super().__init__(clock, journal, way)
        self.own = exchange.own
        self.proof = exchange.proof
        self.dialled = locator is not None
        self.locator = locator
        self.own_id = own_id
        "the connection id of what comes here"
        self._way: UDPWay = way
        self._ended = ended
        self._opener = DatagramOpener(exchange.receive_key)
        self._open = self._opener.open
        self._repetition: Repetition | None = None
        self.confirmed = False
        "whether anything has come that only the other side can have sent"

    # what it is

    @property
    def remote(self) -> HostPort:
        return self._way.remote

    @property
    def path(self) -> str:
        return f"{NAME} {self.remote}"

    # what comes

    def datagram_arrived(self, datagram: bytes, source: Address, port: DatagramPort) -> None:
        try:
            kind, data = self._open(datagram[ID_SIZE:])
        except RemoteError as error:
            self._journal.count("udp.replayed" if isinstance(error, Replayed) else "udp.forged")
            return
        if source != self._way.address:
            self._came_from_elsewhere(kind, data, datagram, source, port)
        self.confirmed = True
        self.taken(kind, data)

    def _came_from_elsewhere(
        self, kind: int, data: bytes, datagram: bytes, source: Address, port: DatagramPort
    ) -> None:
        """Ask at an address whether the other side is there, if this is the newest of all; move when it has said so."""
        if kind == Carried.REPLY and self._way.replied(data, source, port):
            self._path_changed(self.path)
        elif self._way.may_ask() and self._is_news(datagram):
            self._way.ask(source, port)

    def _is_news(self, datagram: bytes) -> bool:
        """Tell whether a datagram that was taken is newer than all before."""
        return int.from_bytes(datagram[ID_SIZE + 1 : ID_SIZE + 9], "big") >= self._opener.newest

    # its life

    def insist(self, closing: bytes) -> None:
        """Say the last message of the handshake until something comes that shows that it has arrived."""

        def say() -> None:
            if self.confirmed:
                repetition.stop()
            else:
                self._way.say(closing)

        repetition = Repetition(self._clock, say, self._unconfirmed)
        self._repetition = repetition
        repetition.begin()

    def _unconfirmed(self) -> None:
        if not self.confirmed:
            self.abort("the other side never said that it has the keys")

    def confirm(self) -> None:
        """Show the other side that its closing has come."""
        if not self._over:
            self._put(Carried.ALIVE, b"")

    def _worn_out(self) -> None:
        self._finish("the counters of its key are used up")

    def _gone(self) -> None:
        if self._repetition is not None:
            self._repetition.stop()
        self._ended(self)
