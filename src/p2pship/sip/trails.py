"""The stories of the calls whose INVITE waits for its final response, by the transaction that brought it."""

from __future__ import annotations

from p2pship.errors import RemoteError
from p2pship.identity.aor import canonical_aor
from p2pship.interfaces import IPeer
from p2pship.journal import CallFailed, Journal, printable
from p2pship.sip.callbook import CallBook
from p2pship.sip.dialog import Dialog
from p2pship.sip.fork import Fork
from p2pship.sip.hops import peer_of
from p2pship.sip.leg import Onward
from p2pship.sip.message import Request, Response
from p2pship.sip.server_transaction import ServerTransaction
from p2pship.sip.trail import LONGEST_NAME, OTHER_SIDE, OUR_PHONE, Trail

ELSEWHERE = "cause=200"
"In the Reason of a CANCEL: another phone has answered, and nobody has missed anything (RFC 3326 §3.1)."


class Trails:
    """Begins a story with an INVITE, and ends it, or leaves it to the dialog, with the final response."""

    def __init__(self, book: CallBook, journal: Journal) -> None:
        self._book = book
        self._journal = journal
        self._pending: dict[ServerTransaction, Trail] = {}

    def begin(self, transaction: ServerTransaction) -> None:
        """Begin the story of an INVITE for a new call; From and the like can be read."""
        request, peer = transaction.request, peer_of(transaction.origin)
        if peer is None:
            caller, callee = _name(request.from_.uri), _name(request.uri)
        else:
            caller, callee = peer.aor, peer.identity.aor
        trail = self._book.begin(request.call_id, request.from_.tag or "", peer, caller, callee)
        self._pending[transaction] = trail
        for name, words in (
            ("Referred-By", "the caller was referred here by"),
            ("Replaces", "it takes over"),
        ):
            value = request.first(name)
            if value is not None:
                trail.note(f"{words} {value}")

    def taken(self, transaction: ServerTransaction, caller: str, callee: str) -> Trail | None:
        """Return the story of a call that is passed on between these two, None of what is no call."""
        trail = self._pending.get(transaction)
        if trail is not None and peer_of(transaction.origin) is None:
            trail.of_ours(caller, callee)
        return trail

    def refused(self, transaction: ServerTransaction, rule: str) -> None:
        """Note the rule of this node that refuses a call; :meth:`answered` follows."""
        trail = self._pending.get(transaction)
        if trail is not None:
            trail.refused(rule)

    def answered(self, transaction: ServerTransaction, status: int, reason: str) -> None:
        """Take it that this node answers by itself, without having asked anybody."""
        trail = self._pending.pop(transaction, None)
        if trail is not None:
            trail.finished(status, reason)

    def done(self, fork: Fork, response: Response, caller: str, callee: str, search: Onward | None) -> None:
        """Take the response with which the fork of an INVITE ends, and tell the journal what became of the call."""
        call_id = fork.transaction.request.call_id
        trail = self._pending.pop(fork.transaction, None)
        if response.status >= 300:
            failed = CallFailed(call_id, caller, callee, response.status, fork.why, _elsewhere(fork))
            self._journal.tell(failed)
        elif search is not None:
            stages = search.stages(call_id, caller, callee)
            self._journal.tell(stages)
            if trail is not None:
                trail.set_up(stages)
        if trail is not None:
            self._finish(trail, fork, response)

    def _finish(self, trail: Trail, fork: Fork, response: Response) -> None:
        if response.status // 100 == 3:
            trail.note(f"it points to {', '.join(response.values('Contact')) or 'nowhere'}")
        gave_up = OUR_PHONE if peer_of(fork.transaction.origin) is None else OTHER_SIDE
        trail.finished(
            response.status,
            f"{fork.why}; the caller said {fork.cancel_reason}" if fork.cancel_reason else fork.why,
            gave_up if fork.cancelled else None,
            _elsewhere(fork),
        )

    def referred(
        self, dialog: Dialog | None, request: Request, response: Response, peer: IPeer | None
    ) -> None:
        """Note a transfer that was agreed to within a call (RFC 3515); None for a dialog that is over."""
        trail = self._book.of(dialog) if dialog is not None else None
        target = request.first("Refer-To")
        if trail is None or target is None or response.status >= 300:
            return
        who = OUR_PHONE if peer is None else OTHER_SIDE
        trail.note(f"{who} transferred it to {printable(target, LONGEST_NAME)}")


def _name(uri: str) -> str:
    """Return the AOR of a URI as a phone wrote it, or the URI if it is of nobody."""
    try:
        return canonical_aor(uri)
    except RemoteError:
        return uri


def _elsewhere(fork: Fork) -> bool:
    """Tell whether the call was taken back because another phone or device has answered it."""
    return ELSEWHERE in (fork.cancel_reason or "")
