"""Requests of our phones outside dialogs: rewritten for the link, and sent to the devices of the person they name."""

from __future__ import annotations

from p2pship.identity.aor import BadAOR, split_aor
from p2pship.interfaces import IIdentity, IOverlay, IPeer
from p2pship.journal import Journal
from p2pship.sip import sessiontimer
from p2pship.sip.answers import Answers
from p2pship.sip.branches import Branches
from p2pship.sip.forwarding import Forwarding, Target
from p2pship.sip.hops import own_route
from p2pship.sip.legs import LegToPeer
from p2pship.sip.message import BadMessage, Request
from p2pship.sip.names import OwnNames
from p2pship.sip.notices import Notices
from p2pship.sip.privacy import hides_name, leave_out_telling
from p2pship.sip.references import References
from p2pship.sip.rewrite import CARRIES_TARGET, onward
from p2pship.sip.senders import Senders
from p2pship.sip.transactions import ServerTransaction
from p2pship.sip.underway import UnderWay
from p2pship.sip.uri import parse_uri


class Outbound:
    """Takes each new request of a phone."""

    def __init__(
        self,
        *,
        answers: Answers,
        branches: Branches,
        journal: Journal,
        names: OwnNames,
        notices: Notices,
        overlay: IOverlay,
        references: References,
        senders: Senders,
        under_way: UnderWay,
    ) -> None:
        self._answers = answers
        self._branches = branches
        self._journal = journal
        self._names = names
        self._notices = notices
        self._overlay = overlay
        self._references = references
        self._senders = senders
        self._under_way = under_way

    def take(self, transaction: ServerTransaction) -> None:
        """Send a request on, or answer it; raises BadMessage or BadURI if it cannot be read."""
        request = transaction.request
        own = self._senders.of(transaction)
        if own is None:
            name = request.from_.uri[:200]
            self._answers.refuse(transaction, 403, f"no phone has registered as {name}: register first")
            return
        try:
            aor = self._names.aor(request.uri, split_aor(own.aor)[1])
        except BadAOR:
            raise BadMessage(404, "this address names nobody", request) from None
        hidden = hides_name(request)
        sent_on = self._shown(request, own, hidden)
        if self._names.is_own(parse_uri(request.uri).host):
            sent_on.uri = f"sip:{aor}"
        self._call(transaction, own, Target(sent_on.uri, aor), sent_on, hidden)

    def _shown(self, request: Request, own: IIdentity, hidden: bool) -> Request:
        """Return a phone's new request as the link shows it, but for who and where the phone is."""
        sent_on = onward(request)
        self._references.show_request(sent_on, own.aor)
        if request.method in sessiontimer.REFRESHES:
            sessiontimer.check(sent_on)
            sessiontimer.ask(sent_on)
        if hidden:
            leave_out_telling(sent_on)
        return sent_on

    def _call(
        self, transaction: ServerTransaction, own: IIdentity, target: Target, sent_on: Request, hidden: bool
    ) -> None:
        phone = self._branches.phone_side(transaction, own.aor, hidden)
        link_side = self._branches.link_side(transaction.request, own.aor, target.aor, hidden)

        def leg_for(peer: IPeer, target: Target) -> LegToPeer:
            request = sent_on
            if target.uri != sent_on.uri:
                request = sent_on.copy()
                request.uri = target.uri
            return self._branches.to_peer(peer, request, link_side, phone)

        # Only a dialog has a route set.
        route = own_route(transaction.origin) if sent_on.method in CARRIES_TARGET else None
        fork = self._under_way.fork(transaction, sent_on, route, caller=own.aor, callee=target.aor)
        forwarding = Forwarding(fork, self._overlay, own, leg_for, self._names, self._journal, self._notices)
        fork.forwarding = forwarding
        fork.begin()
        forwarding.begin(target)
