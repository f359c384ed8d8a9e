"""A link over TCP in the clear: the exchange of keys first, then records that each have a MAC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pship.address import Locator
from p2pship.bearer.channel import Exhausted, RecordOpener, RecordSealer
from p2pship.bearer.exchange import Dialler, Listener
from p2pship.bearer.exchangewire import ANSWER_SIZE, CLOSING_SIZE, OPENING_SIZE, BadExchange
from p2pship.bearer.framing import RecordReader
from p2pship.bearer.handshakelink import HandshakeLink
from p2pship.interfaces import IDevice
from p2pship.journal import Journal

NAME = "tcp"
"The bearer's name, which is signed in the exchange."


class TCPLink(HandshakeLink):
    """One TCP connection whose two ends prove their keys, and on which nothing can be altered unnoticed."""

    encrypted = False
    handshake_name = "exchange of keys"

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        device: IDevice,
        random: Callable[[int], bytes],
        ended: Callable[[Any], None],
        locator: Locator | None = None,
        expected: bytes = b"",
    ) -> None:
        """Make a link that dials ``locator`` for the device of the key ``expected``; without them, one that listens.

        :raises BadKey: if ``expected`` is a key of a kind that this bearer cannot prove.
        """
        super().__init__(NAME, clock, journal, ended, locator)
        self.own = device.key
        self._exchange: Dialler | Listener
        if locator is not None:
            self._exchange = Dialler(NAME, device, random, expected)
            self._due = [ANSWER_SIZE]
        else:
            self._exchange = Listener(NAME, device, random)
            self._due = [OPENING_SIZE, CLOSING_SIZE]
        self._said = b""
        self._sealer: RecordSealer

    def connectionMade(self) -> None:
        super().connectionMade()
        if isinstance(self._exchange, Dialler):
            self.transport.write(self._exchange.opening())

    def dataReceived(self, data: bytes) -> None:
        if self.proof:
            super().dataReceived(data)
        elif not self._closing:
            self._said += data
            self._exchange_keys()

    def _exchange_keys(self) -> None:
        try:
            while self._due and len(self._said) >= self._due[0]:
                self._take(self._due.pop(0))
        except BadExchange as error:
            self.abort(str(error))
            return
        if not self._due:
            self._become_link()

    def _take(self, length: int) -> None:
        message, self._said = self._said[:length], self._said[length:]
        reply = self._exchange.received(message)
        if reply is not None:
            self.transport.write(reply)

    def _become_link(self) -> None:
        self._sealer = RecordSealer(self._exchange.send_key)
        self._reader = RecordReader(opener=RecordOpener(self._exchange.receive_key))
        early, self._said = self._said, b""
        self.proven(self._exchange.proof)
        if early:
            super().dataReceived(early)

    def sealed(self, records: list[bytes]) -> bytes:
        try:
            return b"".join(map(self._sealer.seal, records))
        except Exhausted as error:
            self.abort(str(error))
            return b""

    def ending(self, reason: Failure) -> str:
        if self.proof or self.remote is None:
            return super().ending(reason)
        return f"the other side ended the exchange of keys, as another device would: {super().ending(reason)}"

    def finish(self) -> None:
        """Close this direction only: a socket that is closed with octets unread takes back what it has sent.

        The other side closes when it has read everything (RFC 9293 §3.6); if it does not, the link's time to close ends.
        """
        self._socket.unregisterProducer()
        self.transport.loseWriteConnection()
