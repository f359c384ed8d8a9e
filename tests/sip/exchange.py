"""Two transaction layers with a line between them that loses what the test wants: for the tests of the layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from itertools import count

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.sip.message import Message, Request, Response, parse, request, response_to
from p2pship.sip.transactions import ClientTransaction, ServerTransaction, TransactionLayer

DELAY = 0.01
"seconds that a message takes"


def counting_random() -> Callable[[int], bytes]:
    """Return a source of octets that are never the same, but the same in each run."""
    numbers = count(1)
    return lambda octets: next(numbers).to_bytes(octets, "big")


def make_request(method: str = "INVITE", number: int = 1, **changed: str) -> Request:
    """Make a request without Via; a header can be changed by its name in lower case."""
    headers = {
        "From": "<sip:alice@example.com>;tag=a1",
        "To": "<sip:bob@example.com>",
        "Call-ID": "c1@example.com",
        "CSeq": f"{number} {method}",
        "Max-Forwards": "70",
    }
    for name, value in changed.items():
        headers[{"from_": "From", "to": "To", "call_id": "Call-ID", "cseq": "CSeq"}[name]] = value
    return request(method, "sip:bob@example.com", list(headers.items()))


def received_request(method: str, via: str, number: int = 1, **changed: str) -> Request:
    """Make a request as it comes from a phone."""
    made = make_request(method, number, **changed)
    made.prepend("Via", via)
    return made


@implementer(ISIPHop)
class RecordingHop:
    """A hop that keeps what is sent, and can be made to fail or to wait."""

    def __init__(self, transport: str = "UDP", key: Hashable = "phone") -> None:
        self.transport = transport
        self.reliable = transport != "UDP"
        self.sent_by = "192.0.2.1:5060"
        self.description = f"test {transport} {key}"
        self.key = key
        self.address = None
        self.trusted = True
        self.sent: list[Message] = []
        self.failure: Exception | None = None
        self.raises: Exception | None = None
        self.waiting: Deferred[None] | None = None

    def send(self, message: Message) -> Deferred[None]:
        """Keep the message."""
        if self.raises is not None:
            raise self.raises
        if self.failure is not None:
            return fail(self.failure)
        self.sent.append(message.copy())
        return succeed(None) if self.waiting is None else self.waiting

    def brief(self) -> list[str]:
        """Say what was sent: methods and status codes."""
        return [brief(message) for message in self.sent]


def brief(message: Message) -> str:
    """Say in one word what a message is."""
    if isinstance(message, Request):
        return message.method
    assert isinstance(message, Response)
    return f"{message.status}/{message.cseq[1]}"


class Line:
    """Carries messages from one side to the other, and loses those whose numbers it is told."""

    def __init__(self, clock: Clock, lost: Collection[int]) -> None:
        self.clock = clock
        self.lost = lost
        self.log: list[str] = []

    def carry(self, data: bytes, take: Callable[[Message], None]) -> None:
        """Carry a message."""
        number = len(self.log)
        self.log.append(brief(parse(data)))
        if number not in self.lost:
            self.clock.callLater(DELAY, lambda: take(parse(data)))


@implementer(ISIPHop)
class LineHop:
    """One end of the line, as the next hop of the layer at this end."""

    def __init__(self, line: Line, transport: str, sent_by: str) -> None:
        self._line = line
        self.transport = transport
        self.reliable = transport != "UDP"
        self.sent_by = sent_by
        self.description = f"line from {sent_by}"
        self.key: Hashable = ("line", sent_by)
        self.address = None
        self.trusted = True
        self.take: Callable[[Message], None] = lambda message: None

    def send(self, message: Message) -> Deferred[None]:
        """Put the message on the line."""
        self._line.carry(message.encode(), self.take)
        return succeed(None)


class Caller:
    """Sends requests, and acknowledges each 2xx to an INVITE (RFC 3261 §13.2.2.4)."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.layer: TransactionLayer
        self.hop: ISIPHop

    def response_received(self, client: ClientTransaction, response: Response) -> None:
        """Note the response."""
        self.heard.append(brief(response))
        if response.cseq[1] == "INVITE" and 200 <= response.status < 300:
            self.layer.send_ack(
                make_request("ACK", response.cseq[0], to=response.first("To") or ""), self.hop
            )

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        """Note the failure."""
        self.heard.append(f"failed {status}")

    @property
    def finals(self) -> list[str]:
        """What was heard, without provisional responses and repetitions."""
        return list(dict.fromkeys(each for each in self.heard if not each.startswith("1")))


class Callee:
    """Answers as it is told after a time, repeats a 2xx to an INVITE until its ACK comes (§13.3.1.4)."""

    def __init__(self, clock: Clock, status: int, after: float) -> None:
        self.clock = clock
        self.status = status
        self.after = after
        self.heard: list[str] = []
        self.lost: list[str] = []
        self.acknowledged = False
        self.layer: TransactionLayer

    def request_received(self, transaction: ServerTransaction) -> None:
        """Answer."""
        self.heard.append(transaction.request.method)
        if transaction.cancels is not None:
            transaction.answer(200)
            transaction.cancels.answer(487)
            return
        if transaction.request.method == "INVITE":
            transaction.answer(100)
        self.clock.callLater(self.after, self._answer, transaction)

    def transaction_lost(self, transaction: ServerTransaction, reason: str) -> None:
        """Note the reason."""
        self.lost.append(reason)

    def ack_received(self, ack: Request, origin: ISIPHop) -> None:
        """Note the ACK."""
        self.heard.append("ACK")
        self.acknowledged = True

    def response_received(self, response: Response, origin: ISIPHop) -> None:
        """Note what is astray."""
        self.heard.append(f"stray {brief(response)}")

    def _answer(self, transaction: ServerTransaction) -> None:
        if transaction.final:
            return
        response = response_to(transaction.request, self.status, to_tag="b1")
        transaction.respond(response)
        if transaction.request.method == "INVITE" and self.status < 300:
            self.clock.callLater(0.5, self._repeat, transaction, response, 0.5)

    def _repeat(self, transaction: ServerTransaction, response: Response, interval: float) -> None:
        if self.acknowledged or interval > 16:
            return
        transaction.respond(response)
        self.clock.callLater(min(4.0, 2 * interval), self._repeat, transaction, response, 2 * interval)


class Exchange:
    """One caller and one callee, each with its layer."""

    def __init__(self, transport: str, status: int, after: float, lost: Collection[int]) -> None:
        self.clock = Clock()
        self.line = Line(self.clock, lost)
        self.caller = Caller()
        self.callee = Callee(self.clock, status, after)
        here = LineHop(self.line, transport, "192.0.2.1:5060")
        there = LineHop(self.line, transport, "192.0.2.2:5060")
        unasked = Callee(self.clock, 500, 0.0)
        self.here = TransactionLayer(self.clock, unasked, counting_random(), Journal())
        self.there = TransactionLayer(self.clock, self.callee, counting_random(), Journal())
        here.take = lambda message: self.there.message_received(message, there)
        there.take = lambda message: self.here.message_received(message, here)
        self.caller.layer, self.caller.hop = self.here, here
        self.callee.layer = self.there

    def send(self, method: str) -> ClientTransaction:
        """Send a request from the caller to the callee."""
        return self.here.send_request(make_request(method), self.caller.hop, self.caller)

    def run(self, seconds: float) -> None:
        """Let time pass in small steps."""
        self.clock.pump([DELAY] * round(seconds / DELAY))


NOT_SENT = RemoteError("no way there")
