"""A dialog as a test phone keeps it (RFC 3261 §12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from p2pship.address import HostPort
from p2pship.sip.message import Message, Request, Response, request
from p2pship.sip.uri import NameAddr, parse_uri


@dataclass
class Dialog:
    """The state of one dialog."""

    call_id: str
    local: NameAddr
    "the From of what this side sends, tag included"
    remote: NameAddr
    "the To of what this side sends, with a tag once the other side has answered"
    target: str
    "the URI of the other side's Contact, where requests go"
    routes: list[str]
    "the route set, nearest first"
    cseq: int
    "the number of this side's last request"

    @classmethod
    def of_request(cls, invite: Request, tag: str, cseq: int) -> Dialog:
        """Return the dialog of one that is called (RFC 3261 §12.1.1)."""
        local = invite.to.with_parameter("tag", tag)
        return cls(invite.call_id, local, invite.from_, _contact(invite), invite.values("Record-Route"), cseq)

    def answered(self, response: Response) -> None:
        """Take the remote tag, the target and the route set of a response (RFC 3261 §12.1.2)."""
        self.remote = response.to
        self.target = _contact(response) or self.target
        self.routes = response.values("Record-Route")[::-1]

    def refreshed(self, message: Message) -> None:
        """Take the other side's new Contact (RFC 3261 §12.2)."""
        self.target = _contact(message) or self.target

    def request(self, method: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> Request:
        """Make the next request within it, but for what the phone adds (RFC 3261 §12.2.1.1)."""
        if method != "ACK":
            self.cseq += 1
        return self.numbered(method, self.cseq, headers, body)

    def numbered(
        self, method: str, cseq: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Request:
        """Make a request with a number of one's choice, such as the ACK to an INVITE."""
        routes = [("Route", route) for route in self.routes]
        parties = [("From", str(self.local)), ("To", str(self.remote)), ("Call-ID", self.call_id)]
        return request(method, self.target, [*routes, *parties, ("CSeq", f"{cseq} {method}"), *headers], body)


def destination(message: Request) -> HostPort:
    """Return where a request goes: to its first Route, else to its Request-URI (RFC 3261 §8.1.2); literals only.

    :raises RemoteError: if that is a name, or not a SIP URI.
    """
    routes = message.values("Route")
    uri = parse_uri(NameAddr.parse(routes[0]).uri if routes else message.uri)
    return HostPort.parse(
        f"[{uri.host}]:{uri.port or 5060}" if ":" in uri.host else f"{uri.host}:{uri.port or 5060}"
    )


def _contact(message: Message) -> str:
    values = message.values("Contact")
    return NameAddr.parse(values[0]).uri if values else ""
