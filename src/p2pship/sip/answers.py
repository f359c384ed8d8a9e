"""What this node answers by itself, and tells its journal."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from p2pship.journal import Journal, RequestRefused, printable
from p2pship.sip.hops import peer_of
from p2pship.sip.message import LONGEST_SHOWN, response_to
from p2pship.sip.refusal import add_warning
from p2pship.sip.screen import Refusal
from p2pship.sip.trails import Trails
from p2pship.sip.transactions import ServerTransaction

LONGEST_REASON = 400
"Characters of why a request is refused, which may name what a stranger wrote, in the log."


class Answers:
    """Answers requests that go nowhere else."""

    log = Logger()

    def __init__(self, journal: Journal, trails: Trails) -> None:
        self._journal = journal
        self._trails = trails

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer with a status and further headers; a phone is told the reason in a Warning, a peer is not."""
        response = response_to(transaction.request, status, to_tag=transaction.tag)
        for name, value in headers:
            response.append(name, value)
        self._trails.answered(transaction, status, reason)
        if reason and peer_of(transaction.origin) is None:
            add_warning(response, reason)
        if reason:
            self.log.debug(
                "answered {request} with {status}: {reason}",
                request=transaction.request,
                status=status,
                reason=reason,
            )
        transaction.respond(response)

    def refuse(self, transaction: ServerTransaction, status: int, reason: str) -> None:
        """Refuse by policy, which the journal is told."""
        request = transaction.request
        sender, target = (printable(uri, LONGEST_SHOWN) for uri in (request.from_.uri, request.uri))
        words = printable(reason, LONGEST_REASON)
        self._journal.tell(RequestRefused(request.method, sender, target, status, words))
        self.answer(transaction, status, words)

    def screened(self, transaction: ServerTransaction, refusal: Refusal) -> None:
        """Refuse what a peer may not say, and count it by its rule."""
        self._journal.count(f"screen.{refusal.rule}")
        self._trails.refused(transaction, refusal.rule)
        self.refuse(transaction, refusal.status, refusal.reason)
