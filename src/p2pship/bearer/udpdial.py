"""One address that is dialled over UDP: knocks until it is answered, and repeats what may have been lost."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from p2pship.bearer.cookie import COOKIE_SIZE
from p2pship.bearer.datagramport import Address, DatagramPort
from p2pship.bearer.exchange import Dialler
from p2pship.bearer.exchangewire import BadExchange
from p2pship.bearer.repetition import HANDSHAKE_TIME, Repetition
from p2pship.bearer.udpwire import Answered, Closed, Handshake, Knock, Refused, Retry, encode
from p2pship.errors import NotReached
from p2pship.interfaces import ILink
from p2pship.journal import Journal

MOST_RETRIES = 4
"""Cookies that are answered at once: one is usual, two if the secret has just changed. Anybody who has seen the connection id can send
more, and later ones wait for the next knock, so that what is sent to the address does not grow with what comes."""


class UDPDial:
    """One attempt. ``result`` fires with the link that ``make_link`` returns, or fails with NotReached."""

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        exchange: Dialler,
        own_id: bytes,
        port: DatagramPort,
        address: Address,
        make_link: Callable[[UDPDial, bytes], ILink],
        ended: Callable[[UDPDial], None],
    ) -> None:
        """Dial ``address`` from ``port``; ``make_link(self, their_id)`` makes the link when the key is proven."""
        self.exchange = exchange
        self.own_id = own_id
        "the connection id of what comes for it"
        self.port = port
        self.address = address
        self.result: Deferred[ILink] = Deferred(lambda _: self._end())
        self.closing = b""
        "the last message, in the form that goes over the wire"
        self._journal = journal
        self._make_link = make_link
        self._ended = ended
        self._cookie = bytes(COOKIE_SIZE)
        self._retries = 0
        self._repetition = Repetition(
            clock, self._knock, lambda: self.fail(f"no answer within {HANDSHAKE_TIME:.0f} s")
        )

    def begin(self) -> Deferred[ILink]:
        """Knock."""
        self._repetition.begin()
        return self.result

    def _knock(self) -> None:
        knock = encode(Knock(self.own_id, self._cookie, self.exchange.opening()))
        try:
            self.port.send(knock, self.address)
        except BlockingIOError:
            self._journal.count("udp.unsent")
        except OSError as error:  # no way there at all
            self.fail(error.strerror or str(error))

    def handshake_received(self, message: Handshake) -> None:
        """Take what was said to this attempt."""
        match message:
            case Retry(cookie=cookie):
                self._asked_again(cookie)
            case Answered(own=their_id, answer=answer):
                self._answered(their_id, answer)
            case Refused():
                self.fail("another device answered, or one that speaks another version")

    def _asked_again(self, cookie: bytes) -> None:
        if cookie == self._cookie:
            return
        self._cookie = cookie
        self._retries += 1
        if self._retries <= MOST_RETRIES:
            self._repetition.begin()

    def _answered(self, their_id: bytes, answer: bytes) -> None:
        try:
            closing = self.exchange.received(answer)
        except BadExchange:
            self._journal.count("udp.malformed")
            return
        assert closing is not None
        self.closing = encode(Closed(their_id, closing))
        self._end()
        self.result.callback(self._make_link(self, their_id))

    def fail(self, reason: str) -> None:
        """End it in vain."""
        self._end()
        self.result.errback(NotReached(reason))

    def _end(self) -> None:
        self._repetition.stop()
        self._ended(self)

    # Party

    def datagram_arrived(self, datagram: bytes, source: Address, port: DatagramPort) -> None:
        """Drop what is sealed: there are no keys yet."""
        self._journal.count("udp.forged")

    def batch_ended(self) -> None:
        """Nothing was taken."""
