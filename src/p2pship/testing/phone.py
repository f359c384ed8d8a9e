"""A telephone for tests: SIP over UDP or TCP and sound over RTP, on real sockets, with transactions of its own.

It is a plain phone as people have them: it registers with, and sends through, its outbound proxy, or calls another
phone directly. What it says and hears is kept, so that a test can look at every message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from p2pship.address import HostPort
from p2pship.sip.message import Message, Request, Response
from p2pship.sip.uri import NameAddr, parse_uri
from p2pship.testing.incomingcall import IncomingCall
from p2pship.testing.outgoingcall import OutgoingCall
from p2pship.testing.phonecall import Call, CallOver, Ending, Refused
from p2pship.testing.phonedialog import Dialog
from p2pship.testing.phoneline import Line, Traffic
from p2pship.testing.phonemedia import Media
from p2pship.testing.phonetransactions import NoAnswer, ServerTransaction

__all__ = [
    "AT_ONCE",
    "BUSY",
    "DECLINE",
    "IGNORE",
    "RING",
    "Answering",
    "Call",
    "CallOver",
    "Ending",
    "IncomingCall",
    "NoAnswer",
    "OutgoingCall",
    "Phone",
    "Refused",
    "Text",
    "Traffic",
    "ring_then_answer",
]

RETRY = 5.0
"Seconds after which a registration that failed is tried again, as a phone does by itself."


@dataclass(frozen=True)
class Answering:
    """What a phone does by itself with a call that comes."""

    ring: bool = True
    "whether it says 180"
    after: float | None = None
    "seconds after which it answers; None leaves that to the test"
    status: int = 0
    "refuse with this instead; 0 does not"


RING = Answering()
AT_ONCE = Answering(ring=False, after=0.0)
BUSY = Answering(status=486)
DECLINE = Answering(status=603)
IGNORE = Answering(ring=False)


def ring_then_answer(seconds: float) -> Answering:
    """Ring, and answer after so many seconds."""
    return Answering(after=seconds)


@dataclass(frozen=True)
class Text:
    """A MESSAGE that came."""

    sender: str
    "the URI in From"
    text: str
    request: Request


class Phone:
    """One phone of one person."""

    def __init__(
        self,
        reactor: Any,
        aor: str,
        *,
        proxy: HostPort | None = None,
        transport: str = "udp",
        host: str = "127.0.0.1",
        display: str = "",
        answering: Answering = RING,
        random: Random | None = None,
    ) -> None:
        """Make the phone of ``sip:USER@DOMAIN``; it opens its sockets with :meth:`start`.

        Without an outbound ``proxy`` requests go to the literal address in their URI. ``transport`` is ``udp`` or
        ``tcp``.
        """
        self.aor = aor if aor.startswith("sip:") else f"sip:{aor}"
        self.proxy = proxy
        self.display = display
        self.answering = answering
        self.calls: list[Call] = []
        "every call that there ever was, in order"
        self.texts: list[Text] = []
        "every MESSAGE outside of calls that came"
        self.on_call: Callable[[IncomingCall], None] = lambda call: None
        "called with each call that comes, once ``answering`` has begun"
        self.on_message: Callable[[Text], None] = lambda text: None
        self.on_request: Callable[[Request], Response | None] = lambda request: None
        "asked first how to answer a request outside of dialogs but INVITE; None leaves it to the phone"
        self.on_media: Callable[[Media], object] = lambda media: None
        "called with the media of each call before anything is offered or answered"
        user = parse_uri(self.aor).user or ""
        self.line = Line(reactor, user, transport, host, random or Random(), self._taken, self._acked)
        self._transport = transport.lower()
        self._up: dict[tuple[str, str | None], Call] = {}
        self._registration = Dialog("", self._person(), self._person(), self._registrar, [], 0)
        self._refreshing: Any = None
        self._closing: list[Deferred[Any]] = []

    def start(self, port: int = 0) -> None:
        """Open the sockets; port 0 lets the operating system choose."""
        self.line.open(port)

    def stop(self) -> Deferred[Any]:
        """Close the sockets as a phone does that loses its power: nobody is told."""
        for call in tuple(self._up.values()):
            call.end(Ending(False, reason="the phone was stopped"))
        closing, self._closing = self._closing, []
        return gatherResults([self.line.close(), *closing])

    @property
    def address(self) -> HostPort:
        """Where the phone listens for SIP."""
        return self.line.address

    @property
    def traffic(self) -> list[Traffic]:
        """Every SIP message, in order."""
        return self.line.traffic

    @property
    def sent(self) -> list[Message]:
        """Every SIP message that was sent."""
        return [each.message for each in self.traffic if each.sent]

    @property
    def received(self) -> list[Message]:
        """Every SIP message that came."""
        return [each.message for each in self.traffic if not each.sent]

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Wait for a condition, which is asked again with each SIP message that comes or goes."""
        return self.line.conditions.wait(condition)

    def register(self, expires: int = 3600) -> Deferred[Response]:
        """Register, and again after half of the time granted; fails with :class:`Refused` or :class:`NoAnswer`."""
        return self._register(expires).addCallback(self._registered, expires)

    def unregister(self) -> Deferred[Response]:
        """End the registration; fails as :meth:`register`."""
        self.line.timers.cancel(self._refreshing)
        return self._register(0)

    def call(self, uri: str, headers: Sequence[tuple[str, str]] = (), offer: bool = True) -> OutgoingCall:
        """Call somebody; without ``offer`` the SDP offer is left to the other side."""
        call = OutgoingCall(self, self._dialog(uri), headers, offer)
        self._keep(call)
        return call

    def message(self, uri: str, text: str) -> Deferred[Response]:
        """Send a text (RFC 3428); fires with the final response, of whatever status."""
        return self.request("MESSAGE", uri, [("Content-Type", "text/plain;charset=UTF-8")], text.encode())

    def request(
        self, method: str, uri: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Deferred[Response]:
        """Send a request outside of any dialog; fires with the final response, of whatever status."""
        return self.line.transact(self._dialog(uri).request(method, headers, body))

    def forget(self, call: Call) -> None:
        """Close what a call that has ended used."""
        self._up.pop((call.dialog.call_id, call.dialog.local.tag), None)
        self._closing.append(call.media.close())

    @property
    def _registrar(self) -> str:
        uri = parse_uri(self.aor)
        return f"sip:{uri.host}" if uri.port is None else f"sip:{uri.host}:{uri.port}"

    @property
    def _routes(self) -> list[str]:
        if self.proxy is None:
            return []
        return [f"<sip:{self.proxy};lr{';transport=tcp' if self._transport == 'tcp' else ''}>"]

    def _person(self) -> NameAddr:
        return NameAddr(self.display, self.aor)

    def _dialog(self, uri: str) -> Dialog:
        """Return what becomes a dialog if it is answered so; its routes are those of the outbound proxy."""
        local = self._person().with_parameter("tag", self.line.token())
        return Dialog(self.line.token(), local, NameAddr("", uri), uri, self._routes, self.line.number())

    def _keep(self, call: Call) -> None:
        self.calls.append(call)
        self._up[call.dialog.call_id, call.dialog.local.tag] = call

    def _register(self, expires: int) -> Deferred[Response]:
        registration = self._registration
        registration.call_id = registration.call_id or self.line.token()
        registration.local = self._person().with_parameter("tag", self.line.token())
        registration.routes = self._routes
        headers = [self.line.contact_header, ("Expires", str(expires))]
        return self.line.transact(registration.request("REGISTER", headers)).addCallback(_only_success)

    def _registered(self, response: Response, expires: int) -> Response:
        granted = _granted(response, self.line.contact, expires)
        self.line.timers.cancel(self._refreshing)
        self._refreshing = self.line.timers.later(granted / 2, lambda: self._refresh(expires))
        return response

    def _refresh(self, expires: int) -> None:
        def again(failure: Failure) -> None:
            failure.trap(Refused, NoAnswer)
            self._refreshing = self.line.timers.later(RETRY, lambda: self._refresh(expires))

        self.register(expires).addErrback(again)

    def _taken(self, server: ServerTransaction) -> None:
        """Take a request that came."""
        request = server.request
        if request.method == "CANCEL":
            self._cancel_received(server)
        elif request.to.tag is not None:
            self._in_dialog(server)
        elif request.method == "INVITE":
            self._called(server)
        else:
            self._asked(server)

    def _acked(self, ack: Request, server: ServerTransaction) -> None:
        call = self._up.get((ack.call_id, ack.to.tag))
        if call is not None:
            call.acked(ack, server)

    def _in_dialog(self, server: ServerTransaction) -> None:
        call = self._up.get((server.request.call_id, server.request.to.tag))
        if call is None:
            self.line.respond(server, 481)
        else:
            call.taken(server)

    def _cancel_received(self, server: ServerTransaction) -> None:
        invited = self.line.invite_of(server.request)
        call = next((each for each in self._incoming() if invited and each.invite is invited.request), None)
        self.line.respond(server, 481 if invited is None else 200)
        if call is not None:
            call.cancelled(server.request)

    def _incoming(self) -> list[IncomingCall]:
        return [call for call in self._up.values() if isinstance(call, IncomingCall)]

    def _called(self, server: ServerTransaction) -> None:
        dialog = Dialog.of_request(server.request, self.line.token(), self.line.number())
        call = IncomingCall(self, server, dialog)
        self._keep(call)
        answering = self.answering
        if answering.status:
            call.reject(answering.status)
        elif answering.ring:
            call.ring()
        if answering.after is not None:
            self.line.timers.later(answering.after, lambda: _answer(call))
        self.on_call(call)

    def _asked(self, server: ServerTransaction) -> None:
        chosen = self.on_request(server.request)
        if chosen is not None:
            server.respond(chosen)
        elif server.request.method == "MESSAGE":
            self.line.respond(server, 200)
            self._text_received(server.request)
        else:
            self.line.respond(server, 200 if server.request.method in ("OPTIONS", "NOTIFY") else 501)

    def _text_received(self, request: Request) -> None:
        text = Text(request.from_.uri, request.body.decode("utf-8", "replace"), request)
        self.texts.append(text)
        self.on_message(text)


def _answer(call: IncomingCall) -> None:
    def over(failure: Failure) -> None:
        failure.trap(CallOver)  # the call tells those who wait for it

    call.answer().addErrback(over)


def _only_success(response: Response) -> Response:
    if response.status >= 300:
        raise Refused(response)
    return response


def _granted(response: Response, contact: str, asked: int) -> int:
    """Return for how many seconds a registrar has taken the contact (RFC 3261 §10.2.4)."""
    for value in response.values("Contact"):
        address = NameAddr.parse(value)
        expires = address.parameters.get("expires")
        if address.uri == contact and expires is not None and expires.isdigit():
            return int(expires)
    return asked
