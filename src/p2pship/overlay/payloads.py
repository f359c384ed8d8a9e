"""The payloads of one session: those we sent and wait for the answers of, and those we took and have not answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import LocalError, PayloadRefused, RemoteError
from p2pship.interfaces import IPeer, ISubprotocol
from p2pship.overlay.machine import Priority, Session
from p2pship.overlay.wire import MAX_PAYLOAD, NOBODY, Ack, Nack, Payload, short

MAX_UNANSWERED = 1024
"Payloads that wait for an answer, in each direction: more than all the dialogs of a busy node have under way at once."

MAX_QUEUED_OCTETS = 4 << 20
"""Octets that wait to be sent to a peer: 64 of the largest payloads, or what SIP sends while a link is re-dialled. Above it
payloads of the other side are refused, too: it does not take the answers that it has caused already."""

_MAX_ID = 0xFFFF_FFFF


class Payloads:
    """Sends payloads and matches answers; takes payloads and answers them."""

    log = Logger()

    def __init__(self, peer: IPeer, session: Session, stir: Callable[[], None]) -> None:
        """Send by ``session``; ``stir`` says that it has something more to send."""
        self._peer = peer
        self._session = session
        self._stir = stir
        self._last_id = 0
        self._sent: dict[int, Deferred[bytes]] = {}
        self._taken: set[int] = set()

    @property
    def unanswered(self) -> int:
        """How many we sent and wait for the answers of."""
        return len(self._sent)

    @property
    def pending(self) -> int:
        """How many we took and have not answered."""
        return len(self._taken)

    def send(self, subprotocol: int, priority: Priority, body: bytes) -> Deferred[bytes]:
        """Send a payload to the other side's subprotocol of this number; fires with the answer.

        :raises LocalError: if it is too long.
        :raises PayloadRefused: if too much waits already.
        """
        self._check_room(body)
        self._last_id += 1
        frame = Payload(subprotocol, self._last_id, body)
        answer: Deferred[bytes] = Deferred(lambda _: self._forget(priority, frame))
        self._sent[frame.id] = answer
        self._session.queue(priority, frame)
        return answer

    def _check_room(self, body: bytes) -> None:
        if len(body) > MAX_PAYLOAD:
            raise LocalError(f"a payload of {len(body)} octets is too long: the most is {MAX_PAYLOAD}")
        if self._last_id == _MAX_ID:
            raise LocalError("this session has had all its payloads")
        if len(self._sent) >= MAX_UNANSWERED or self._session.queued_octets + len(body) > MAX_QUEUED_OCTETS:
            raise PayloadRefused("too much waits to be sent to this peer already")

    def _forget(self, priority: Priority, frame: Payload) -> None:
        """Cancel a payload: one that was sent is not sent again after a break, and its answer is not waited for."""
        del self._sent[frame.id]
        if not self._session.withdraw(priority, frame):
            self._session.replace(frame, Payload(NOBODY, frame.id, b""))

    def answered(self, frame: Ack | Nack) -> None:
        """Take an answer; one to a payload that was cancelled is dropped."""
        waiting = self._sent.pop(frame.id, None)
        if waiting is None:
            return
        if isinstance(frame, Ack):
            waiting.callback(frame.answer)
            return
        waiting.errback(PayloadRefused(frame.reason or None))

    def received(self, frame: Payload, subprotocol: ISubprotocol | None) -> None:
        """Hand a payload to its subprotocol, and answer with what that returns."""
        if subprotocol is None:
            self._answer(Nack(frame.id, "this node does not take part in that"))
            return
        if len(self._taken) >= MAX_UNANSWERED or self._session.queued_octets > MAX_QUEUED_OCTETS:
            self._answer(Nack(frame.id, "too much waits to be answered already"))
            return
        self._taken.add(frame.id)
        take: Callable[[IPeer, bytes], Any] = subprotocol.payload_received
        try:
            taken = take(self._peer, frame.body)
            if not isinstance(taken, Deferred):
                self._ack(taken, frame.id)
                return
        except Exception:  # noqa: BLE001 (a subprotocol may be anybody's code)
            self._nack(Failure(), frame.id)
            return
        taken.addCallback(self._ack, frame.id).addErrback(self._nack, frame.id)

    def _ack(self, answer: bytes | None, id: int) -> None:
        octets = answer or b""
        if len(octets) > MAX_PAYLOAD:
            raise LocalError(f"an answer of {len(octets)} octets is too long: the most is {MAX_PAYLOAD}")
        self._taken.discard(id)
        self._answer(Ack(id, octets))

    def _nack(self, failure: Failure, id: int) -> None:
        self._taken.discard(id)
        if failure.check(RemoteError):
            self._answer(Nack(id, short(failure.getErrorMessage())))
            return
        self.log.failure("a payload could not be taken", failure)
        self._answer(Nack(id, "this node failed to take it"))

    def _answer(self, frame: Ack | Nack) -> None:
        self._session.queue(Priority.CONTROL, frame)
        self._stir()

    def end(self, error: RemoteError) -> None:
        """Fail everything that waits; answers that are still to come go nowhere."""
        self._stir = _nothing
        while self._sent:  # one by one: who hears of it may cancel another
            self._sent.pop(next(iter(self._sent))).errback(error)


def _nothing() -> None:
    """Stir nothing: the session is over."""
