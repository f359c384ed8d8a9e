"""A transaction layer with a user that notes everything and hops that keep everything: for the tests of transactions."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.sip.message import Request, Response, response_to
from p2pship.sip.transactions import ClientTransaction, ServerTransaction, TransactionLayer
from tests.sip.exchange import RecordingHop, brief, counting_random, make_request, received_request

PHONE_VIA = "SIP/2.0/UDP phone.example.com:5070;branch=z9hG4bKphone1"
OLD_VIA = "SIP/2.0/UDP old.example.com"


class User:
    """A user of the layer that notes what it is told, and can be made to fail."""

    def __init__(self) -> None:
        self.transactions: list[ServerTransaction] = []
        self.told: list[str] = []
        self.fails = False

    def request_received(self, transaction: ServerTransaction) -> None:
        """Note a request."""
        self.transactions.append(transaction)
        self._tell(transaction.request.method)

    def transaction_lost(self, transaction: ServerTransaction, reason: str) -> None:
        """Note a loss."""
        self._tell(f"lost {transaction.request.method}: {reason}")

    def ack_received(self, ack: Request, origin: ISIPHop) -> None:
        """Note an ACK."""
        self._tell("ACK")

    def response_received(self, *arguments: Any) -> None:
        """Note a response, of a client transaction or astray."""
        response = arguments[-1] if isinstance(arguments[-1], Response) else arguments[0]
        self._tell(brief(response))

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        """Note a failure."""
        self._tell(f"failed {status}: {reason}")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if self.fails:
            raise ZeroDivisionError("as it happens")


class LayerCase(SynchronousTestCase):
    """A layer with a user and recording hops."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.user = User()
        self.journal = Journal()
        self.layer = TransactionLayer(self.clock, self.user, counting_random(), self.journal)
        self.phone = RecordingHop("UDP")
        self.peer = RecordingHop("P2P", "peer")

    def receive(self, message: Request | Response, hop: RecordingHop | None = None) -> None:
        """Have the layer receive a message from the phone, or another hop."""
        self.layer.message_received(message.copy(), hop or self.phone)

    def receive_request(self, method: str, via: str = PHONE_VIA, hop: RecordingHop | None = None) -> None:
        """Have the layer receive a request."""
        self.receive(received_request(method, via), hop)

    def send(self, method: str, hop: RecordingHop | None = None) -> ClientTransaction:
        """Have the layer send a request to the phone, or another hop."""
        return self.layer.send_request(make_request(method), hop or self.phone, self.user)

    def answer(self, client: ClientTransaction, status: int, hop: RecordingHop | None = None) -> None:
        """Have the layer receive a response to what it has sent."""
        self.receive(response_to(client.request, status, to_tag="b1"), hop)
