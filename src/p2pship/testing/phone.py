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

from p2pship.address import HostPort
from p2pship.errors import RemoteError
from p2pship.sip.message import Message, Request, Response, request, response_to
from p2pship.sip.uri import NameAddr, Parameters, parse_uri
from p2pship.testing.incomingcall import IncomingCall
from p2pship.testing.moment import Moment
from p2pship.testing.outgoingcall import OutgoingCall
from p2pship.testing.phonecall import Call, Refused
from p2pship.testing.phonedialog import Dialog, destination
from p2pship.testing.phonemedia import Media
from p2pship.testing.phonesockets import Channel, Sockets, TCPSockets, UDPSockets
from p2pship.testing.phonetransactions import (
    ClientTransaction,
    Failed,
    Heard,
    ServerTransaction,
    Transactions,
)
from p2pship.testing.timers import Timers

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, NOTIFY, UPDATE"


@dataclass(frozen=True)
class Answering:
    """What a phone does by itself with a call that comes."""

    ring: bool = True
    "whether it says 180"
    after: float | None = None
    "seconds after which it answers; None leaves that to the test"
    status: int = 0
    "refuse with this instead; 0 does not"
    silent: bool = False
    "say nothing at all after 100"


RING = Answering()
AT_ONCE = Answering(ring=False, after=0.0)
BUSY = Answering(status=486)
DECLINE = Answering(status=603)
IGNORE = Answering(silent=True)


def ring_then_answer(seconds: float) -> Answering:
    """Ring, and answer after so many seconds."""
    return Answering(after=seconds)


@dataclass(frozen=True)
class Traffic:
    """A message that this phone sent or received; a retransmission is one more."""

    sent: bool
    message: Message
    remote: HostPort
    at: float
    "in the reactor's seconds"


@dataclass(frozen=True)
class Text:
    """A MESSAGE that came."""

    sender: str
    "the URI in From"
    text: str


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
        port: int = 0,
        display: str = "",
        answering: Answering = RING,
        random: Random | None = None,
    ) -> None:
        """Make the phone of ``sip:USER@DOMAIN``; it opens its sockets with :meth:`start`.

        Without an outbound ``proxy`` requests go to the literal address in their URI. ``transport`` is ``udp`` or
        ``tcp``; port 0 lets the operating system choose.
        """
        self.aor = aor if aor.startswith("sip:") else f"sip:{aor}"
        self.proxy = proxy
        self.answering = answering
        self.display = display
        self.traffic: list[Traffic] = []
        "every SIP message, in order"
        self.calls: list[Call] = []
        "every call that there ever was, in order"
        self.texts: list[Text] = []
        self.on_call: Callable[[IncomingCall], None] = lambda call: None
        self.on_message: Callable[[Text], None] = lambda text: None
        self.on_request: Callable[[Request], Response | None] = lambda request: None
        "asked first how to answer a request outside of dialogs other than INVITE; None leaves it to the phone"
        self._reactor = reactor
        self._host, self._port, self._transport = host, port, transport.lower()
        self._random = random or Random()
        self._timers = Timers(reactor)
        self._transactions = Transactions(self._timers, self._taken, self._acked)
        self._sockets: Sockets | None = None
        self._up: dict[tuple[str, str | None], Call] = {}
        self._registration = self._token(), 0
        self._refresh: Any = None
        self._closing: list[Deferred[Any]] = []
