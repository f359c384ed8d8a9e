"""The transaction layer: finds the transaction of each message, or makes one, and keeps the time (RFC 3261 §17)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from hashlib import blake2s
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import LocalError
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.sip.client_transaction import ClientTransaction, IClientUser, Nobody
from p2pship.sip.deadlines import Deadlines
from p2pship.sip.large import hop_for_size, rerouted, via_of
from p2pship.sip.live_transaction import LiveTransaction
from p2pship.sip.match import MAGIC_COOKIE, client_key, request_key, scope, server_key
from p2pship.sip.message import BadMessage, Message, Request, Response
from p2pship.sip.refusal import refusal, stateless
from p2pship.sip.server_transaction import ITransactionUser, ServerTransaction
from p2pship.sip.transaction import Input

__all__ = [
    "ClientTransaction",
    "Counts",
    "IClientUser",
    "ITransactionUser",
    "ServerTransaction",
    "TransactionLayer",
]

MAX_SERVERS_OF_PEER = 500
"""Server transactions of one peer: on a link those that wait for their final response, or for the ACK to a failure.

An INVITE answered with a 2xx stays for 32 s (timer L, RFC 6026 §7.1), but counts no more: only a phone can accept it."""
MAX_SERVERS_OF_PHONE = 16_000
"Server transactions of one address of a phone: over UDP each stays for 32 s, so these are 500 requests in a second."
WITHIN_DIALOGS = 2
"times its share that a sender may have under way with requests within dialogs: new calls cannot keep one from ending"
MAX_SERVERS = 32_000
"Server transactions in all: about 200 MB at the most."
RETRY_AFTER = 5
"seconds after which an overloaded node may be asked again: some of the transactions will have ended"
BRANCH_OCTETS = 12
"random octets in a branch: 96 bits, which nobody guesses within the life of a transaction"

_NEEDED = frozenset({"from", "to", "call-id", "cseq"})


@dataclass(frozen=True, slots=True)
class Counts:
    """How many transactions live."""

    clients: int
    servers: int


class TransactionLayer:
    """All transactions of the node, over every hop.

    Hops hand what they receive to :meth:`message_received`, never from within ``send``.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        user: ITransactionUser,
        random: Callable[[int], bytes],
        journal: Journal,
    ) -> None:
        self.clock = reactor
        self.random = random
        self.journal = journal
        self.deadlines: Deadlines[LiveTransaction] = Deadlines(reactor, LiveTransaction.expire)
        self._user = user
        self._secret = random(BRANCH_OCTETS)
        self._clients: dict[Hashable, ClientTransaction] = {}
        self._servers: dict[Hashable, ServerTransaction] = {}
        self._shares: defaultdict[Hashable, set[ServerTransaction]] = defaultdict(set)
        self._stopped = False

    @property
    def counts(self) -> Counts:
        """How many transactions live now."""
        return Counts(len(self._clients), len(self._servers))

    def stop(self) -> None:
        """Forget all transactions, without telling anybody; what still comes is dropped."""
        self._stopped = True
        self.deadlines.stop()
        self._clients.clear()
        self._servers.clear()
        self._shares.clear()

    def message_received(self, message: Message, origin: ISIPHop) -> None:
        """Take a message that a hop has received. A request that cannot be read is refused, a response dropped."""
        if self._stopped:
            return
        try:
            if isinstance(message, Request):
                self._request_received(message, origin)
            elif isinstance(message, Response):
                self._response_received(message, origin)
        except BadMessage as error:
            self.journal.count("sip.garbage")
            if error.message is message:
                self._send_stateless(refusal(error), origin)

    def send_request(self, request: Request, hop: ISIPHop, user: IClientUser) -> ClientTransaction:
        """Send a request, other than ACK, to a hop; it gets our Via on top and is the layer's from now on.

        To a phone over UDP it goes over TCP if it is too large for a datagram and the phone takes a connection.

        :raises LocalError: if it has no From, To, Call-ID or CSeq, of which a CANCEL or an ACK would be made.
        """
        if not request.has_all(_NEEDED):
            raise LocalError(f"{request!r} lacks a header that each request has")
        first = hop_for_size(request, hop)
        request.prepend("Via", via_of(first, MAGIC_COOKIE + self.random(BRANCH_OCTETS).hex()))
        return self._start_client(request, first, user, None if first is hop else hop)

    def send_ack(self, ack: Request, hop: ISIPHop) -> None:
        """Send the ACK to a 2xx, which is no part of any transaction (RFC 3261 §13.2.2.4); it gets our Via on top.

        An ACK that is sent again, because the 2xx came again, has the same octets: phones know a repetition by that.
        """
        named = ack.call_id, ack.from_.tag, ack.to.tag, ack.cseq[0], hop.description
        branch = blake2s(
            repr(named).encode("utf-8", "surrogateescape"), digest_size=BRANCH_OCTETS, key=self._secret
        )
        first = hop_for_size(ack, hop)
        ack.prepend("Via", via_of(first, MAGIC_COOKIE + branch.hexdigest()))
        self._send_alone(ack, first, None if first is hop else hop)

    def clients_of(self, hop_key: Hashable) -> list[ClientTransaction]:
        """Return what is under way to a hop."""
        return [client for client in self._clients.values() if client.hop.key == hop_key]

    def hop_lost(self, hop_key: Hashable, reason: str, clients: Iterable[ClientTransaction]) -> None:
        """Hear that a hop is gone for good: a transport error for its transactions (RFC 3261 §18.4).

        Of those to it only ``clients`` have ended: what was begun since it was lost goes to one that has come back.
        """
        servers = [server for server in self._servers.values() if server.hop.key == hop_key]
        for transaction in (*clients, *servers):
            transaction.hop_lost(reason)

    def forget(self, transaction: LiveTransaction) -> None:
        """Let go of a transaction that has ended; for the transactions. Harmless when repeated."""
        if isinstance(transaction, ClientTransaction):
            if self._clients.get(transaction.key) is transaction:
                del self._clients[transaction.key]
            return
        if self._servers.get(transaction.key) is not transaction:
            return
        del self._servers[transaction.key]
        self.accepted(transaction)

    def accepted(self, transaction: LiveTransaction) -> None:
        """Count a server transaction against its sender no more; for the transactions. Harmless when repeated."""
        share = self._shares[transaction.hop.key]
        share.discard(transaction)
        if not share:
            del self._shares[transaction.hop.key]

    def _response_received(self, response: Response, origin: ISIPHop) -> None:
        client = self._clients.get(client_key(response, origin))
        if client is not None:
            client.received(response)
            return
        if response.via.sent_by.lower() != origin.sent_by.lower():
            self.journal.count("sip.not_ours")  # RFC 3261 §18.1.2: silently discarded
            return
        self._tell(self._user.response_received, response, origin)

    def _request_received(self, request: Request, origin: ISIPHop) -> None:
        key = server_key(request, origin)
        known = self._servers.get(key)
        if request.method == "ACK":
            if known is None or not known.acknowledged(request, origin):
                self._tell(self._user.ack_received, request, origin)
            return
        if known is not None:
            known.feed(Input.REQUEST)
            return
        self._new_request(request, origin, key)

    def _new_request(self, request: Request, origin: ISIPHop, key: Hashable) -> None:
        cancels = None
        if request.method == "CANCEL":
            cancels = self._servers.get(server_key(request, origin, "INVITE"))
        # There are no more of these CANCELs than there are INVITEs, and each makes room.
        if cancels is None and not self._has_room(request, origin):
            return
        transaction = ServerTransaction(request, origin, key, self, self._user, cancels)
        self._servers[key] = transaction
        self._shares[origin.key].add(transaction)
        transaction.start()
        if not self._tell(self._user.request_received, transaction):
            transaction.answer(500)

    def _has_room(self, request: Request, origin: ISIPHop) -> bool:
        """Tell whether there is room for another transaction; if not, the request has been refused.

        503 says that the whole node is overloaded, 500 only that this sender has too much under way.
        """
        if len(self._servers) >= MAX_SERVERS:
            self._refuse(request, origin, 503, "Too many requests under way")
            return False
        share = MAX_SERVERS_OF_PHONE if scope(origin) is None else MAX_SERVERS_OF_PEER
        if request.to.tag:
            share *= WITHIN_DIALOGS
        if len(self._shares.get(origin.key, ())) >= share:
            self._refuse(request, origin, 500, "Too many requests of yours under way")
            return False
        return True

    def _refuse(self, request: Request, origin: ISIPHop, status: int, reason: str) -> None:
        self.journal.count("sip.overload")
        response = stateless(request, status, reason)
        if response is not None and status == 503:
            response.append("Retry-After", str(RETRY_AFTER))
        self._send_stateless(response, origin)

    def _start_client(
        self, request: Request, hop: ISIPHop, user: IClientUser, instead: ISIPHop | None = None
    ) -> ClientTransaction:
        key = request_key(request, hop)
        client = ClientTransaction(request, hop, key, self, user, self._send_cancel, instead)
        self._clients[client.key] = client
        client.start()
        return client

    def _send_cancel(self, cancel: Request, hop: ISIPHop) -> None:
        self._start_client(cancel, hop, Nobody())

    def _send_stateless(self, response: Response | None, origin: ISIPHop) -> None:
        if response is not None:
            self._send_alone(response, origin)

    def _send_alone(self, message: Message, hop: ISIPHop, instead: ISIPHop | None = None) -> None:
        """Send what is part of no transaction: if it cannot be sent, the other side will ask again, or give up.

        ``instead`` is where it goes if that fails.
        """
        try:
            sent = hop.send(message)
            if sent is None:
                return
            if instead is not None:
                sent.addErrback(lambda _: self._send_alone(rerouted(message, instead), instead))
            sent.addErrback(self._unsent)
        except Exception:  # noqa: BLE001 (a hop may be anybody's code)
            self._unsent(Failure())

    def _unsent(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.journal.count("sip.unsent")

    def _tell(self, call: Callable[..., None], *arguments: Any) -> bool:
        try:
            call(*arguments)
        except Exception:  # noqa: BLE001 (a user that fails must not take the layer down)
            self.log.failure("a user of the transaction layer failed")
            self.journal.count("sip.user_failed")
            return False
        return True
