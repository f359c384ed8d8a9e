"""Who knocks over UDP: strangers who prove first that they are where they say, and then who they are.

What somebody can cause here who only sends: one datagram to the address that was given, smaller than the one that came. Who
answers with the cookie gets a signature, and a place among the guests, of whom there are only so many.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pship.bearer.admission import Admission
from p2pship.bearer.cookie import Cookies
from p2pship.bearer.datagramport import Address, DatagramPort, Party, address_of, send_or_lose
from p2pship.bearer.exchange import Listener
from p2pship.bearer.exchangewire import BadExchange
from p2pship.bearer.repetition import HANDSHAKE_TIME
from p2pship.bearer.udpwire import Answered, Knock, Refused, Retry, encode
from p2pship.interfaces import IDevice
from p2pship.journal import Journal


class Guest:
    """Somebody who is where they say, and has been answered."""

    def __init__(
        self, exchange: Listener, own_id: bytes, knock: Knock, port: DatagramPort, address: Address
    ) -> None:
        self.exchange = exchange
        self.own_id = own_id
        "the connection id of what will come from them"
        self.knock = knock
        self.port = port
        self.address = address
        self.leaving: IDelayedCall | None = None

    # Party

    def datagram_arrived(self, datagram: bytes, source: Address, port: DatagramPort) -> None:
        """Drop what is sealed: their closing has not come yet, and frames will be sent again."""

    def batch_ended(self) -> None:
        """Nothing was taken."""


class Door:
    """Takes knocks and closings. ``proven`` is called with each guest whose key is proven, who has left the door then."""

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        name: str,
        device: IDevice,
        random: Callable[[int], bytes],
        parties: dict[bytes, Party],
        new_id: Callable[[], bytes],
        proven: Callable[[Guest], None],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._name = name
        self._device = device
        self._random = random
        self._parties = parties
        self._new_id = new_id
        self._proven = proven
        self._cookies = Cookies(random)
        self._admission: Admission[Guest] = Admission()
        self._guests: dict[tuple[Address, bytes], Guest] = {}

    def knocked(self, knock: Knock, source: Address, port: DatagramPort) -> None:
        """Take a knock."""
        at = address_of(source)
        said = knock.own + knock.opening
        now = self._clock.seconds()
        if self._cookies.holds(knock.cookie, at.host, at.port, said, now):
            self._greet(knock, source, port)
            return
        retry = Retry(knock.own, self._cookies.make(at.host, at.port, said, now))
        send_or_lose(port, encode(retry), source, self._journal)

    def _greet(self, knock: Knock, source: Address, port: DatagramPort) -> None:
        """Answer somebody who is where they say."""
        guest = self._guests.get((source, knock.own))
        if guest is None or guest.knock != knock:
            guest = Guest(
                Listener(self._name, self._device, self._random), self._new_id(), knock, port, source
            )
        try:
            answer = guest.exchange.received(knock.opening)
        except BadExchange:
            self._journal.count(f"{self._name}.refused")
            send_or_lose(port, encode(Refused(knock.own)), source, self._journal)
            return
        assert answer is not None
        self._let_in(guest)
        send_or_lose(port, encode(Answered(knock.own, guest.own_id, answer)), source, self._journal)

    def _let_in(self, guest: Guest) -> None:
        if guest.leaving is not None:
            return
        previous = self._guests.get((guest.address, guest.knock.own))
        if previous is not None:
            self._leave(previous)
        surplus = self._admission.enter(guest, address_of(guest.address).host)
        if surplus is not None:
            self._journal.count(f"{self._name}.over_limit")
            self._leave(surplus)
        self._guests[guest.address, guest.knock.own] = guest
        self._parties[guest.own_id] = guest
        guest.leaving = self._clock.callLater(HANDSHAKE_TIME, self._leave, guest)

    def closed(self, guest: Guest, closing: bytes) -> None:
        """Take the last message of a guest; its address stays the one that it has proven to receive at."""
        try:
            guest.exchange.received(closing)
        except BadExchange:
            self._journal.count(f"{self._name}.refused")
            return
        self._leave(guest)
        self._proven(guest)

    def _leave(self, guest: Guest) -> None:
        self._admission.leave(guest)
        self._guests.pop((guest.address, guest.knock.own), None)
        self._parties.pop(guest.own_id, None)
        if guest.leaving is not None and guest.leaving.active():
            guest.leaving.cancel()

    def shut(self) -> None:
        """Send everybody away."""
        for guest in tuple(self._guests.values()):
            self._leave(guest)
