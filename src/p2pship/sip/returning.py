"""What the node adds to a response on its way back, beside what belongs to the request as it came."""

from __future__ import annotations

from p2pship.errors import RemoteError
from p2pship.sip import sessiontimer
from p2pship.sip.calls import Calls
from p2pship.sip.hops import peer_of
from p2pship.sip.message import Request, Response
from p2pship.sip.references import References
from p2pship.sip.transactions import ServerTransaction


class Returning:
    """Makes the Contacts of our phone's 3xx mean something elsewhere, and keeps the time of each session."""

    def __init__(self, calls: Calls, references: References) -> None:
        self._calls = calls
        self._references = references

    def passed(self, response: Response, transaction: ServerTransaction, sent_on: Request) -> None:
        """Complete a response to a request, which this node has sent on as ``sent_on``."""
        self._show(response, transaction)
        if 200 <= response.status < 300 and sent_on.method in sessiontimer.REFRESHES:
            self._time(response, transaction, sent_on)

    def _show(self, response: Response, transaction: ServerTransaction) -> None:
        peer = peer_of(transaction.origin)
        if peer is None:
            self._references.screen_response(response)
            return
        try:
            self._references.show_response(response, peer.identity.aor)
        except RemoteError:  # what cannot be read might show an address
            response.remove("Contact")

    def _time(self, response: Response, transaction: ServerTransaction, sent_on: Request) -> None:
        interval = sessiontimer.agree(response, sent_on)
        tags = transaction.request.from_.tag or "", response.to.tag or ""
        dialog = self._calls.dialogs.of_sender(peer_of(transaction.origin), response.call_id, *tags)
        if dialog is not None:
            dialog.session_ends = None if interval is None else self._calls.now() + interval
