"""Requests of peers outside dialogs: screened, and passed to the phones of the one whom the peer called."""

from __future__ import annotations

from p2pship.interfaces import IPeer
from p2pship.sip import sessiontimer
from p2pship.sip.answers import Answers
from p2pship.sip.branches import Branches
from p2pship.sip.doorway import Doorway
from p2pship.sip.rewrite import onward
from p2pship.sip.screen import Screen
from p2pship.sip.transactions import ServerTransaction
from p2pship.sip.underway import UnderWay


class Inbound:
    """Takes each new request of a peer."""

    def __init__(
        self, answers: Answers, branches: Branches, doorway: Doorway, screen: Screen, under_way: UnderWay
    ) -> None:
        self._answers = answers
        self._branches = branches
        self._doorway = doorway
        self._screen = screen
        self._under_way = under_way

    def take(self, transaction: ServerTransaction, peer: IPeer) -> None:
        """Pass a request on, or answer it; raises BadMessage or BadURI if it cannot be read."""
        sent_on = onward(transaction.request)
        refusal = self._screen.new(sent_on, peer) or self._under_way.check_strangers(sent_on, peer)
        if refusal is not None:
            self._answers.screened(transaction, refusal)
            return
        if sent_on.method in sessiontimer.REFRESHES:
            sessiontimer.check(sent_on)
        groups = self._branches.to_phones(peer, sent_on, self._under_way)
        fork = self._under_way.fork(transaction, sent_on, None, caller=peer.aor, callee=peer.identity.aor)
        fork.begin()
        other = "other " if peer.aor == peer.identity.aor else ""
        self._doorway.enter(fork, peer, groups, (480, f"no {other}phone is registered under this name"))
