"""The line of a test phone: its sockets and transactions, and what it adds to every message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from p2pship.address import HostPort
from p2pship.errors import LocalError
from p2pship.sip.message import Message, Request, Response, response_to
from p2pship.testing.moment import Conditions, Moment
from p2pship.testing.phonedialog import destination
from p2pship.testing.phonemedia import Media
from p2pship.testing.phonesockets import Channel, Sockets, TCPSockets, UDPSockets
from p2pship.testing.phonetransactions import (
    Acked,
    ClientTransaction,
    Failed,
    Heard,
    ServerTransaction,
    Taken,
    Transactions,
)
from p2pship.testing.timers import Timers

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, NOTIFY, PRACK, UPDATE"


@dataclass(frozen=True)
class Traffic:
    """A message that was sent or received; a retransmission is one more."""

    sent: bool
    message: Message
    remote: HostPort
    at: float
    "in the reactor's seconds"


class Line:
    """Sends and answers; whoever has it says what requests mean."""

    def __init__(
        self, reactor: Any, user: str, transport: str, host: str, random: Random, taken: Taken, acked: Acked
    ) -> None:
        """``taken`` gets each new request but ACK, ``acked`` each first ACK with the INVITE that it belongs to."""
        self.traffic: list[Traffic] = []
        "every SIP message, in order"
        self.timers = Timers(reactor)
        self.conditions = Conditions()
        "asked again with each message that comes or goes"
        self._reactor = reactor
        self._user = user
        self._transport = transport.lower()
        self._host = host
        self._random = random
        self._transactions = Transactions(self.timers, taken, acked)
        self._sockets: Sockets | None = None

    def open(self, port: int) -> None:
        """Open the sockets; port 0 lets the operating system choose."""
        if self._transport == "udp":
            self._sockets = UDPSockets(self._reactor, self._host, port, self._received, self._sent)
        elif self._transport == "tcp":
            lost = self._transactions.channel_lost
            self._sockets = TCPSockets(self._reactor, self._host, port, self._received, self._sent, lost)
        else:
            raise LocalError(f"a test phone has no transport {self._transport!r}")

    def close(self) -> Deferred[Any]:
        """Close the sockets, and end every transaction."""
        self._transactions.end("the phone was stopped")
        self.timers.cancel_all()
        sockets, self._sockets = self._sockets, None
        return sockets.close() if sockets is not None else gatherResults([])

    @property
    def sockets(self) -> Sockets:
        """The sockets; open."""
        if self._sockets is None:
            raise LocalError("the phone is not started")
        return self._sockets

    @property
    def address(self) -> HostPort:
        """Where the phone listens for SIP."""
        return self.sockets.address

    @property
    def contact(self) -> str:
        """The URI at which the phone itself can be reached."""
        parameter = ";transport=tcp" if self._transport == "tcp" else ""
        return f"sip:{self._user}@{self.address}{parameter}"

    @property
    def contact_header(self) -> tuple[str, str]:
        """The Contact of what makes a dialog."""
        return "Contact", f"<{self.contact}>"

    def token(self) -> str:
        """Return a random word, for tags and branches."""
        return f"{self._random.getrandbits(64):016x}"

    def number(self) -> int:
        """Return a random CSeq number to begin with."""
        return self._random.randrange(1, 100_000)

    def open_media(self) -> Media:
        """Open the ports for one call."""
        return Media(self._reactor, self.timers, self._host, self._random)

    def prepared(self, request: Request) -> Request:
        """Add what every request has: Via with a new branch, Max-Forwards and the like."""
        via = f"SIP/2.0/{self.sockets.name} {self.address};branch=z9hG4bK{self.token()};rport"
        request.prepend("Via", via)
        request.set("Max-Forwards", "70")
        request.set("User-Agent", "p2pship test phone")
        if request.method == "INVITE":
            request.set("Allow", ALLOW)
        return request

    def send(self, request: Request, heard: Heard, failed: Failed) -> ClientTransaction:
        """Send a request to where its Route or its URI says; ``heard`` gets each response."""
        channel = self.sockets.channel(destination(request))
        return self._transactions.send(self.prepared(request), channel, heard, failed)

    def send_cancel(self, cancel: Request, channel: Channel) -> None:
        """Send a CANCEL, which has the Via of its INVITE, the same way as that."""
        self._transactions.send(cancel, channel, lambda response: None, lambda error: None)

    def send_ack(self, ack: Request) -> None:
        """Send the ACK to a 2xx, which is prepared once and may be sent again."""
        self.sockets.channel(destination(ack)).send(ack)

    def transact(self, request: Request) -> Deferred[Response]:
        """Send a request; fires with its final response, of whatever status, and fails if none comes."""
        outcome: Moment[Response] = Moment()

        def heard(response: Response) -> None:
            if response.status >= 200:
                outcome.fire(response)

        self.send(request, heard, outcome.fail)
        return outcome.wait()

    def respond(
        self,
        server: ServerTransaction,
        status: int,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        to_tag: str | None = None,
    ) -> None:
        """Answer a request; the record of the route is copied where a dialog may come of it (RFC 3261 §12.1.1)."""
        tag = to_tag or (self.token() if status > 100 else None)
        response = response_to(server.request, status, to_tag=tag)
        if server.request.method == "INVITE" and 100 < status < 300:
            for value in server.request.lines("Record-Route"):
                response.append("Record-Route", value)
        for name, value in headers:
            response.append(name, value)
        response.body = body
        server.respond(response)

    def invite_of(self, cancel: Request) -> ServerTransaction | None:
        """Return the INVITE that a CANCEL is for."""
        return self._transactions.invite_of(cancel)

    def _sent(self, message: Message, channel: Channel) -> None:
        self.traffic.append(Traffic(True, message.copy(), channel.remote, self._reactor.seconds()))
        self.conditions.check()

    def _received(self, message: Message, channel: Channel) -> None:
        self.traffic.append(Traffic(False, message, channel.remote, self._reactor.seconds()))
        self._transactions.message_received(message, channel)
        self.conditions.check()
