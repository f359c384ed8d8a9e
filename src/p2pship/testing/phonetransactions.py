"""The transactions of a test phone (RFC 3261 §17), written anew so that they can judge those of the node.

They are kept simple: every timer lives 64 T1 at the most, and only answers that nobody asked for are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from p2pship.errors import RemoteError
from p2pship.sip.message import BadMessage, Message, Request, Response, request
from p2pship.testing.phonesockets import Channel
from p2pship.testing.timers import Timers

T1 = 0.5  # RFC 3261 §17.1.1.1
T2 = 4.0  # RFC 3261 §17.1.2.2

Heard = Callable[[Response], None]
Failed = Callable[[Exception], None]


class NoAnswer(RemoteError):
    """Nobody answered, or the connection was lost."""


class ClientTransaction:
    """A request that was sent, until its final response."""

    def __init__(
        self, timers: Timers, request: Request, channel: Channel, heard: Heard, failed: Failed
    ) -> None:
        """Send the request; ``heard`` gets each response, ``failed`` hears that none will come."""
        self.request = request
        self.channel = channel
        self._timers = timers
        self._heard = heard
        self._failed = failed
        self._over = False  # a final response has come, or none will
        self._wait = T1
        self._resend: Any = None
        self._expiry = timers.later(64 * T1, lambda: self.fail("no answer came"))
        self._send()

    def response_received(self, response: Response) -> None:
        """Take a response; a final one that is no 2xx to an INVITE is heard once, and acknowledged each time."""
        if response.status < 200:
            self._provisional(response)
            return
        invite = self.request.method == "INVITE"
        if invite and response.status >= 300:
            self.channel.send(ack_to_failure(self.request, response))
        if not self._over or (invite and response.status < 300):
            self._over = True
            self._timers.cancel(self._resend, self._expiry)
            self._heard(response)

    def fail(self, reason: str) -> None:
        """End without an answer; harmless when it has ended."""
        self._timers.cancel(self._resend, self._expiry)
        if not self._over:
            self._over = True
            self._failed(NoAnswer(f"{self.request!r}: {reason}"))

    def _provisional(self, response: Response) -> None:
        if self._over:
            return
        if self.request.method == "INVITE":
            self._timers.cancel(self._resend, self._expiry)
        self._heard(response)

    def _send(self) -> None:
        self.channel.send(self.request)
        if self.channel.reliable:
            return
        self._resend = self._timers.later(self._wait, self._send)
        self._wait = self._wait * 2 if self.request.method == "INVITE" else min(self._wait * 2, T2)


class ServerTransaction:
    """A request that came, and what was answered last."""

    def __init__(self, timers: Timers, request: Request, channel: Channel) -> None:
        self.request = request
        self.channel = channel
        self.acknowledged = False
        "whether the final response to an INVITE was"
        self.unacknowledged: Callable[[], None] = lambda: None
        "called when no ACK came for it in 64 T1"
        self._timers = timers
        self._last: Response | None = None
        self._wait = T1
        self._resend: Any = None
        self._expiry: Any = None

    @property
    def answered(self) -> bool:
        """Whether a final response was sent."""
        return self._last is not None and self._last.status >= 200

    def respond(self, response: Response) -> None:
        """Send a response; nothing after the final one."""
        if self.answered:
            return
        self._last = response
        self.channel.send(response)
        if self.request.method == "INVITE" and response.status >= 200:
            self._expiry = self._timers.later(64 * T1, self._give_up)
            if not self.channel.reliable or response.status < 300:  # RFC 3261 §13.3.1.4
                self._resend = self._timers.later(self._wait, self._send_again)

    def repeated(self) -> None:
        """Take the request once more."""
        if self._last is not None:
            self.channel.send(self._last)

    def ack_received(self) -> None:
        """Stop sending the final response."""
        self.acknowledged = True
        self._timers.cancel(self._resend, self._expiry)

    def _send_again(self) -> None:
        self.repeated()
        self._wait = min(self._wait * 2, T2)
        self._resend = self._timers.later(self._wait, self._send_again)

    def _give_up(self) -> None:
        self._timers.cancel(self._resend)
        self.unacknowledged()


Taken = Callable[[ServerTransaction], None]
Acked = Callable[[Request, ServerTransaction], None]


class Transactions:
    """All transactions of one phone."""

    def __init__(self, timers: Timers, taken: Taken, acked: Acked) -> None:
        """``taken`` gets each new request but ACK, ``acked`` each first ACK with the INVITE that it belongs to."""
        self._timers = timers
        self._taken = taken
        self._acked = acked
        self._clients: dict[Hashable, ClientTransaction] = {}
        self._servers: dict[Hashable, ServerTransaction] = {}

    def send(self, request: Request, channel: Channel, heard: Heard, failed: Failed) -> ClientTransaction:
        """Send a request, which has its Via, as a new transaction."""
        key = (request.via.branch, request.cseq[1])
        made = self._clients[key] = ClientTransaction(self._timers, request, channel, heard, failed)
        return made

    def message_received(self, message: Message, channel: Channel) -> None:
        """Take what came; what cannot be read is passed over."""
        try:
            if isinstance(message, Response):
                self._response_received(message)
            elif isinstance(message, Request):
                self._request_received(message, channel)
        except BadMessage:
            return  # a phone does not answer what it cannot understand

    def invite_of(self, cancel: Request) -> ServerTransaction | None:
        """Return the INVITE that a CANCEL is for (RFC 3261 §9.2)."""
        return self._servers.get(("INVITE", cancel.via.branch, cancel.via.sent_by, cancel.cseq[0]))

    def channel_lost(self, channel: Channel) -> None:
        """End what waits for an answer over a connection that is gone."""
        for client in tuple(self._clients.values()):
            if client.channel is channel:
                client.fail("the connection was lost")

    def end(self, reason: str) -> None:
        """End everything that waits for an answer."""
        for client in tuple(self._clients.values()):
            client.fail(reason)

    def _response_received(self, response: Response) -> None:
        client = self._clients.get((response.via.branch, response.cseq[1]))
        if client is not None:
            client.response_received(response)

    def _request_received(self, request: Request, channel: Channel) -> None:
        if request.method == "ACK":
            self._ack_received(request)
            return
        key = (request.method, request.via.branch, request.via.sent_by, request.cseq[0])
        known = self._servers.get(key)
        if known is not None:
            known.repeated()
            return
        made = self._servers[key] = ServerTransaction(self._timers, request, channel)
        self._taken(made)

    def _ack_received(self, ack: Request) -> None:
        """Find the INVITE by its dialog and number: the ACK to a 2xx has another branch (RFC 3261 §17.1.1.3)."""
        for server in self._servers.values():
            invite = server.request
            if invite.method != "INVITE" or invite.call_id != ack.call_id or invite.cseq[0] != ack.cseq[0]:
                continue
            if invite.from_.tag == ack.from_.tag and not server.acknowledged:
                server.ack_received()
                self._acked(ack, server)


def ack_to_failure(invite: Request, response: Response) -> Request:
    """Make the ACK to a final response that is no 2xx (RFC 3261 §17.1.1.3)."""
    return _companion(invite, "ACK", response.first("To") or "")


def cancel_of(invite: Request) -> Request:
    """Make the CANCEL of an INVITE (RFC 3261 §9.1)."""
    return _companion(invite, "CANCEL", invite.first("To") or "")


def _companion(invite: Request, method: str, to: str) -> Request:
    """Make a request that goes the way of an INVITE, with its branch."""
    headers = [("Via", invite.first("Via") or ""), ("Max-Forwards", "70")]
    headers += [("Route", route) for route in invite.lines("Route")]
    headers += [("From", invite.first("From") or ""), ("To", to)]
    headers += [("Call-ID", invite.call_id), ("CSeq", f"{invite.cseq[0]} {method}")]
    return request(method, invite.uri, headers)
